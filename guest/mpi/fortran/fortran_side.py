"""Writes the Fortran side of the bindings: mpif.h, and the modules mpi and mpi_f08 with an interface for every function."""

from kinds import handle_of, is_read_too, kind_of
from prototypes import HANDLES, OLD

MODULE_HEAD = "! Made by guest/mpi/fortran/generate.py from mpi.h.\n"

# What stands for C's null pointers and small addresses: variables whose addresses the bindings know.
SENTINELS = (("MPI_BOTTOM", "bottom", ""), ("MPI_IN_PLACE", "in_place", ""),
             ("MPI_BUFFER_AUTOMATIC", "buffer_automatic", ""), ("MPI_UNWEIGHTED", "unweighted", "(1)"),
             ("MPI_WEIGHTS_EMPTY", "weights_empty", "(1)"), ("MPI_ERRCODES_IGNORE", "errcodes_ignore", "(1)"))
PREDEFINED = [f"MPI_{kind}{name}" for kind in ("COMM_", "TYPE_", "WIN_", "")
              for name in ("NULL_COPY_FN", "DUP_FN", "NULL_DELETE_FN")]
OWN = {"MPI_STATUS_SIZE": 8, "MPI_SOURCE": 1, "MPI_TAG": 2, "MPI_ERROR": 3, "MPI_ADDRESS_KIND": 8, "MPI_COUNT_KIND": 8,
       "MPI_OFFSET_KIND": 8, "MPI_INTEGER_KIND": 4}
# What MPI-3.0 removed, and no datatype says of itself any more; programs from before name them.
GONE = {"MPI_COMBINER_HVECTOR_INTEGER": 1004, "MPI_COMBINER_HINDEXED_INTEGER": 1008, "MPI_COMBINER_STRUCT_INTEGER": 1010}
FALSE = ("MPI_SUBARRAYS_SUPPORTED", "MPI_ASYNC_PROTECTS_NONBLOCKING")
FUNCTIONS = (("Wtime", "double precision", ""), ("Wtick", "double precision", ""),
             ("Aint_add", "integer(kind=8)", "base, disp"), ("Aint_diff", "integer(kind=8)", "addr1, addr2"))


def numbers(known):
    """Name and value of all integer constants but the handles; room for strings is one less: C's includes its zero."""
    for constant in known:
        if not constant.handle and constant.name != "MPI_DISPLACEMENT_CURRENT":
            yield constant.name, constant.value - ("_MAX_" in constant.name)
    yield from OWN.items()
    yield from GONE.items()


def mpif(known):
    """Lines that are right in fixed and in free form: six blanks, at most 72 columns."""
    lines = ["! Made by guest/mpi/fortran/generate.py from mpi.h."]
    values = [*numbers(known), *((constant.name, constant.value) for constant in known if constant.handle)]
    for name, value in values:
        lines += [f"      INTEGER {name}", f"      PARAMETER ({name}={value})"]
    lines += ["      INTEGER*8 MPI_DISPLACEMENT_CURRENT", "      PARAMETER (MPI_DISPLACEMENT_CURRENT=-1_8)"]
    for name in FALSE:
        lines += [f"      LOGICAL {name}", f"      PARAMETER ({name}=.FALSE.)"]
    sentinels = [*SENTINELS, ("MPI_STATUS_IGNORE", "status_ignore", "(8)"), ("MPI_STATUSES_IGNORE", "statuses_ignore", "(8,1)")]
    for name, block, shape in sentinels:
        lines += [f"      INTEGER {name}{shape}", f"      COMMON /MPI_FORTRAN_{block.upper()}/ {name}"]
    for name, block, shape in (("MPI_ARGV_NULL", "argv_null", "(1)"), ("MPI_ARGVS_NULL", "argvs_null", "(1,1)")):
        lines += [f"      CHARACTER*1 {name}{shape}", f"      COMMON /MPI_FORTRAN_{block.upper()}/ {name}"]
    for prefix in ("MPI_", "PMPI_"):
        for name, kind, _ in FUNCTIONS:
            lines += [f"      {kind.upper()} {prefix}{name}".replace("INTEGER(KIND=8)", "INTEGER*8"),
                      f"      EXTERNAL {prefix}{name}"]
    lines += [f"      EXTERNAL {name}" for name in PREDEFINED]
    return "\n".join(lines) + "\n"


