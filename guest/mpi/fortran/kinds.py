"""What a parameter of a C prototype is to Fortran: its name and type tell."""

from prototypes import HANDLES, OLD

LOGICAL = {"flag", "reorder", "high", "commute", "weighted", "periods", "remain_dims"}
# Functions whose pointers to handles are read as well as written.
READ_TOO = ("free", "commit", "disconnect", "finalize", "close", "cancel", "start", "wait", "test", "mrecv", "imrecv")
ROOM_OF = {  # how long a string can be that C writes
    "comm_name": "MPI_MAX_OBJECT_NAME", "type_name": "MPI_MAX_OBJECT_NAME", "win_name": "MPI_MAX_OBJECT_NAME",
    "string": "MPI_MAX_ERROR_STRING", "name": "MPI_MAX_PROCESSOR_NAME", "version": "MPI_MAX_LIBRARY_VERSION_STRING",
    "port_name": "MPI_MAX_PORT_NAME", "key": "MPI_MAX_INFO_KEY", "value": "MPI_MAX_INFO_VAL",
    "datarep": "MPI_MAX_DATAREP_STRING", "pset_name": "MPI_MAX_PSET_NAME_LEN",
}
WIDE = ("MPI_Aint", "MPI_Count", "MPI_Offset")


def kind_of(parameter, function=None):
    """One of buffer, address, callback, string, strings, text (a string that is written), status, statuses, handle,
    handles, weights, logical, logicals, int, ints, wide, wides; a trailing `>` means that the one value is written.

    For `function` the kinds are those of its Fortran interface where C has a void pointer or a longer integer."""
    base, name = parameter.type, parameter.name
    old = function is not None and function.short in OLD
    if base.endswith("_function"):
        return "callback"
    if name in ("extra_state", "attribute_val"):
        written = function is not None and "get" in function.short.lower()
        return ("int" if old else "wide") + (">" if written else "")
    if old and base == "MPI_Aint":
        return "ints" if parameter.array else "int>" if parameter.pointer else "int"
    if base == "void":
        return "address" if name in ("baseptr", "buffer_addr") else "buffer"
    if base == "char":
        return "strings" if parameter.array and not parameter.const else "string" if parameter.const else "text"
    if base == "MPI_Status":
        return "statuses" if name == "array_of_statuses" else "status"
    if base[len("MPI_"):] in HANDLES:
        return "handles" if parameter.array else "handle>" if parameter.pointer else "handle"
    kind = "wide" if base in WIDE else "logical" if name in LOGICAL else "int"
    if parameter.array:
        return "weights" if name in ("weights", "sourceweights", "destweights") else kind + "s"
    return kind + ">" if parameter.pointer else kind


def handle_of(parameter):
    return parameter.type[len("MPI_"):]


def is_read_too(function, parameter):
    """Whether what a pointer points to is read before it is written."""
    words = function.short.lower().split("_")
    if parameter.name in ("position", "buflen"):
        return True
    if any(word == part or word in (part + "all", part + "any", part + "some") for word in words for part in READ_TOO):
        return not parameter.name.startswith("new") and not (parameter.name == "request" and "imrecv" in words)
    return False


def differ(function, other):
    """Whether Fortran can tell a call of the one from a call of the other."""
    kinds = [[kind_of(parameter, item) for parameter in item.parameters] for item in (function, other)]
    return kinds[0] != kinds[1]


def length_of(function, parameter):
    """The C expression for how many handles an array has."""
    name = parameter.name
    cast = "(int)" if function.short.endswith("_c") else ""
    if name in ("sendtypes", "recvtypes"):
        if "eighbor" not in function.short:
            return "dvf_peers(*comm)"
        return f"dvf_neighbours(*comm, {int(name == 'sendtypes')})"
    if name == "array_of_datatypes":
        return f"{cast}*max_datatypes"
    names = [item.name for item in function.parameters]
    return f"{cast}*incount" if "incount" in names else f"{cast}*count"
