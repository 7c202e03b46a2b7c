/* A token goes round all ranks; each adds its number.   ring [ROUNDS]
 *
 * Needs links between neighbours only: works on a full interconnect and on a ring. */
#include <divisi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int result) {
    if (result == DIVISI_OK) return;
    fprintf(stderr, "ring: %s\n", divisi_error());
    exit(1);
}

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 3;
    const int rank = divisi_rank();
    const int size = divisi_size();
    const int next = (rank + 1) % size;
    const int before = (rank + size - 1) % size;
    uint64_t token = 0;

    for (int round = 0; round < rounds && size > 1; ++round) {
        if (rank == 0) check(divisi_send(next, (uint64_t)round, &token, sizeof token));
        check(divisi_recv(before, &token, sizeof token, NULL));
        token += (uint64_t)rank;
        if (rank != 0) check(divisi_send(next, (uint64_t)round, &token, sizeof token));
    }
    if (rank == 0) {
        const uint64_t expected = (uint64_t)rounds * (uint64_t)size * (uint64_t)(size - 1) / 2;
        printf("%d times round %d ranks: %llu, expected %llu\n", rounds, size, (unsigned long long)token,
               (unsigned long long)expected);
        return token == expected ? 0 : 1;
    }
    return 0;
}
