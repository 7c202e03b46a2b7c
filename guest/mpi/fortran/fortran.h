/* What the Fortran bindings share, those made by generate.py and those written by hand.
 *
 * gfortran's conventions: names in lower case with an underscore, everything by address, the lengths of strings at the
 * end; .true. is 1. A handle is the integer that dvm_to_int gives it. A status has the same layout in both languages.
 * `ierror` is NULL where mpi_f08 leaves it out. */
#ifndef DIVISI_MPI_FORTRAN_H
#define DIVISI_MPI_FORTRAN_H

#include <stdlib.h>
#include <string.h>

#include "guest/mpi/include/mpi.h"
#include "guest/mpi/object.h"

/* mpi_name_ is the weak twin of pmpi_name_: a tool's own stands in its stead. */
#define DVF_ALIAS(name) extern __typeof__(pmpi_##name##_) mpi_##name##_ __attribute__((weak, alias("pmpi_" #name "_")));

/* The common blocks that stand for MPI_BOTTOM and its like: known by their addresses. */
extern MPI_Fint mpi_fortran_bottom_;
extern MPI_Fint mpi_fortran_in_place_;
extern MPI_Fint mpi_fortran_buffer_automatic_;
extern MPI_Fint mpi_fortran_unweighted_[1];
extern MPI_Fint mpi_fortran_weights_empty_[1];
extern MPI_Fint mpi_fortran_errcodes_ignore_[1];
extern MPI_Fint mpi_fortran_status_ignore_[MPI_F_STATUS_SIZE];
extern MPI_Fint mpi_fortran_statuses_ignore_[MPI_F_STATUS_SIZE];

/* An array of handles up to this long is converted on the stack. */
#define DVF_ROOM 32

static inline void dvf_return(MPI_Fint* ierror, int result) {
    if (ierror != NULL) *ierror = result;
}

/* The const of what MPI only reads is given up here and taken up again by the prototype that is called. */
static inline void* dvf_buffer(const void* buffer) {
    if (buffer == &mpi_fortran_bottom_) return MPI_BOTTOM;
    if (buffer == &mpi_fortran_in_place_) return MPI_IN_PLACE;
    if (buffer == &mpi_fortran_buffer_automatic_) return MPI_BUFFER_AUTOMATIC;
    return (void*)(uintptr_t)buffer;
}

static inline MPI_Status* dvf_status(const MPI_Fint* status) {
    return status == mpi_fortran_status_ignore_ ? MPI_STATUS_IGNORE : (MPI_Status*)(uintptr_t)status;
}

static inline MPI_Status* dvf_statuses(MPI_Fint* statuses) {
    return statuses == mpi_fortran_statuses_ignore_ ? MPI_STATUSES_IGNORE : (MPI_Status*)(void*)statuses;
}

static inline MPI_Fint* dvf_weights(const MPI_Fint* weights) {
    if (weights == mpi_fortran_unweighted_) return MPI_UNWEIGHTED;
    if (weights == mpi_fortran_weights_empty_) return MPI_WEIGHTS_EMPTY;
    return (MPI_Fint*)(uintptr_t)weights;
}

/* Room for `count` handles: `room` of DVF_ROOM where that is enough, else to be freed. NULL: no memory. */
static inline void* dvf_room(void* room, int count, size_t bytes) {
    return count <= DVF_ROOM ? room : malloc((size_t)count * bytes);
}

/* A C string of a Fortran one, without the blanks around it; to be freed. NULL: no memory. */
char* dvf_string(const char* text, size_t length);
/* Writes a C string to a Fortran one, cut or filled with blanks. */
void dvf_pad(char* text, size_t length, const char* from);

/* How many datatypes MPI_Alltoallw reads, and MPI_Neighbor_alltoallw of either kind (`out`: for sending). 0 where the
 * communicator is none: the call will say so. */
int dvf_peers(MPI_Fint comm);
int dvf_neighbours(MPI_Fint comm, int out);

#endif
