/* How long does a message take between two ranks?   pingpong [BYTES [ROUNDS]] */
#include <divisi.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int result) {
    if (result == DIVISI_OK) return;
    fprintf(stderr, "pingpong: %s\n", divisi_error());
    exit(1);
}

int main(int argc, char** argv) {
    const size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 8;
    const int rounds = argc > 2 ? atoi(argv[2]) : 10000;
    const int rank = divisi_rank();
    char* const ball = calloc(bytes + 1, 1);
    if (ball == NULL || rounds < 1 || divisi_size() < 2) {
        fprintf(stderr, "pingpong [BYTES [ROUNDS]]: needs two ranks\n");
        return 2;
    }
    if (rank > 1) return 0;

    double best = 1e30;
    for (int run = 0; run < 5; ++run) {
        const double begin = divisi_time();
        for (int i = 0; i < rounds; ++i) {
            if (rank == 0) check(divisi_send(1, 0, ball, bytes));
            check(divisi_recv(1 - rank, ball, bytes, NULL));
            if (rank == 1) check(divisi_send(0, 0, ball, bytes));
        }
        const double one_way = (divisi_time() - begin) / rounds / 2;
        if (one_way < best) best = one_way;
    }
    if (rank == 0) printf("%zu bytes: %.0f ns one way, %.2f GB/s\n", bytes, best * 1e9, (double)bytes / best * 1e-9);
    return 0;
}
