/* 31 ranks exchange and verify by MPI, while the last one scribbles over all of its windows: until a file `enough` lies
 * in the working folder.
 *
 * The hostile rank finds its window as libdivisi does, and writes into every part of it that it may write: rings of
 * both directions to everyone, its counts, what it says that it waits for. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "shm/abi/node_page.h"
#include "tests/fault/rank_check.h"

enum { LONGEST = 40000 };

static uint32_t mixed(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static int is_enough(void) {
    return access("enough", F_OK) == 0;
}

/* Mostly where it hurts: the head of a ring and its first slots. */
static void scribble(void) {
    unsigned char* const window = (unsigned char*)getauxval(AT_DIVISI);
    const struct divisi_node_page* const page = (const struct divisi_node_page*)(void*)window;
    const struct divisi_peer* const peers = (const struct divisi_peer*)(void*)(window + page->peers_offset);
    const uint64_t begin = page->traffic_offset;
    for (uint32_t i = 1; i % 65536 != 0 || !is_enough(); ++i) {
        const uint32_t dice = mixed(i);
        const struct divisi_peer* const peer = &peers[mixed(dice + 1) % (uint32_t)size];
        uint64_t at = begin + mixed(dice) % (page->window_bytes - begin);
        if (dice % 4 != 0 && peer->ring_bytes != 0)
            at = (dice % 2 == 0 ? peer->out_offset : peer->in_offset) + mixed(dice + 2) % 800u;
        if (dice % 64 == 0) at = page->wait_offset + mixed(dice + 3) % sizeof(struct divisi_wait);
        uint32_t* const word = (uint32_t*)(void*)(window + at / sizeof *word * sizeof *word);
        __atomic_store_n(word, dice % 3 == 0 ? mixed(dice + 4) : mixed(dice + 4) % 4, __ATOMIC_RELAXED);
    }
}

static void fill(unsigned char* bytes, int length, uint32_t seed) {
    for (int i = 0; i < length; ++i) bytes[i] = (unsigned char)mixed(seed + (uint32_t)i);
}

static int is_filled(const unsigned char* bytes, int length, uint32_t seed) {
    for (int i = 0; i < length; ++i)
        if (bytes[i] != (unsigned char)mixed(seed + (uint32_t)i)) return 0;
    return 1;
}

/* With every other rank of `peace` in turn, in both directions at once; and all together. */
static int exchange(MPI_Comm peace) {
    static unsigned char out[LONGEST];
    static unsigned char in[LONGEST];
    const int peaceful = size - 1;
    int rounds = 0;
    for (int enough = 0; !enough; ++rounds) {
        for (int step = 1; step < peaceful; ++step) {
            const int to = (rank + step) % peaceful;
            const int from = (rank + peaceful - step) % peaceful;
            const uint32_t seed = (uint32_t)(rounds * 1000 + step);
            const int length = (int)(mixed(seed) % (step % 8 == 0 ? LONGEST : 200));
            MPI_Status status;
            int count = 0;
            fill(out, length, seed + (uint32_t)rank);
            CHECK(MPI_Sendrecv(out, length, MPI_BYTE, to, step, in, LONGEST, MPI_BYTE, from, step, peace, &status) ==
                  MPI_SUCCESS);
            MPI_Get_count(&status, MPI_BYTE, &count);
            CHECK(count == length && is_filled(in, length, seed + (uint32_t)from));
        }
        int sum = 0;
        CHECK(MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, peace) == MPI_SUCCESS);
        CHECK(sum == peaceful * (peaceful - 1) / 2);
        enough = is_enough();
        CHECK(MPI_Bcast(&enough, 1, MPI_INT, 0, peace) == MPI_SUCCESS);
    }
    return rounds;
}

int main(int argc, char** argv) {
    MPI_Comm peace;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    const int hostile = rank == size - 1;
    MPI_Comm_split(MPI_COMM_WORLD, hostile ? MPI_UNDEFINED : 0, rank, &peace);
    if (hostile) {
        scribble();
        _exit(0);
    }
    const int rounds = exchange(peace);
    if (rank == 0) printf("%d ranks verified %d rounds\n", size - 1, rounds);
    fflush(stdout);
    /* Not to be finished together with one that is at war. */
    _exit(0);
}
