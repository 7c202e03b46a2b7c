/* Pure compute, one thread: prints the time of its best pass in ns. What a node costs a program that asks it nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { kPasses = 7, kSteps = 20000000, kWords = 1 << 14 };

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static double floats[kWords];

static double pass(void) {
    uint64_t random = 88172645463325252U;
    double sum = 0;
    for (int step = 0; step < kSteps; ++step) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double* place = &floats[random % kWords];
        *place = *place * 0.5 + (double)(random & 0xff);
        sum += *place;
    }
    return sum;
}

int main(void) {
    uint64_t best = UINT64_MAX;
    double sum = 0;
    for (int i = 0; i < kPasses; ++i) {
        const uint64_t begin = now_ns();
        sum += pass();
        const uint64_t took = now_ns() - begin;
        if (took < best) best = took;
    }
    printf("{\"compute_ns\": %llu, \"check\": %.0f}\n", (unsigned long long)best, sum);
    return 0;
}
