// Time through the vDSO: the same as by system call, and the same on all CPUs.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static int64_t to_ns(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }

static int64_t fast(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    return to_ns(now);
}

static int64_t slow(clockid_t clock) {
    struct timespec now;
    CHECK(syscall(SYS_clock_gettime, clock, &now) == 0);
    return to_ns(now);
}

static void agreement(void) {
    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME};
    for (unsigned i = 0; i < sizeof clocks / sizeof clocks[0]; ++i) {
        for (int turn = 0; turn < 50; ++turn) {
            const int64_t before = fast(clocks[i]);
            const int64_t between = slow(clocks[i]);
            CHECK(before <= between && between <= fast(clocks[i]));
        }
    }
    CHECK(fast(CLOCK_MONOTONIC_COARSE) <= fast(CLOCK_MONOTONIC));
    CHECK(fast(CLOCK_REALTIME_COARSE) <= fast(CLOCK_REALTIME));
    struct timeval day;
    const int64_t before = fast(CLOCK_REALTIME) / 1000;
    CHECK(gettimeofday(&day, NULL) == 0);
    const int64_t micro = (int64_t)day.tv_sec * 1000000 + day.tv_usec;
    CHECK(before <= micro && micro <= fast(CLOCK_REALTIME) / 1000);
    time_t stored = 0;
    const time_t seconds = time(&stored);
    CHECK(seconds == stored && seconds + 1 >= day.tv_sec && seconds <= day.tv_sec + 60);
    struct timespec resolution;
    CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec == 1);
    CHECK(clock_getres(CLOCK_REALTIME_COARSE, &resolution) == 0 && resolution.tv_nsec >= 100000);
    CHECK(clock_getres(CLOCK_BOOTTIME, NULL) == 0);
    CHECK_ERRNO(clock_gettime(77, &resolution), EINVAL);
    CHECK_ERRNO(clock_getres(-77, &resolution), EINVAL);
}

static _Atomic int64_t latest;
static atomic_int back;

static void* watch(void* unused) {
    const int64_t end = fast(CLOCK_MONOTONIC) + 300000000;
    for (int64_t now = 0; now < end;) {
        int64_t seen = atomic_load(&latest);
        now = fast(CLOCK_MONOTONIC);
        if (now < seen) atomic_fetch_add(&back, 1);
        while (now > seen && !atomic_compare_exchange_weak(&latest, &seen, now)) continue;
    }
    return unused;
}

int main(void) {
    agreement();
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i) CHECK(pthread_create(&threads[i], NULL, watch, NULL) == 0);
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
    CHECK(back == 0);
    return check_end();
}
