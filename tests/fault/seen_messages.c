/* Messages out of the same buffers again and again, of all sizes that are worth lending, while what is in them and
 * where they are mapped changes: two ranks, each to the other. */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fault/rank_check.h"

enum { kBuffers = 2, kBytes = 2 << 20, kRounds = 600 };

static uint32_t dice = 1;

static uint32_t roll(void) {
    dice = dice * 1664525u + 1013904223u;
    return dice >> 8;
}

static uint64_t word_of(int i, int round, int from) {
    return (uint64_t)i * 0x9e3779b97f4a7c15u + (uint64_t)round * 1000003u + (uint64_t)from;
}

/* The map changes in one of the ways in which programs change it; the contents are lost, or kept. */
static void map_otherwise(unsigned char** buffer) {
    const int rights = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    switch (roll() % 4) {
        case 0:
            munmap(*buffer, kBytes);
            CHECK(mmap(*buffer, kBytes, rights, kind | MAP_FIXED, -1, 0) == *buffer);
            break;
        case 1: CHECK(madvise(*buffer + (1 << 20), 1 << 20, MADV_DONTNEED) == 0); break;
        case 2: {
            unsigned char* const elsewhere = mmap(NULL, kBytes, rights, kind, -1, 0);
            CHECK(mremap(*buffer, kBytes, kBytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
            CHECK(mmap(*buffer, kBytes, rights, kind | MAP_FIXED, -1, 0) == *buffer);
            munmap(elsewhere, kBytes);
            break;
        }
        default: CHECK(mprotect(*buffer, kBytes, PROT_READ) == 0 && mprotect(*buffer, kBytes, rights) == 0); break;
    }
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK(size == 2);
    const int peer = 1 - rank;
    unsigned char* out[kBuffers];
    uint64_t* const in = malloc(kBytes);
    for (int i = 0; i < kBuffers; ++i)
        out[i] = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < kRounds; ++round) {
        /* The same for both. */
        const int buffer = (int)(roll() % kBuffers);
        const int words = (int)((roll() % 8 == 0 ? roll() % kBytes : 65536 + roll() % 200000) / sizeof(uint64_t)) + 1;
        const int maps = roll() % 29 == 0;
        if (maps) map_otherwise(&out[buffer]);
        uint64_t* const message = (uint64_t*)(void*)out[buffer];
        for (int i = 0; i < words; ++i) message[i] = word_of(i, round, rank);
        MPI_Request requests[2];
        MPI_Irecv(in, kBytes / sizeof(uint64_t), MPI_UINT64_T, peer, 0, MPI_COMM_WORLD, &requests[0]);
        MPI_Isend(message, words, MPI_UINT64_T, peer, 0, MPI_COMM_WORLD, &requests[1]);
        MPI_Status statuses[2];
        MPI_Waitall(2, requests, statuses);
        int count = 0;
        MPI_Get_count(&statuses[0], MPI_UINT64_T, &count);
        CHECK(count == words);
        for (int i = 0; i < words; ++i) CHECK(in[i] == word_of(i, round, peer));
    }
    MPI_Finalize();
    if (rank == 0) printf("verified\n");
    return 0;
}
