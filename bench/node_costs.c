/* What a node's processor and memory cost: a null system call, a page's first touch, and two threads that wake each
   other. Runs natively or in nodes; rank 0 prints one JSON object.

   node_costs [SCALE]      SCALE divides the rounds */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kRuns = 5, kCalls = 10000, kPages = 4096, kWakes = 5000 };

static int scale = 1;

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double null_call(void) {
    const double begin = now_ns();
    for (int i = 0; i < kCalls / scale; ++i) (void)syscall(SYS_getppid);
    return (now_ns() - begin) / (kCalls / scale);
}

static double first_touch(void) {
    const size_t bytes = (size_t)kPages / (size_t)scale * 4096;
    volatile char* const area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) exit(1);
    madvise((void*)area, bytes, MADV_NOHUGEPAGE);
    const double begin = now_ns();
    for (size_t at = 0; at < bytes; at += 4096) area[at] = 1;
    const double each = (now_ns() - begin) / (double)(bytes / 4096);
    munmap((void*)area, bytes);
    return each;
}

static uint32_t turn;

static void wait_for(uint32_t wanted) {
    for (uint32_t seen = 0; (seen = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != wanted;)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}
static void give(uint32_t to) {
    __atomic_store_n(&turn, to, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void* other(void* unused) {
    for (int i = 0; i < kWakes / scale; ++i) {
        wait_for(1);
        give(0);
    }
    return unused;
}

/* From one thread to the other: a wake, a wait and what lies between. */
static double thread_switch(void) {
    pthread_t thread;
    turn = 0;
    if (pthread_create(&thread, NULL, other, NULL) != 0) exit(1);
    const double begin = now_ns();
    for (int i = 0; i < kWakes / scale; ++i) {
        give(1);
        wait_for(0);
    }
    pthread_join(thread, NULL);
    return (now_ns() - begin) / (2.0 * (kWakes / scale));
}

static double best_of(double (*measure)(void)) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        const double each = measure();
        if (each < best) best = each;
    }
    return best;
}

int main(int argc, char** argv) {
    if (argc > 1) scale = atoi(argv[1]);
    if (scale < 1 || scale > 100) return 2;
    const double call = best_of(null_call);
    const double touch = best_of(first_touch);
    printf("{\"null_call_ns\": %.0f, \"first_touch_ns\": %.0f, \"thread_switch_ns\": %.0f}\n", call, touch,
           best_of(thread_switch));
    return 0;
}
