"""Reads what mpi.h declares: the functions, and the values of constants and handles.

The headers are the one table that the Fortran bindings are made from. They are ours, and written regularly: a line that
begins like a declaration is one."""

import re
from dataclasses import dataclass

# Whose C side is written by hand.
BY_HAND = """Info_get_string
    Comm_create_keyval Type_create_keyval Win_create_keyval Keyval_create
    Comm_set_attr Comm_get_attr Type_set_attr Type_get_attr Win_set_attr Win_get_attr Attr_put Attr_get
    Op_create Comm_create_errhandler Win_create_errhandler File_create_errhandler Session_create_errhandler
    Errhandler_create Grequest_start Register_datarep Comm_spawn Comm_spawn_multiple
    Address Type_extent Type_lb Type_ub Type_hindexed Type_hvector Type_struct""".split()
# What is wholly written by hand: it has other arguments in Fortran, or is no subroutine there.
NO_SUBROUTINES = "Init Init_thread Pcontrol Wtime Wtick Aint_add Aint_diff".split()
# What mpi_f08 has no more. Addresses are default integers there.
OLD = """Address Attr_delete Attr_get Attr_put Errhandler_create Errhandler_get Errhandler_set Keyval_create Keyval_free
    Type_extent Type_hindexed Type_hvector Type_lb Type_struct Type_ub""".split()
ABSENT = re.compile(r"MPI_(T_\w+|Abi_\w+|Info_create_env|\w+_(c|c2f|f2c|toint|fromint))$")

PROTOTYPE = re.compile(r"^(int|double|MPI_Aint) (MPI_\w+)\(([^;]*)\);", re.MULTILINE | re.DOTALL)
PARAMETER = re.compile(r"(const )?(\w+)\s*([* ]*?)(\w+)((?:\[\d*\])*)$")
ENUMERATOR = re.compile(r"\b(MPI_\w+) = (-?(?:0x)?[0-9a-fA-F]+)\b")
DEFINED = re.compile(r"^#define (MPI_\w+) (-?\d+|\(\(MPI_(\w+)\)(-?(?:0x)?[0-9a-fA-F]+)\))$", re.MULTILINE)
ALIAS = re.compile(r"^#define (MPI_\w+) (MPI_\w+)$", re.MULTILINE)

HANDLES = ("Comm", "Datatype", "Errhandler", "File", "Group", "Info", "Message", "Op", "Request", "Session", "Win")


@dataclass
class Parameter:
    name: str
    type: str  # int, void, char, MPI_Comm, …
    const: bool
    pointer: bool
    array: str  # "", "[]", "[][3]"


@dataclass
class Function:
    name: str  # MPI_Send
    parameters: list

    @property
    def short(self):
        return self.name[len("MPI_"):]


@dataclass
class Constant:
    name: str
    value: int
    handle: str  # "Comm", …; "" for a number


def parse_parameter(text):
    match = PARAMETER.match(" ".join(text.split()))
    if match is None:
        raise ValueError(f"not understood: {text}")
    const, base, stars, name, array = match.groups()
    return Parameter(name, base, bool(const), "*" in stars, array)


def functions(text):
    """The functions that Fortran has and whose prototypes are in `text`, the text of a header."""
    found = []
    for _, name, parameters in PROTOTYPE.findall(text):
        if ABSENT.match(name) or name[len("MPI_"):] in NO_SUBROUTINES:
            continue
        items = [] if parameters.strip() == "void" else parameters.split(",")
        found.append(Function(name, [parse_parameter(item) for item in items]))
    return found


def large_functions(text, small):
    """Those of `small` that have a twin with large counts, MPI_Send_c, and it: mpi_f08 has both by one name."""
    twins = {name: parameters for _, name, parameters in PROTOTYPE.findall(text) if name.endswith("_c")}
    return [(function, Function(name, [parse_parameter(item) for item in twins[name].split(",")]))
            for function in small for name in [f"{function.name}_c"] if name in twins and function.short not in BY_HAND]


def constants(text):
    """All numbers and handles that the headers in `text` define."""
    found = {}
    for name, value in ENUMERATOR.findall(text):
        found[name] = Constant(name, int(value, 0), "")
    for name, plain, kind, value in DEFINED.findall(text):
        if kind in HANDLES or not kind:
            found[name] = Constant(name, int(value or plain, 0), kind)
    for name, other in ALIAS.findall(text):
        if other in found:
            found[name] = Constant(name, found[other].value, found[other].handle)
    return [constant for constant in found.values() if not constant.name.startswith(("MPI_T_", "MPI_ABI_", "MPI_F_"))]
