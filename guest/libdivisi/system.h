/* The few system calls libdivisi makes, directly: no errno, and the same under glibc and musl.
 *
 * Results are the kernel's: negative errno values for errors. */
#ifndef DIVISI_GUEST_SYSTEM_H
#define DIVISI_GUEST_SYSTEM_H

#include <stdint.h>

#define DVI_SYS_NANOSLEEP 35
#define DVI_SYS_GETPID 39
#define DVI_SYS_GETPPID 110
#define DVI_SYS_PRCTL 157
#define DVI_SYS_FUTEX 202
#define DVI_SYS_PROCESS_VM_READV 310
#define DVI_SYS_PROCESS_VM_WRITEV 311
#define DVI_SYS_CLOCK_MONOTONIC 1
#define DVI_SYS_FUTEX_WAITV 449
#define DVI_FUTEX_WAIT 0
#define DVI_FUTEX_WAKE 1
#define DVI_FUTEX_32 2u
#define DVI_FUTEX_WAITV_MAX 128u
#define DVI_ENOSYS 38
#define DVI_PR_SET_PTRACER 0x59616d61

/* Source: futex(2), <linux/futex.h>. */
struct dvi_futex_waitv {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

struct dvi_timespec {
    int64_t seconds;
    int64_t nanoseconds;
};

/* Where the host of a node carries out SYSCALL at the price of an exit of its own, calls are made by a jump to where
 * SYSCALL would lead (divisi_node_page.call_address; 0: by SYSCALL). Set before the program's constructors. */
extern uint64_t dvi_call_address;

static inline long dvi_syscall6(long number, long a, long b, long c, long d, long e, long f) {
    const uint64_t address = dvi_call_address;
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    if (address == 0u)
        __asm__ __volatile__("syscall"
                             : "=a"(result)
                             : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                             : "rcx", "r11", "memory");
    else
        /* SYSCALL would leave the flags in R11 and where to go on in RCX. The one that stands there, and that nothing
         * leads to, is where the VMM goes back to when a call is to be made again. */
        __asm__ __volatile__(
            "leaq 1f(%%rip), %%rcx\n\t"
            "movl $0x202, %%r11d\n\t"
            "jmp *%[address]\n\t"
            "syscall\n"
            "1:"
            : "=a"(result)
            : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9), [address] "r"(address)
            : "rcx", "r11", "memory", "cc");
    return result;
}

static inline long dvi_syscall(long number, long a, long b, long c, long d, long e) {
    return dvi_syscall6(number, a, b, c, d, e, 0);
}

#endif
