/* Messages out of the same buffers again and again, of all sizes that are worth lending, while what is in them and
 * where they are mapped changes: two ranks, each to the other. */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fault/rank_check.h"

enum { kBuffers = 3, kBytes = 3 << 19, kRounds = 300 };

static uint32_t dice = 1;

static uint32_t roll(void) {
    dice = dice * 1664525u + 1013904223u;
    return dice >> 8;
}

static uint64_t word_of(int i, int round, int from) {
    return (uint64_t)i * 0x9e3779b97f4a7c15u + (uint64_t)round * 1000003u + (uint64_t)from;
}

/* The map changes in one of the ways in which programs change it; the contents are lost, or kept. */
static void map_otherwise(unsigned char* buffer) {
    const int rights = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    switch (roll() % 4) {
        case 0:
            munmap(buffer, kBytes);
            CHECK(mmap(buffer, kBytes, rights, kind | MAP_FIXED, -1, 0) == buffer);
            break;
        case 1: CHECK(madvise(buffer + (1 << 19), 1 << 19, MADV_DONTNEED) == 0); break;
        case 2: {
            unsigned char* const elsewhere = mmap(NULL, kBytes, rights, kind, -1, 0);
            CHECK(mremap(buffer, kBytes, kBytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
            CHECK(mmap(buffer, kBytes, rights, kind | MAP_FIXED, -1, 0) == buffer);
            munmap(elsewhere, kBytes);
            break;
        }
        default: CHECK(mprotect(buffer, kBytes, PROT_READ) == 0 && mprotect(buffer, kBytes, rights) == 0); break;
    }
}

static void receive(void* to, int peer, int tag, MPI_Request* request) {
    MPI_Irecv(to, kBytes / (int)sizeof(uint64_t), MPI_UINT64_T, peer, tag, MPI_COMM_WORLD, request);
}

static void send(const void* from, int words, int peer, int tag, MPI_Request* request) {
    MPI_Isend(from, words, MPI_UINT64_T, peer, tag, MPI_COMM_WORLD, request);
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK(size == 2);
    const int peer = 1 - rank;
    unsigned char* out[kBuffers];
    uint64_t* in[kBuffers];
    for (int i = 0; i < kBuffers; ++i) {
        in[i] = malloc(kBytes);
        out[i] = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    for (int round = 0; round < kRounds; ++round) {
        int words[kBuffers];
        for (int i = 0; i < kBuffers; ++i) {
            /* The same for both ranks. */
            const uint32_t bytes = roll() % 2 == 0 ? roll() % kBytes : 65536 + roll() % 200000;
            words[i] = (int)(bytes / sizeof(uint64_t)) + 1;
            if (roll() % 60 == 0) map_otherwise(out[i]);
            uint64_t* const message = (uint64_t*)(void*)out[i];
            for (int w = 0; w < words[i]; ++w) message[w] = word_of(w, round + i, rank);
        }
        MPI_Request sends[kBuffers], receives[kBuffers];
        MPI_Status statuses[kBuffers];
        /* One has come while another is under way and a third is still to go. */
        receive(in[0], peer, 0, &receives[0]);
        send(out[0], words[0], peer, 0, &sends[0]);
        send(out[1], words[1], peer, 1, &sends[1]);
        MPI_Wait(&receives[0], &statuses[0]);
        send(out[2], words[2], peer, 2, &sends[2]);
        receive(in[1], peer, 1, &receives[1]);
        receive(in[2], peer, 2, &receives[2]);
        MPI_Waitall(kBuffers - 1, &receives[1], &statuses[1]);
        MPI_Waitall(kBuffers, sends, MPI_STATUSES_IGNORE);
        for (int i = 0; i < kBuffers; ++i) {
            int count = 0;
            MPI_Get_count(&statuses[i], MPI_UINT64_T, &count);
            CHECK(count == words[i]);
            for (int w = 0; w < words[i]; ++w) CHECK(in[i][w] == word_of(w, round + i, peer));
        }
    }
    MPI_Finalize();
    if (rank == 0) printf("verified\n");
    return 0;
}
