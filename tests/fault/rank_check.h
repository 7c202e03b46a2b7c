/* What ranks that check themselves share. */
#ifndef DIVISI_TESTS_FAULT_RANK_CHECK_H
#define DIVISI_TESTS_FAULT_RANK_CHECK_H

#include <stdio.h>
#include <unistd.h>

static int rank, size;

#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "rank %d: line %d: %s\n", rank, __LINE__, #condition); \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

#endif
