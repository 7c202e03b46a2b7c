/* Handles as integers, for Fortran and for whoever else has no pointers. */
#include "internal.h"

#define DEFINE_CONVERSIONS(name, handle_type)        \
    int PMPI_##name##_toint(handle_type handle) {    \
        return dvm_to_int(handle);                   \
    }                                                \
    DVM_ALIAS(name##_toint);                         \
    handle_type PMPI_##name##_fromint(int number) {  \
        return (handle_type)dvm_from_int(number);    \
    }                                                \
    DVM_ALIAS(name##_fromint);                       \
    MPI_Fint PMPI_##name##_c2f(handle_type handle) { \
        return dvm_to_int(handle);                   \
    }                                                \
    DVM_ALIAS(name##_c2f);                           \
    handle_type PMPI_##name##_f2c(MPI_Fint number) { \
        return (handle_type)dvm_from_int(number);    \
    }                                                \
    DVM_ALIAS(name##_f2c)

DEFINE_CONVERSIONS(Comm, MPI_Comm);
DEFINE_CONVERSIONS(Errhandler, MPI_Errhandler);
DEFINE_CONVERSIONS(File, MPI_File);
DEFINE_CONVERSIONS(Group, MPI_Group);
DEFINE_CONVERSIONS(Info, MPI_Info);
DEFINE_CONVERSIONS(Message, MPI_Message);
DEFINE_CONVERSIONS(Op, MPI_Op);
DEFINE_CONVERSIONS(Request, MPI_Request);
DEFINE_CONVERSIONS(Session, MPI_Session);
DEFINE_CONVERSIONS(Type, MPI_Datatype);
DEFINE_CONVERSIONS(Win, MPI_Win);
