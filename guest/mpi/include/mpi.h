/* MPI on divisi: messages between the nodes of a virtual multicomputer, or between ranks on a virtual multiprocessor.
 *
 * The interface and the binary interface (handles, constants, MPI_Status) are those of MPI 5.0. Programs are built with
 * mpicc, mpicxx or mpifort of divisi and run as one rank a node; natively and alone as well.
 *
 * Owns: what MPI says.
 * Threads: what MPI_Init_thread says.
 * Errors: MPI error classes, by the error handler of the communicator; the sentence names call, rank and argument.
 *         What is not there yet (one-sided, files, dynamic processes, MPI_T) says MPI_ERR_UNSUPPORTED_OPERATION.
 * Source: MPI 5.0.
 */
#ifndef DIVISI_MPI_H
#define DIVISI_MPI_H

// NOLINTBEGIN(readability-identifier-naming): the names are the standard's.
#include "divisi_mpi/callbacks.h"
#include "divisi_mpi/collective.h"
#include "divisi_mpi/communicator.h"
#include "divisi_mpi/constants.h"
#include "divisi_mpi/datatype.h"
#include "divisi_mpi/dynamic.h"
#include "divisi_mpi/environment.h"
#include "divisi_mpi/handles.h"
#include "divisi_mpi/io.h"
#include "divisi_mpi/one_sided.h"
#include "divisi_mpi/point_to_point.h"
#include "divisi_mpi/tools.h"
#include "divisi_mpi/topology.h"
/* Every function once more, as PMPI_: made from the headers above. */
#include "divisi_mpi/profiling.h"
// NOLINTEND(readability-identifier-naming)

#endif
