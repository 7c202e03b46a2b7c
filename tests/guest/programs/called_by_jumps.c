// System calls made by a jump, where the node page says that they can be (shm/abi/node_page.h); else by SYSCALL.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "guest/libdivisi/system.h"
#include "shm/abi/node_page.h"

uint64_t dvi_call_address;

static int tube[2];
static atomic_int alarms;

static long call(long number, const void* a, long b, const void* c) {
    return dvi_syscall(number, (long)(uintptr_t)a, b, (long)(uintptr_t)c, 0, 0);
}

static void on_alarm(int number) {
    (void)number;
    atomic_fetch_add(&alarms, 1);
    CHECK(call(SYS_write, (const void*)(uintptr_t)tube[1], (long)(uintptr_t) "x", (const void*)1) == 1);
}

static void on_tick(int number) {
    (void)number;
    atomic_fetch_add(&alarms, 1);
}

static void handle(void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
}

static void alarm_every(long first_us, long us) {
    const struct itimerval timer = {{0, us}, {0, first_us}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void results_are_the_kernels(void) {
    struct timespec now;
    CHECK(call(SYS_getpid, NULL, 0, NULL) == getpid());
    CHECK(call(SYS_clock_gettime, (const void*)CLOCK_MONOTONIC, (long)(uintptr_t)&now, NULL) == 0);
    CHECK(call(SYS_clock_gettime, (const void*)CLOCK_MONOTONIC, 8, NULL) == -EFAULT);
    CHECK(call(SYS_read, (const void*)-1, 0, NULL) == -EBADF);
    CHECK(call(9999, NULL, 0, NULL) == -ENOSYS);
    CHECK(call(SYS_futex, (const void*)8, DVI_FUTEX_WAIT, NULL) == -EFAULT);
}

static void signals_interrupt_and_restart(void) {
    const struct timespec second = {1, 0};
    char byte = 0;
    CHECK(pipe(tube) == 0);
    handle(on_alarm, 0);
    alarm_every(20000, 0);
    CHECK(call(SYS_nanosleep, &second, 0, NULL) == -EINTR && alarms == 1);
    CHECK(read(tube[0], &byte, 1) == 1);
    handle(on_alarm, SA_RESTART);
    alarm_every(20000, 0);
    CHECK(call(SYS_read, (const void*)(uintptr_t)tube[0], (long)(uintptr_t)&byte, (const void*)1) == 1 && alarms == 2);
}

// Whatever instruction a timer interrupts, registers and results are the call's.
static void timers_change_nothing(void) {
    uint32_t word = 0;
    uint64_t sum = 0;
    const int before = atomic_load(&alarms);
    handle(on_tick, SA_RESTART);
    alarm_every(500, 500);
    for (uint64_t i = 0; atomic_load(&alarms) < before + 100; ++i) {
        const long result = i % 64 == 0 ? call(SYS_getppid, NULL, 0, NULL) - getppid()
                                        : call(SYS_futex, &word, DVI_FUTEX_WAKE, (const void*)1);
        sum += (uint64_t)result + i % 2;
        if (sum != (i + 1) / 2) break;
    }
    alarm_every(0, 0);
    CHECK(atomic_load(&alarms) >= before + 100);
}

static void* wake_when_it_waits(void* word) {
    const struct timespec soon = {0, 20000000};
    nanosleep(&soon, NULL);
    atomic_store((_Atomic uint32_t*)word, 1);
    while (call(SYS_futex, word, DVI_FUTEX_WAKE, (const void*)1) == 0 && atomic_load((_Atomic uint32_t*)word) != 2)
        sched_yield();
    return NULL;
}

static void threads_wake_each_other(void) {
    static _Atomic uint32_t word;
    pthread_t thread;
    pthread_create(&thread, NULL, wake_when_it_waits, &word);
    while (atomic_load(&word) == 0) {
        const long result = call(SYS_futex, &word, DVI_FUTEX_WAIT, NULL);
        CHECK(result == 0 || result == -EAGAIN || result == -EINTR);
    }
    atomic_store(&word, 2);
    pthread_join(thread, NULL);
}

int main(void) {
    const struct divisi_node_page* const page = (const struct divisi_node_page*)getauxval(AT_DIVISI);
    if (page != NULL) dvi_call_address = page->call_address;
    results_are_the_kernels();
    signals_interrupt_and_restart();
    timers_change_nothing();
    threads_wake_each_other();
    return check_end();
}
