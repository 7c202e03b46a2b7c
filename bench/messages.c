/* What messages cost: latency, bandwidth, rate, barrier. Runs natively or in nodes; prints one JSON object.
 *
 * Ranks 0 and the last one measure pairs; all measure the barrier. Each figure is the best of several runs: whatever
 * else the machine does only ever adds. */
#include <divisi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kRuns = 7, kAckTag = 9 };

static char* buffer;

static void check(int result) {
    if (result >= 0) return;
    fprintf(stderr, "messages: %s\n", divisi_error());
    exit(1);
}

static void swing(int peer, size_t size, int rounds, int first) {
    for (int i = 0; i < rounds; ++i) {
        if (first) check(divisi_send(peer, 1, buffer, size));
        check(divisi_recv(peer, buffer, size, NULL));
        if (!first) check(divisi_send(peer, 1, buffer, size));
    }
}

/* One way, in ns. */
static double latency(int peer, size_t size, int rounds, int first) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        swing(peer, size, rounds / 10 + 1, first);
        const uint64_t begin = divisi_time_ns();
        swing(peer, size, rounds, first);
        const double each = (double)(divisi_time_ns() - begin) / (2.0 * rounds);
        if (each < best) best = each;
    }
    return best;
}

static void stream(int peer, size_t size, int count, int first) {
    for (int i = 0; i < count; ++i) {
        if (first)
            check(divisi_send(peer, 2, buffer, size));
        else
            check(divisi_recv(peer, buffer, size, NULL));
    }
    if (first)
        check(divisi_recv(peer, buffer, 8, NULL));
    else
        check(divisi_send(peer, kAckTag, buffer, 8));
}

/* ns a message of a stream. */
static double streaming(int peer, size_t size, int count, int first) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        stream(peer, size, count / 10 + 1, first);
        const uint64_t begin = divisi_time_ns();
        stream(peer, size, count, first);
        const double each = (double)(divisi_time_ns() - begin) / count;
        if (each < best) best = each;
    }
    return best;
}

static double barriers(int count) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        check(divisi_barrier());
        const uint64_t begin = divisi_time_ns();
        for (int i = 0; i < count; ++i) check(divisi_barrier());
        const double each = (double)(divisi_time_ns() - begin) / count;
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
    const int scale = argc > 1 ? atoi(argv[1]) : 1; /* divides the rounds */
    const int rank = divisi_rank();
    const int last = divisi_size() - 1;
    if (scale < 1 || last < 1) {
        fprintf(stderr, "usage: messages [SCALE], on two ranks or more\n");
        return 2;
    }
    buffer = malloc(4194304);
    if (buffer == NULL) return 1;
    memset(buffer, 1, 4194304);
    if (rank == 0)
        printf("{\"ranks\": %d, \"mode\": \"%s\", \"backend\": \"%s\", ", last + 1, divisi_mode_name(),
               divisi_backend_name());
    if (rank == 0) measure_pair(last, scale, 1);
    if (rank == last) measure_pair(0, scale, 0);
    const double barrier = barriers(2000 / scale + 1);
    if (rank == 0) printf("\"barrier_ns\": %.0f}\n", barrier);
    return 0;
}