def wrapped(head, names, tail=""):
    """head(names)tail in lines that are not too long."""
    lines, line = [], head + "("
    for index, name in enumerate(names):
        word = name + (", " if index + 1 < len(names) else "")
        if len(line) + len(word) > 118:
            lines.append(line.rstrip() + " &")
            line = "      "
        line += word
    return "\n".join([*lines, line + ")" + tail])


OF_KIND = {"int": "integer", "logical": "logical", "wide": "integer(kind=8)", "weights": "integer", "callback": "external"}


def name_of(parameter):
    return {"function": "handler"}.get(parameter.name, parameter.name)


def intent(function, parameter, kind):
    """For mpi_f08, where it is of use: what is not written must be allowed to be a constant."""
    if kind in ("int", "logical", "wide", "handle", "string") or (parameter.const and kind not in ("status", "buffer")):
        return ", intent(in)"
    if kind in ("int>", "wide>", "logical>", "handle>"):
        return ", intent(inout)" if is_read_too(function, parameter) else ", intent(out)"
    return ""


def is_unchecked(function, parameter, kind, modern):
    """Buffers are of any type. In the module mpi, so are counts and types of the collectives that take arrays of them: where
    MPI_IN_PLACE makes these meaningless, programs give 0."""
    if kind in ("buffer", "address") or modern:
        return kind == "buffer" or (kind == "address" and not modern)
    kinds = [kind_of(item, function) for item in function.parameters]
    return "buffer" in kinds and "ints" in kinds and (kind in ("ints", "wides", "handles") or "type" in parameter.name)


def declaration(function, parameter, modern):
    kind, name = kind_of(parameter, function), name_of(parameter)
    if is_unchecked(function, parameter, kind, modern):
        return f"    type(*), dimension(*) :: {name}\n    !GCC$ ATTRIBUTES NO_ARG_CHECK :: {name}"
    plain = kind.rstrip(">")
    shape = "(*)" if kind in ("ints", "logicals", "wides", "handles", "weights", "strings") else ""
    if parameter.array == "[][3]":
        shape = "(3,*)"
    singular = plain[:-1] if plain in ("ints", "logicals", "wides", "handles", "strings") else plain
    if singular in ("string", "text"):
        kind_text = "character(len=*)"
    elif singular in ("status", "statuse", "statuses"):
        kind_text, shape = ("type(MPI_Status)", "(*)" if kind == "statuses" else "") if modern else (
            "integer", "(8,*)" if kind == "statuses" else "(8)")
    elif singular == "handle":
        kind_text = f"type(MPI_{handle_of(parameter)})" if modern else "integer"
    elif kind == "callback" and modern:
        kind_text = f"procedure({parameter.type})"
    elif kind == "address":
        kind_text = "type(c_ptr)"
    else:
        kind_text = OF_KIND[singular]
    return f"    {kind_text}{intent(function, parameter, kind) if modern else ''} :: {name}{shape}"


def interface(function, prefix, modern):
    names = [name_of(parameter) for parameter in function.parameters] + ["ierror"]
    lines = [wrapped(f"  subroutine {prefix}{function.short}", names)]
    if modern:
        lines.append("    import")
    lines += [declaration(function, parameter, modern) for parameter in function.parameters]
    lines.append("    integer, optional, intent(out) :: ierror" if modern else "    integer :: ierror")
    lines.append("  end subroutine")
    return "\n".join(lines)


