/* What the sources of the MPI scenarios share. */
#ifndef DIVISI_TESTS_MPI_SCENARIOS_H
#define DIVISI_TESTS_MPI_SCENARIOS_H

#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

extern int rank;
extern int size;

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "rank %d: %s:%d: %s\n", rank, __FILE__, __LINE__, #condition); \
            _exit(99);                                                                     \
        }                                                                                  \
    } while (0)

void scenario_types(void);
void scenario_partitioned(void);
void scenario_additions(void);
void scenario_large(void);
void scenario_collectives(void);
void scenario_full_rings(void);
void scenario_neighbours(void);
void scenario_reductions(void);
void scenario_intercommunicators(void);

#endif
