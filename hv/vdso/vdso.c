/* The code of the nodes' vDSO: what a C library finds through AT_SYSINFO_EHDR and calls instead of the kernel.

   It runs in the node, in the program's own thread, on its stack; it is position-independent, has no data of its own,
   and reads the clock page that lies right before it (clock_page.h). What it cannot answer, it asks by a system call.

   Source: vdso(7); the kernel's Documentation/ABI/stable/vdso. */
#include <linux/time.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "clock_page.h"

extern const struct divisi_clock_page divisi_clock __attribute__((visibility("hidden")));

static const uint64_t kSecond = 1000000000;

static long ask(long number, long first, long second) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
    return result;
}

static uint64_t read_clock(int clock) {
    switch (clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE: return divisi_clock_read(&divisi_clock, DIVISI_CLOCK_MONOTONIC, DIVISI_CLOCK_REAL);
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_COARSE:
            return divisi_clock_read(&divisi_clock, DIVISI_CLOCK_MONOTONIC, DIVISI_CLOCK_PLAIN);
        case CLOCK_MONOTONIC_RAW: return divisi_clock_read(&divisi_clock, DIVISI_CLOCK_RAW, DIVISI_CLOCK_PLAIN);
        case CLOCK_BOOTTIME: return divisi_clock_read(&divisi_clock, DIVISI_CLOCK_MONOTONIC, DIVISI_CLOCK_BOOT);
        default: return 0;
    }
}

int __vdso_clock_gettime(int clock, struct timespec* to) {
    const uint64_t now = read_clock(clock);
    if (now == 0) return (int)ask(SYS_clock_gettime, clock, (long)to);
    to->tv_sec = (long)(now / kSecond);
    to->tv_nsec = (long)(now % kSecond);
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec* to) {
    long resolution = 1;
    switch (clock) {
        case CLOCK_REALTIME_COARSE:
        case CLOCK_MONOTONIC_COARSE: resolution = (long)divisi_clock.coarse_ns; break;
        case CLOCK_REALTIME:
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_RAW:
        case CLOCK_BOOTTIME: break;
        default: return (int)ask(SYS_clock_getres, clock, (long)to);
    }
    if (to == NULL) return 0;
    to->tv_sec = 0;
    to->tv_nsec = resolution;
    return 0;
}

int __vdso_gettimeofday(struct timeval* to, void* zone) {
    const uint64_t now = zone == NULL ? read_clock(CLOCK_REALTIME) : 0;
    if (now == 0) return (int)ask(SYS_gettimeofday, (long)to, (long)zone);
    if (to == NULL) return 0;
    to->tv_sec = (long)(now / kSecond);
    to->tv_usec = (long)(now % kSecond / 1000);
    return 0;
}

long __vdso_time(long* to) {
    const uint64_t now = read_clock(CLOCK_REALTIME);
    if (now == 0) return ask(SYS_time, (long)to, 0);
    if (to != NULL) *to = (long)(now / kSecond);
    return (long)(now / kSecond);
}

/* A thread may be on another node before it looks at the answer, but the answer was right: which node it is on, only
   the VMM knows. */
long __vdso_getcpu(unsigned* cpu, unsigned* node, void* unused) {
    (void)unused;
    return ask(SYS_getcpu, (long)cpu, (long)node);
}

/* The names without the prefix are the kernel's too. */
int clock_gettime(int clock, struct timespec* to) __attribute__((weak, alias("__vdso_clock_gettime")));
int clock_getres(int clock, struct timespec* to) __attribute__((weak, alias("__vdso_clock_getres")));
int gettimeofday(struct timeval* to, void* zone) __attribute__((weak, alias("__vdso_gettimeofday")));
long time(long* to) __attribute__((weak, alias("__vdso_time")));
long getcpu(unsigned* cpu, unsigned* node, void* unused) __attribute__((weak, alias("__vdso_getcpu")));
