/* What it costs to block and let another rank run, where all ranks share a PU: ns a switch, as a JSON object. A token
 * goes round: every message finds its receiver asleep, so one step is one exit, one wake-up and one switch of threads.
 * With as many ranks as share a PU in earnest, a rank finds the caches as the others left them. */
#include <divisi.h>
#include <stdio.h>

int main(void) {
    enum { kRuns = 5, kSwitches = 4000 };
    const int rank = divisi_rank();
    const int size = divisi_size();
    const int next = (rank + 1) % size;
    const int previous = (rank + size - 1) % size;
    double best = 1e30;
    uint64_t word = 0;
    if (size < 2) {
        fprintf(stderr, "switching: on two ranks or more\n");
        return 2;
    }
    for (int run = 0; run < kRuns; ++run) {
        const uint64_t begin = divisi_time_ns();
        for (int i = 0; i < kSwitches / size; ++i) {
            if (rank == 0) divisi_send(next, 0, &word, sizeof word);
            if (divisi_recv(previous, &word, sizeof word, NULL) != DIVISI_OK) return 1;
            if (rank != 0) divisi_send(next, 0, &word, sizeof word);
        }
        const double each = (double)(divisi_time_ns() - begin) / (kSwitches / size * size);
        if (each < best) best = each;
    }
    if (rank == 0) printf("{\"switch_ns\": %.1f}\n", best);
    return 0;
}
