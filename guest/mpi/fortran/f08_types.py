"""Writes the modules that mpi and mpi_f08 stand on: MPI_Sizeof, the types of handles, the interfaces of callbacks."""

from prototypes import HANDLES

SIZED = {"int8": "integer(1)", "int16": "integer(2)", "int32": "integer(4)", "int64": "integer(8)",
         "real32": "real(4)", "real64": "real(8)", "real80": "real(10)", "real128": "real(16)",
         "complex32": "complex(4)", "complex64": "complex(8)", "complex80": "complex(10)", "complex128": "complex(16)",
         "character": "character(len=1)", "logical": "logical"}

STATUS = """
  type, bind(C) :: MPI_Status
    integer :: MPI_SOURCE, MPI_TAG, MPI_ERROR
    integer, private :: internal(5)
  end type

  interface
    subroutine MPI_Status_f2f08(f_status, f08_status, ierror)
      import
      integer, intent(in) :: f_status(8)
      type(MPI_Status), intent(out) :: f08_status
      integer, optional, intent(out) :: ierror
    end subroutine
    subroutine MPI_Status_f082f(f08_status, f_status, ierror)
      import
      type(MPI_Status), intent(in) :: f08_status
      integer, intent(out) :: f_status(8)
      integer, optional, intent(out) :: ierror
    end subroutine
  end interface
"""

CALLBACKS = """
    subroutine MPI_User_function(invec, inoutvec, len, datatype)
      import
      type(c_ptr), value :: invec, inoutvec
      integer :: len
      type(MPI_Datatype) :: datatype
    end subroutine
    subroutine MPI_Grequest_query_function(extra_state, status, ierror)
      import
      integer(kind=8) :: extra_state
      type(MPI_Status) :: status
      integer :: ierror
    end subroutine
    subroutine MPI_Grequest_free_function(extra_state, ierror)
      integer(kind=8) :: extra_state
      integer :: ierror
    end subroutine
    subroutine MPI_Grequest_cancel_function(extra_state, complete, ierror)
      integer(kind=8) :: extra_state
      logical :: complete
      integer :: ierror
    end subroutine
    subroutine MPI_Datarep_extent_function(datatype, extent, extra_state, ierror)
      import
      type(MPI_Datatype) :: datatype
      integer(kind=8) :: extent, extra_state
      integer :: ierror
    end subroutine
    subroutine MPI_Datarep_conversion_function(userbuf, datatype, count, filebuf, position, extra_state, ierror)
      import
      type(c_ptr), value :: userbuf, filebuf
      type(MPI_Datatype) :: datatype
      integer :: count, ierror
      integer(kind=8) :: position, extra_state
    end subroutine
"""

COPY = """    subroutine {name}(old{short}, keyval, extra_state, attribute_val_in, attribute_val_out, flag, ierror)
      import
      type(MPI_{handle}) :: old{short}
      integer :: keyval, ierror
      integer(kind=8) :: extra_state, attribute_val_in, attribute_val_out
      logical :: flag
    end subroutine
"""
DELETE = """    subroutine {name}({argument}, keyval, attribute_val, extra_state, ierror)
      import
      type(MPI_{handle}) :: {argument}
      integer :: keyval, ierror
      integer(kind=8) :: attribute_val, extra_state
    end subroutine
"""
ERROR_HANDLER = """    subroutine MPI_{handle}_errhandler_function({argument}, error_code)
      import
      type(MPI_{handle}) :: {argument}
      integer :: error_code
    end subroutine
"""
WITH_ATTRIBUTES = (("Comm", "Comm"), ("Type", "Datatype"), ("Win", "Win"))


def sizeof_module():
    lines = ["module mpi_sizeof_generic", "  implicit none", "  private", "  public :: MPI_Sizeof",
             "  interface MPI_Sizeof"]
    lines += [f"    module procedure size_{name}" for name in SIZED]
    lines += ["  end interface", "contains"]
    for name, kind in SIZED.items():
        lines += [f"  subroutine size_{name}(x, size, ierror)", f"    {kind}, dimension(..), intent(in) :: x",
                  "    integer, intent(out) :: size", "    integer, optional, intent(out) :: ierror",
                  "    size = int(storage_size(x)) / 8", "    if (present(ierror)) ierror = 0", "  end subroutine"]
    return "\n".join([*lines, "end module", ""])


def types_module():
    lines = ["module mpi_f08_types", "  implicit none"]
    for handle in HANDLES:
        lines += [f"  type, bind(C) :: MPI_{handle}", "    integer :: MPI_VAL", "  end type"]
    lines.append(STATUS)
    for prefix, operator in (("same", "=="), ("other", "/=")):
        lines.append(f"  interface operator({operator})")
        lines += [f"    module procedure {prefix}_{handle.lower()}" for handle in HANDLES]
        lines.append("  end interface")
    lines.append("contains")
    for handle in HANDLES:
        for prefix, operator in (("same", "=="), ("other", "/=")):
            name = f"{prefix}_{handle.lower()}"
            lines += [f"  elemental logical function {name}(a, b)", f"    type(MPI_{handle}), intent(in) :: a, b",
                      f"    {name} = a%MPI_VAL {operator} b%MPI_VAL", "  end function"]
    return "\n".join([*lines, "end module", ""])


def callbacks_module():
    text = ["module mpi_f08_callbacks\n  use mpi_f08_types\n  use, intrinsic :: iso_c_binding, only: c_ptr\n"
            "  implicit none\n\n  abstract interface", CALLBACKS]
    predefined = []
    for kind, handle in WITH_ATTRIBUTES:
        names = {"short": kind.lower(), "handle": handle, "argument": handle.lower()}
        text.append(COPY.format(name=f"MPI_{kind}_copy_attr_function", **names))
        text.append(DELETE.format(name=f"MPI_{kind}_delete_attr_function", **names))
        predefined += [COPY.format(name=f"MPI_{kind.upper()}_{name}", **names) for name in ("NULL_COPY_FN", "DUP_FN")]
        predefined.append(DELETE.format(name=f"MPI_{kind.upper()}_NULL_DELETE_FN", **names))
    for handle in ("Comm", "Win", "File", "Session"):
        text.append(ERROR_HANDLER.format(handle=handle, argument=handle.lower()))
    return "".join([*text, "  end interface\n\n  interface\n", *predefined, "  end interface\nend module\n"])