def by_hand(prefix, modern):
    """The interfaces of what has other arguments in Fortran than in C."""
    ierror = "integer, optional, intent(out) :: ierror" if modern else "integer :: ierror"
    lines = [f"  subroutine {prefix}Init(ierror)", f"    {ierror}", "  end subroutine",
             f"  subroutine {prefix}Init_thread(required, provided, ierror)", "    integer :: required, provided",
             f"    {ierror}", "  end subroutine",
             f"  subroutine {prefix}Info_create_env(info, ierror)", *(["    import"] if modern else []),
             f"    {'type(MPI_Info)' if modern else 'integer'} :: info", f"    {ierror}", "  end subroutine",
             f"  subroutine {prefix}Pcontrol(level)", "    integer :: level", "  end subroutine"]
    for name, kind, parameters in FUNCTIONS:
        lines.append(f"  {kind} function {prefix}{name}({parameters})")
        if parameters:
            lines.append(f"    integer(kind=8), intent(in) :: {parameters}")
        lines.append("  end function")
    return "\n".join(lines)


def interfaces(functions, modern, twins=()):
    generic = {small.name for small, _ in twins}
    lines = ["  interface"]
    for prefix in ("MPI_", "PMPI_"):
        lines.append(by_hand(prefix, modern))
        lines += [interface(function, prefix, modern) for function in functions
                  if function.name not in generic and not (modern and function.short in OLD)]
    lines.append("  end interface")
    for prefix in ("MPI_", "PMPI_"):
        for small, large in twins:
            lines += [f"  interface {prefix}{small.short}", interface(small, prefix, modern),
                      interface(large, prefix, modern), "  end interface"]
    return "\n".join(lines)


def shared_constants(known):
    lines = [f"  integer, parameter :: {name} = {value}" for name, value in numbers(known)]
    lines.append("  integer(kind=8), parameter :: MPI_DISPLACEMENT_CURRENT = -1_8")
    lines += [f"  logical, parameter :: {name} = .false." for name in FALSE]
    for name, block, shape in SENTINELS:
        lines += [f"  integer :: {name}{shape}", f"  common /mpi_fortran_{block}/ {name}"]
    for name, block, shape in (("MPI_ARGV_NULL", "argv_null", "(1)"), ("MPI_ARGVS_NULL", "argvs_null", "(1,1)")):
        lines += [f"  character(len=1) :: {name}{shape}", f"  common /mpi_fortran_{block}/ {name}"]
    return lines


def mpi_module(known, functions):
    lines = [MODULE_HEAD + "module mpi", "  use mpi_sizeof_generic, only: MPI_Sizeof", "  implicit none", *shared_constants(known)]
    lines += [f"  integer, parameter :: {constant.name} = {constant.value}" for constant in known if constant.handle]
    lines += ["  integer :: MPI_STATUS_IGNORE(8), MPI_STATUSES_IGNORE(8,1)",
              "  common /mpi_fortran_status_ignore/ MPI_STATUS_IGNORE",
              "  common /mpi_fortran_statuses_ignore/ MPI_STATUSES_IGNORE"]
    lines += [f"  external :: {name}" for name in PREDEFINED]
    return "\n".join([*lines, interfaces(functions, False), "end module mpi", ""])


def f08_module(known, functions, twins):
    lines = [MODULE_HEAD + "module mpi_f08", "  use mpi_f08_types", "  use mpi_f08_callbacks",
             "  use mpi_sizeof_generic, only: MPI_Sizeof", "  use, intrinsic :: iso_c_binding, only: c_ptr", "  implicit none",
             *shared_constants(known)]
    lines += [f"  type(MPI_{constant.handle}), parameter :: {constant.name} = MPI_{constant.handle}({constant.value})"
              for constant in known if constant.handle]
    lines += ["  type(MPI_Status) :: MPI_STATUS_IGNORE, MPI_STATUSES_IGNORE(1)",
              "  common /mpi_fortran_status_ignore/ MPI_STATUS_IGNORE",
              "  common /mpi_fortran_statuses_ignore/ MPI_STATUSES_IGNORE"]
    assert set(HANDLES) >= {constant.handle for constant in known if constant.handle}
    return "\n".join([*lines, interfaces(functions, True, twins), "end module mpi_f08", ""])
