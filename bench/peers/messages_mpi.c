/* The pattern of ../messages.c in MPI: the same sizes, rounds, runs and JSON, so that the ratios are fair. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kRuns = 7, kAckTag = 9 };

static char* buffer;

static void send(int peer, int tag, size_t size) {
    MPI_Send(buffer, (int)size, MPI_BYTE, peer, tag, MPI_COMM_WORLD);
}

static void receive(int peer, size_t size) {
    MPI_Recv(buffer, (int)size, MPI_BYTE, peer, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void swing(int peer, size_t size, int rounds, int first) {
    for (int i = 0; i < rounds; ++i) {
        if (first) send(peer, 1, size);
        receive(peer, size);
        if (!first) send(peer, 1, size);
    }
}

/* One way, in ns. */
static double latency(int peer, size_t size, int rounds, int first) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        swing(peer, size, rounds / 10 + 1, first);
        const double begin = MPI_Wtime();
        swing(peer, size, rounds, first);
        const double each = (MPI_Wtime() - begin) * 1e9 / (2.0 * rounds);
        if (each < best) best = each;
    }
    return best;
}

static void stream(int peer, size_t size, int count, int first) {
    for (int i = 0; i < count; ++i) {
        if (first)
            send(peer, 2, size);
        else
            receive(peer, size);
    }
    if (first)
        receive(peer, 8);
    else
        send(peer, kAckTag, 8);
}

/* ns a message of a stream. */
static double streaming(int peer, size_t size, int count, int first) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        stream(peer, size, count / 10 + 1, first);
        const double begin = MPI_Wtime();
        stream(peer, size, count, first);
        const double each = (MPI_Wtime() - begin) * 1e9 / count;
        if (each < best) best = each;
    }
    return best;
}

static double barriers(int count) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        MPI_Barrier(MPI_COMM_WORLD);
        const double begin = MPI_Wtime();
        for (int i = 0; i < count; ++i) MPI_Barrier(MPI_COMM_WORLD);
        const double each = (MPI_Wtime() - begin) * 1e9 / count;
        if (each < best) best = each;
    }
    return best;
}

static void measure_pair(int peer, int scale, int first) {
    static const size_t sizes[] = {8, 48, 64, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
    const int report = first;
    if (report) printf("\"latency_ns\": {");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        const int rounds = (int)(sizes[i] <= 64 ? 20000 : 40000000 / (sizes[i] + 4000)) / scale + 2;
        const double ns = latency(peer, sizes[i], rounds, first);
        if (report) printf("%s\"%zu\": %.1f", i == 0 ? "" : ", ", sizes[i], ns);
    }
    if (report) printf("}, \"bandwidth_gb_s\": {");
    for (size_t i = 3; i < sizeof sizes / sizeof *sizes; ++i) {
        const int count = (int)(80000000 / (sizes[i] + 4000)) / scale + 2;
        const double ns = streaming(peer, sizes[i], count, first);
        if (report) printf("%s\"%zu\": %.2f", i == 3 ? "" : ", ", sizes[i], (double)sizes[i] / ns);
    }
    const double rate = streaming(peer, 8, 200000 / scale, first);
    if (report) printf("}, \"rate_per_s\": %.0f, ", 1e9 / rate);
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    const int scale = argc > 1 ? atoi(argv[1]) : 1; /* divides the rounds */
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    buffer = malloc(4194304);
    if (scale < 1 || size < 2 || buffer == NULL) {
        fprintf(stderr, "usage: messages [SCALE], on two ranks or more\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
        return 2;
    }
    memset(buffer, 1, 4194304);
    if (rank == 0) printf("{\"ranks\": %d, \"mode\": \"message-passing\", \"backend\": \"%s\", ", size, DIVISI_PEER);
    if (rank == 0) measure_pair(size - 1, scale, 1);
    if (rank == size - 1) measure_pair(0, scale, 0);
    const double barrier = barriers(2000 / scale + 1);
    if (rank == 0) printf("\"barrier_ns\": %.0f}\n", barrier);
    MPI_Finalize();
    return 0;
}
