/* What it costs to block and let the other rank run, where two ranks share a PU: ns a switch, as a JSON object. Every
 * message finds its receiver asleep, so one way of a ping-pong is one exit, one wake-up and one switch of threads. */
#include <divisi.h>
#include <stdio.h>

int main(void) {
    enum { kRuns = 5, kRounds = 300 };
    const int rank = divisi_rank();
    double best = 1e30;
    uint64_t word = 0;
    if (divisi_size() != 2) {
        fprintf(stderr, "switching: on two ranks\n");
        return 2;
    }
    for (int run = 0; run < kRuns; ++run) {
        const uint64_t begin = divisi_time_ns();
        for (int i = 0; i < kRounds; ++i) {
            if (rank == 0) divisi_send(1, 0, &word, sizeof word);
            if (divisi_recv(1 - rank, &word, sizeof word, NULL) != DIVISI_OK) return 1;
            if (rank == 1) divisi_send(0, 0, &word, sizeof word);
        }
        const double each = (double)(divisi_time_ns() - begin) / (2.0 * kRounds);
        if (each < best) best = each;
    }
    if (rank == 0) printf("{\"switch_ns\": %.1f}\n", best);
    return 0;
}
