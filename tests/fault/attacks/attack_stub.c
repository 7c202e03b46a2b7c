/* Attacks on what the direct backend puts beside a program: the stub's code, control pages and signal frames. Where
   there is no stub (on KVM), the same accesses are plain faults. */
#define _GNU_SOURCE
#include <divisi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include "attack.h"
#include "hv/direct/stub_abi.h"

enum { kCodeBytes = 0x1000, kMagicAt = 464, kSealCall = 462 };

static char* const code = (char*)DIVISI_STUB_BASE;
static char* const frames = (char*)DIVISI_STUB_FRAMES_BASE;

static void read_it(void* address) {
    (void)*(volatile char*)address;
}
static void write_it(void* address) {
    *(volatile char*)address = 0x55;
}

static int there_is_a_stub(void) {
    return attempt(read_it, code) == 0;
}

/* The stub's pages: neither code nor control pages can be written, and no call changes any of them. */
static int pages(char** arguments) {
    (void)arguments;
    char* const control = (char*)DIVISI_STUB_CONTROL_BASE;
    if (attempt(write_it, code) == 0) return broken("the stub's code can be written");
    for (long task = 0; task < DIVISI_STUB_TASKS; task += 31)
        if (attempt(write_it, control + task * DIVISI_CONTROL_BYTES) == 0)
            return broken("a control page can be written");
    for (uintptr_t at = DIVISI_STUB_BASE - 0x10000; at < DIVISI_STUB_END + 0x10000; at += 0x10000) {
        void* const address = (void*)at;
        if (mprotect(address, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) return broken("mprotect");
        if (mremap(address, 0x1000, 0x2000, MREMAP_MAYMOVE) != MAP_FAILED) return broken("mremap");
        if (mmap(address, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
            return broken("mmap over the stub");
        (void)munmap(address, 0x10000);
        (void)madvise(address, 0x10000, MADV_DONTNEED);
        (void)raw_call(kSealCall, (long)address, 0x10000, 0, 0, 0, 0);
    }
    (void)munmap(code, (size_t)(DIVISI_STUB_END - DIVISI_STUB_BASE));
    return getpid() > 0 ? 0 : broken("no more calls");
}

/* Jumps to a byte of the stub's code with registers that point to what it might use. */
static int jump(char** arguments) {
    const long offset = number_of(arguments, 0, 0) + divisi_rank();
    const long variant = number_of(arguments, 1, 0);
    if (!there_is_a_stub()) return 0;
    end_after(200);
    static char area[65536];
    memset(area, variant == 2 ? 0x41 : 0, sizeof area);
    const uintptr_t mine = (uintptr_t)area + 32768;
    const uintptr_t values[] = {mine, DIVISI_STUB_FRAMES_BASE + DIVISI_FRAMES_BYTES + 0x2000, mine,
                                DIVISI_STUB_CONTROL_BASE, ~(uintptr_t)0};
    const uintptr_t value = values[variant];
    const uintptr_t stack = variant == 1 ? DIVISI_STUB_FRAMES_BASE + 2 * DIVISI_FRAMES_BYTES - 0x1000 : mine;
    static const uint32_t numbers[] = {SYS_rt_sigreturn, SYS_exit, SYS_sendmsg, SYS_mmap, DIVISI_STUB_NOTIFY};
    __asm__ volatile(
        "mov %[stack], %%rsp\n\tpush %[target]\n\t"
        "mov %[value], %%rbx\n\tmov %%rbx, %%rcx\n\tmov %%rbx, %%rdx\n\tmov %%rbx, %%rsi\n\tmov %%rbx, %%rdi\n\t"
        "mov %%rbx, %%rbp\n\tmov %%rbx, %%r8\n\tmov %%rbx, %%r9\n\tmov %%rbx, %%r10\n\tmov %%rbx, %%r11\n\t"
        "mov %%rbx, %%r12\n\tmov %%rbx, %%r13\n\tmov %%rbx, %%r14\n\tmov %%rbx, %%r15\n\tret"
        :
        : [stack] "r"(stack), [target] "r"(code + offset), [value] "r"(value), "a"(numbers[variant])
        : "memory");
    return 0;
}

static void scribble(unsigned char pattern, unsigned seed) {
    for (size_t i = 0; i < 16 * DIVISI_FRAMES_BYTES; i += 8) {
        seed = seed * 1664525u + 1013904223u;
        const uint64_t value = pattern == 1 ? ((uint64_t)seed << 32 | seed) : 0x0101010101010101u * pattern;
        *(volatile uint64_t*)(frames + i) = value;
    }
}

static volatile int* volatile nowhere;

static void fault(void* unused) {
    (void)unused;
    *nowhere = 0;
}

/* Overwrites its own frames, and those of all others, between its stops. */
static int frames_between(char** arguments) {
    const unsigned char pattern = (unsigned char)number_of(arguments, 0, 0);
    if (attempt(write_it, frames) != 0) return 0;
    for (unsigned round = 0; round < 50; ++round) {
        scribble(pattern, round);
        (void)getppid();
        (void)raw_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        (void)raw_call(SYS_rt_sigsuspend, 0, 0, 0, 0, 0, 0);
        if (attempt(fault, NULL) != SIGSEGV) return broken("a null pointer could be written");
    }
    return 0;
}

static volatile int stop;

static void* scribbler(void* pattern) {
    for (unsigned seed = 0; !stop; ++seed) scribble((unsigned char)(uintptr_t)pattern, seed);
    return NULL;
}

/* Overwrites the frames of a thread on another node of the same program, while that is in them. */
static int frames_of_others(char** arguments) {
    if (attempt(write_it, frames) != 0) return 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, scribbler, (void*)(uintptr_t)number_of(arguments, 0, 0)) != 0) return 0;
    for (unsigned round = 0; round < 3000; ++round) {
        (void)getppid();
        (void)attempt(fault, NULL);
    }
    stop = 1;
    pthread_join(thread, NULL);
    return 0;
}

static const uint64_t kSecret = 0x5ec4e75ec4e75ec4;

/* Stops with a secret in all registers, leaves it in pages that no task has, and ends. */
static int leave_a_secret(char** arguments) {
    (void)arguments;
    if (attempt(write_it, frames) != 0) return 0;
    for (long slot = 16; slot < DIVISI_STUB_TASKS; slot += 77)
        *(volatile uint64_t*)(frames + slot * DIVISI_FRAMES_BYTES + 4096) = kSecret;
    __asm__ volatile(
        "mov %0, %%rbx\n\tmovq %%rbx, %%xmm0\n\tpunpcklqdq %%xmm0, %%xmm0\n\t"
        "mov %%rbx, %%rbp\n\tmov %%rbx, %%r12\n\tmov %%rbx, %%r13\n\tmov %%rbx, %%r14\n\tmov %%rbx, %%r15\n\t"
        "movdqa %%xmm0, %%xmm1\n\tmovdqa %%xmm0, %%xmm7\n\tmovdqa %%xmm0, %%xmm15\n\t"
        "mov %[umask], %%eax\n\txor %%edi, %%edi\n\tsyscall\n\t"
        "mov %[end], %%eax\n\txor %%edi, %%edi\n\tsyscall"
        :
        : "r"(kSecret), [umask] "i"(SYS_umask), [end] "i"(SYS_exit_group)
        : "memory");
    return 0;
}

static int find_a_secret(char** arguments) {
    (void)arguments;
    if (attempt(read_it, frames) != 0) return 0;
    for (long slot = 0; slot < DIVISI_STUB_TASKS; slot += slot < 16 ? 1 : 77)
        for (long at = 0; at < DIVISI_FRAMES_BYTES; at += 8)
            if (*(volatile uint64_t*)(frames + slot * DIVISI_FRAMES_BYTES + at) == kSecret)
                return broken("an earlier program's registers can be read");
    return 0;
}

static const char* find_code(const char* bytes, size_t size) {
    return memmem(code, kCodeBytes, bytes, size);
}

static void spin_for_ever(void) {
    for (;;) __asm__ volatile("pause");
}
static void call_for_ever(void) {
    for (;;) (void)raw_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
}
static void exit_well(void) {
    _exit(0);
}
static void fault_there(void) {
    *nowhere = 0;
}
static void call_and_fault(void) {
    (void)raw_call(SYS_rt_sigprocmask, 0, 0, 0, 8, 0, 0);
    *nowhere = 0;
}

static _Alignas(64) char other_stack[65536];

/* Returns from a signal that there never was. */
static int forged_return(char** arguments) {
    const long variant = number_of(arguments, 0, 0);
    static const char restorer[] = "\xb8\x0f\x00\x00\x00\x0f\x05";
    const char* const there = there_is_a_stub() ? find_code(restorer, sizeof restorer - 1) : NULL;
    if (there == NULL) return 0;
    static _Alignas(64) unsigned char state[8192];
    static struct {
        struct ucontext_t context; /* the kernel reads its first 304 bytes */
        siginfo_t info;
    } frame;
    ucontext_t* const context = &frame.context;
    greg_t* const registers = context->uc_mcontext.gregs;
    memset(&context->uc_sigmask, variant < 4 ? 0xff : 0, 8);
    context->uc_stack.ss_flags = SS_DISABLE;
    if (variant == 4 || variant == 5 || variant == 12) {
        context->uc_stack.ss_sp = variant == 12 ? (void*)frames : other_stack;
        context->uc_stack.ss_size = variant == 5 ? 2048 : sizeof other_stack;
        context->uc_stack.ss_flags = 0;
    }
    void (*const targets[])(void) = {spin_for_ever,  call_for_ever,  fault_there,    call_and_fault, fault_there,
                                     call_and_fault, call_and_fault, exit_well,      exit_well,      exit_well,
                                     exit_well,      exit_well,      call_and_fault, call_and_fault};
    registers[REG_RIP] = (greg_t)targets[variant % 14];
    registers[REG_RSP] = (greg_t)(other_stack + sizeof other_stack - 8);
    registers[REG_CSGSFS] = 0x002b000000000033;
    registers[REG_EFL] = 0x202;
    if (variant == 7) registers[REG_RIP] = (greg_t)0x8000000000000000;
    if (variant == 8) registers[REG_CSGSFS] = 0x0010000000000023;
    if (variant == 9) registers[REG_EFL] = -1;
    if (variant == 10) context->uc_mcontext.fpregs = (fpregset_t)0x800000000000;
    if (variant == 11) {
        memset(state, 0xff, sizeof state);
        const uint32_t words[] = {0x46505853, 4096 + 4};
        memcpy(state + kMagicAt, words, sizeof words);
        context->uc_mcontext.fpregs = (fpregset_t)(void*)state;
    }
    if (variant == 13) registers[REG_RSP] = (greg_t)(frames + 3 * DIVISI_FRAMES_BYTES - 512);
    __asm__ volatile("mov %0, %%rsp\n\tjmp *%1" : : "r"(&frame), "r"(there) : "memory");
    return 0;
}

/* Says in the stub's own words that a signal has come, with any frame. */
static int forged_signal(char** arguments) {
    const long variant = number_of(arguments, 0, 0);
    static const char notify[] = "\xb8\x56\x49\x44\x00\x0f\x05";
    const char* const there = there_is_a_stub() ? find_code(notify, sizeof notify - 1) : NULL;
    if (there == NULL) return 0;
    static const long signals[] = {SIGUSR1, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, 0, 64, -1};
    scribble((unsigned char)(variant / 9), 7);
    /* Each task's context is at the same place of its pages; this one's is among the first. */
    for (uintptr_t at = DIVISI_STUB_FRAMES_BASE; at < DIVISI_STUB_FRAMES_BASE + 4 * DIVISI_FRAMES_BYTES; at += 64)
        __asm__ volatile("lea 1f(%%rip), %%rbx\n\tcall *%0\n\t1:"
                         :
                         : "r"(there), "D"(signals[variant % 9]), "S"(at), "d"(at + 8)
                         : "rax", "rbx", "rcx", "r11", "memory");
    return 0;
}

const struct attack kStubAttacks[] = {{"pages", pages},
                                      {"jump", jump},
                                      {"frames", frames_between},
                                      {"frames-of-others", frames_of_others},
                                      {"leave-a-secret", leave_a_secret},
                                      {"find-a-secret", find_a_secret},
                                      {"forged-return", forged_return},
                                      {"forged-signal", forged_signal},
                                      {NULL, NULL}};
