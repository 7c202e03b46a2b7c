/* What the machine asks for a word that goes from one PU to another and is awaited there: ns one way, as a JSON object.
 * No message can be faster. A word goes forth in one cache line and back in another, between two threads of the host on
 * the first two PUs that this process may use. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { kRuns = 20, kRounds = 20000, kLine = 64 };

static _Alignas(kLine) _Atomic unsigned forth;
static _Alignas(kLine) _Atomic unsigned back;

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static int run_on(int which) {
    cpu_set_t allowed;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
    for (size_t pu = 0; pu < CPU_SETSIZE; ++pu) {
        if (!CPU_ISSET(pu, &allowed) || which-- != 0) continue;
        CPU_ZERO(&one);
        CPU_SET(pu, &one);
        return pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0;
    }
    return 0;
}

static void await(_Atomic unsigned* word, unsigned value) {
    while (atomic_load_explicit(word, memory_order_acquire) != value) continue;
}

static void* answer(void* on_its_pu) {
    *(int*)on_its_pu = run_on(1);
    for (unsigned i = 1; i <= kRuns * kRounds; ++i) {
        await(&forth, i);
        atomic_store_explicit(&back, i, memory_order_release);
    }
    return NULL;
}

int main(void) {
    pthread_t other;
    int placed = 0;
    double best = 1e18;
    unsigned sent = 0;
    /* The other thread first: it inherits what this one may use. */
    if (pthread_create(&other, NULL, answer, &placed) != 0) return 1;
    const int on_own = run_on(0);
    for (int run = 0; run < kRuns; ++run) {
        const double begin = now_ns();
        for (int i = 0; i < kRounds; ++i) {
            atomic_store_explicit(&forth, ++sent, memory_order_release);
            await(&back, sent);
        }
        const double each = (now_ns() - begin) / (2.0 * kRounds);
        if (each < best) best = each;
    }
    pthread_join(other, NULL);
    if (!on_own || !placed) {
        fprintf(stderr, "transfer: needs two PUs\n");
        return 1;
    }
    printf("{\"transfer_ns\": %.1f}\n", best);
    return 0;
}
