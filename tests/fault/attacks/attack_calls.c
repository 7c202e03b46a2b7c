/* System calls by every number and every way into the kernel. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "attack.h"

enum { kLastNumber = 600, kX32 = 0x40000000, kBytes = 1 << 16 };

/* Page-crossing, and 8 past a large power of two: no length, flag or descriptor that means something. */
static struct {
    _Alignas(4096) char before[8];
    char bytes[kBytes];
} area;

/* Those that end or block the program by right. */
static int skipped(long number, long argument) {
    switch (number) {
        case SYS_exit:
        case SYS_exit_group:
        case SYS_pause:
        case SYS_rt_sigsuspend:
        case SYS_rt_sigreturn:
        case SYS_setitimer: return 1;
        case SYS_select:
        case SYS_pselect6:
        case SYS_ppoll: return argument == 0;
        case SYS_clone: return argument != 0 && argument != -1;
        default: return 0;
    }
}

static int all_numbers(char** arguments) {
    const long offset = number_of(arguments, 0, 0);
    const long values[] = {0, -1, INT64_MIN, (long)area.bytes, (long)all_numbers};
    for (long number = 0; number <= kLastNumber; ++number)
        for (unsigned i = 0; i < sizeof values / sizeof *values; ++i) {
            const long v = values[i];
            if (offset == 0 && skipped(number, v)) continue;
            memset(area.bytes, 0, sizeof area.bytes);
            const long result = raw_call(offset + number, v, v, v, v, v, v);
            if (offset != 0 && result != -38) {
                printf("number %#lx gave %ld\n", offset + number, result);
                return broken("a call by a number that no kernel has");
            }
        }
    return 0;
}

static int strange_numbers(char** arguments) {
    (void)arguments;
    static const long numbers[] = {-1,         -2,         0x7fffffff, 0x80000000, 0xffffffff,    INT64_MIN, INT64_MAX,
                                   0x00444956, 0x40000000, 1000000,    335,        336,           337,       512,
                                   547,        0xdeadbeef, 1L << 32,   1L << 62,   (1L << 32) | 1};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; ++i) (void)raw_call(numbers[i], -1, -1, -1, -1, -1, -1);
    return 0;
}

static void interrupt_80(void* number) {
    long result = *(long*)number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(1L), "c"(0L), "d"(0L) : "memory");
}

static int old_gate(char** arguments) {
    (void)arguments;
    for (long number = 0; number <= kLastNumber; ++number)
        if (attempt(interrupt_80, &number) == 0) return broken("int 0x80 did something");
    return 0;
}

static void enter_by_sysenter(void* number) {
    __asm__ volatile("sysenter" : : "a"(*(long*)number), "b"(0L), "c"(0L), "d"(0L) : "memory");
}

static int sysenter(char** arguments) {
    for (long number = 0; number < 8; ++number) (void)attempt(enter_by_sysenter, &number);
    (void)arguments;
    return 0;
}

static void call_there(void* address) {
    long result = 0;
    __asm__ volatile("call *%[there]"
                     : "+a"(result)
                     : [there] "r"(*(long*)address), "D"(0L), "S"(0L), "d"(0L)
                     : "rcx", "r8", "r9", "r10", "r11", "memory");
}

static int vsyscall(char** arguments) {
    (void)arguments;
    for (long offset = 0; offset < 4096; offset += offset % 0x400 == 0 ? 3 : 0x3fd) {
        long address = (long)0xffffffffff600000 + offset;
        (void)attempt(call_there, &address);
    }
    return 0;
}

const struct attack kCallAttacks[] = {{"numbers", all_numbers}, {"strange-numbers", strange_numbers},
                                      {"int80", old_gate},      {"sysenter", sysenter},
                                      {"vsyscall", vsyscall},   {NULL, NULL}};
