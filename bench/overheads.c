/* What a parallel program pays besides computing: OpenMP's constructs (after EPCC's method: the time of many of them,
 * less that of their bodies, which are next to nothing here), threads, wake-ups, first touches and system calls. Prints
 * ns of each and how many there were, as JSON.
 *
 *   overheads [NAME]     only this one; a name that none has: only what it takes to start and end
 * Source: J. M. Bull, "Measuring Synchronisation and Scheduling Overheads in OpenMP", EWOMP 1999.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kPasses = 5, kPage = 4096, kTouchBytes = 16 << 20 };

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static volatile int sink;

static void parallel(long count) {
    for (long i = 0; i < count; ++i) {
#pragma omp parallel
        sink = 1;
    }
}

static void barrier(long count) {
#pragma omp parallel
    for (long i = 0; i < count; ++i) {
#pragma omp barrier
    }
}

static void reduction(long count) {
    for (long i = 0; i < count; ++i) {
        int sum = 0;
#pragma omp parallel reduction(+ : sum)
        sum += 1;
        sink = sum;
    }
}

static void dynamic_for(long count) {
#pragma omp parallel for schedule(dynamic, 1)
    for (long i = 0; i < count; ++i) sink = 1;
}

static void null_call(long count) {
    for (long i = 0; i < count; ++i) syscall(SYS_getppid);
}

static void clock_call(long count) {
    for (long i = 0; i < count; ++i) sink = (int)now_ns();
}

static void first_touch(long pages) {
    const size_t bytes = (size_t)pages * kPage;
    char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    for (size_t at = 0; at < bytes; at += kPage) memory[at] = 1;
    munmap(memory, bytes);
}

static void map_and_unmap(long count) {
    for (long i = 0; i < count; ++i) {
        char* memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return;
        memory[0] = 1;
        munmap(memory, kPage);
    }
}

static void* nothing(void* argument) {
    return argument;
}

static void create_and_join(long count) {
    for (long i = 0; i < count; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0) return;
        pthread_join(thread, NULL);
    }
}

/* Two threads on two CPUs that wake each other in turn, and sleep at once. */
static _Atomic uint32_t turn;

static void pin(size_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void rally(uint32_t mine, long count) {
    for (long i = 0; i < count; ++i) {
        while (atomic_load(&turn) != mine) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - mine, NULL, NULL, 0);
        atomic_store(&turn, 1 - mine);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void* second_player(void* argument) {
    pin(1);
    rally(1, *(long*)argument);
    return NULL;
}

static void futex_wake(long count) {
    cpu_set_t before;
    long each = count / 2;
    pthread_t thread;
    sched_getaffinity(0, sizeof before, &before);
    if (pthread_create(&thread, NULL, second_player, &each) != 0) return;
    pin(0);
    rally(0, each);
    pthread_join(thread, NULL);
    sched_setaffinity(0, sizeof before, &before);
}

int main(int argc, char** argv) {
    static const struct {
        const char* name;
        void (*run)(long);
        long count;
    } costs[] = {{"null system call", null_call, 1000},
                 {"clock_gettime", clock_call, 20000},
                 {"first touch of a page", first_touch, kTouchBytes / kPage},
                 {"mmap, touch, munmap", map_and_unmap, 300},
                 {"thread create + join", create_and_join, 100},
                 {"futex wake across CPUs", futex_wake, 500},
                 {"omp parallel", parallel, 500},
                 {"omp barrier", barrier, 1000},
                 {"omp reduction", reduction, 500},
                 {"omp for dynamic, an iteration", dynamic_for, 20000}};
    const char* separator = "{";
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; ++i) {
        if (argc > 1 && strcmp(argv[1], costs[i].name) != 0) continue;
        uint64_t best = UINT64_MAX;
        for (int pass = 0; pass < kPasses; ++pass) {
            const uint64_t begin = now_ns();
            costs[i].run(costs[i].count);
            const uint64_t took = now_ns() - begin;
            if (took < best) best = took;
        }
        printf("%s\"%s\": {\"ns\": %.1f, \"count\": %ld}", separator, costs[i].name,
               (double)best / (double)costs[i].count, costs[i].count * kPasses);
        separator = ", ";
    }
    puts(*separator == '{' ? "{}" : "}");
    return 0;
}
