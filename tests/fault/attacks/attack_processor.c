/* Instructions, flags, segments and vector state that a program has no business with. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <divisi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

static unsigned char* code_page(void) {
    static unsigned char* page;
    if (page == NULL)
        page = mmap((void*)0x10000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return page;
}

static void run_code(void* unused) {
    (void)unused;
    __asm__ volatile("call *%0"
                     :
                     : "r"(code_page()), "a"(0L), "b"(0L), "c"(0L), "d"(0L)
                     : "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "memory");
}

/* Some of them are allowed (rdtsc), none may do more than raise a signal. */
static int instructions(char** arguments) {
    (void)arguments;
    static const char* const codes[] = {
        "\xf4",
        "\xfa",
        "\xfb",
        "\xec",
        "\xee",
        "\xe4\x80",
        "\xe6\x80",
        "\x6c",
        "\x6e", /* hlt cli sti in out */
        "\x0f\x0b",
        "\x0f\xff",
        "\xcc",
        "\xf1",
        "\xce", /* ud2 ud0 int3 icebp into */
        "\x0f\x33",
        "\x0f\x32",
        "\x0f\x30",
        "\x0f\x31",
        "\x0f\x01\xf9", /* rdpmc rdmsr wrmsr rdtsc(p) */
        "\x0f\x20\xc0",
        "\x0f\x22\xd8",
        "\x44\x0f\x20\xc0",
        "\x0f\x21\xf8",
        "\x0f\x23\xf8", /* control, debug */
        "\x0f\x01\x14\x24",
        "\x0f\x01\x1c\x24",
        "\x0f\x00\xd8",
        "\x0f\x00\xd0", /* lgdt lidt ltr lldt */
        "\x0f\x08",
        "\x0f\x09",
        "\x0f\x01\x3c\x24",
        "\x0f\x06",
        "\x0f\x01\xf8", /* invd … swapgs */
        "\x48\x0f\x07",
        "\x0f\x07",
        "\x48\x0f\x35",
        "\x0f\x35",
        "\x48\xcf",
        "\xcf", /* sysret sysexit iret */
        "\x0f\x01\xc1",
        "\x0f\x01\xd9",
        "\x0f\x01\xc2",
        "\x0f\x01\xc3",
        "\x0f\x01\xd8", /* vmcall … vmrun */
        "\x0f\x01\xd1",
        "\x0f\x01\xc8",
        "\x0f\x01\xc9",
        "\x0f\x01\x04\x24", /* xsetbv monitor mwait */
        "\x0f\x01\x0c\x24",
        "\x0f\x01\x24\x24",
        "\x0f\x00\xc8",
        "\x0f\x01\x34\x24", /* sgdt … lmsw */
        "\x0f\xaa",
        "\x0f\x37",
        "\x0f\x01\xcf",
        "\x0f\x01\xee",
        "\x0f\x01\xef", /* rsm getsec pkru */
        "\xf3\x0f\x01\xe8",
        "\xf3\x0f\xae\xf0",
        "\x0f\x01\xca",
        "\x0f\x01\xcb", /* clac stac … */
    };
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; ++i) {
        memset(code_page(), 0xc3, 64);
        memcpy(code_page(), codes[i], strlen(codes[i]));
        (void)attempt(run_code, NULL);
    }
    return getpid() > 0 ? 0 : broken("no more system calls");
}

/* Hosts that emulate the processor let some of them pass as if they were nothing: on KVM that is their affair. */
static int interrupts(char** arguments) {
    (void)arguments;
    for (int number = 0; number < 256; ++number) {
        const unsigned char code[] = {0xcd, (unsigned char)number, 0xc3};
        memcpy(code_page(), code, sizeof code);
        if (attempt(run_code, NULL) == 0 && divisi_backend() != DIVISI_KVM)
            return broken("an interrupt instruction passed");
    }
    return 0;
}

/* Sets a flag, makes a call, touches unaligned memory and takes a fault. */
static void with_flag(void* flag) {
    static char bytes[16];
    __asm__ volatile(
        "pushfq\n\torq %[flag], (%%rsp)\n\tpopfq\n\t"
        "mov $39, %%eax\n\tsyscall\n\t"
        "mov 1(%[bytes]), %%rax\n\t"
        "xor %%eax, %%eax\n\tmov (%%rax), %%rax\n\t"
        :
        : [flag] "r"(*(long*)flag), [bytes] "r"(bytes)
        : "rax", "rcx", "r11", "memory", "cc");
}

static int flags(char** arguments) {
    (void)arguments;
    for (int bit = 0; bit < 64; ++bit) {
        long flag = 1L << bit;
        if (attempt(with_flag, &flag) == 0) return broken("a null pointer could be read");
        __asm__ volatile("cld\n\tpushfq\n\tandq $~0x44100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    }
    return 0;
}

static void load_wild(void* address) {
    (void)*(volatile char*)*(uintptr_t*)address;
}
static void jump_wild(void* address) {
    __asm__ volatile("jmp *%0" : : "r"(*(uintptr_t*)address));
}
static void stack_wild(void* address) {
    __asm__ volatile("mov %0, %%rsp\n\tpush %%rax\n\tmov $39, %%eax\n\tsyscall\n\thlt" : : "r"(*(uintptr_t*)address));
}
static void stack_wild_call(void* address) {
    __asm__ volatile("mov %0, %%rsp\n\tmov $39, %%eax\n\tsyscall\n\thlt" : : "r"(*(uintptr_t*)address));
}

static int addresses(char** arguments) {
    (void)arguments;
    static const uintptr_t wild[] = {0,
                                     0xfff,
                                     0x1fffffffff,
                                     0x2000000000,
                                     0x600000000000,
                                     0x600001003fc0,
                                     0x7fffffffefff,
                                     0x7ffffffff000,
                                     0x7fffffffffff,
                                     0x800000000000,
                                     0x8000000000000000,
                                     0xffff7fffffffffff,
                                     0xffff800000000000,
                                     0xffffffff81000000,
                                     0xffffffffff600000,
                                     0xfffffffffffffff8,
                                     0xffffffffffffffff};
    void (*const steps[])(void*) = {load_wild, jump_wild, stack_wild, stack_wild_call};
    for (unsigned i = 0; i < sizeof wild / sizeof *wild; ++i)
        for (unsigned step = 0; step < sizeof steps / sizeof *steps; ++step) {
            uintptr_t address = wild[i];
            (void)attempt(steps[step], &address);
        }
    return 0;
}

/* Far jumps into 32-bit code, which tries each way into the kernel, and loops. */
static int compatibility(char** arguments) {
    static const char* const codes[] = {
        "\xb8\x01\x00\x00\x00\xcd\x80\xeb\xfe",
        "\xb8\x14\x00\x00\x00\x0f\x34\xeb\xfe",
        "\xb8\x14\x00\x00\x00\x0f\x05\xeb\xfe",
        "\xeb\xfe",
        "\x31\xc0\x8b\x00\xeb\xfe",
        "\xf4\xeb\xfe",
    };
    static const long selectors[] = {0x23, 0x2b, 0x33, 0x0b, 0x10, 0x08, 0x07, 0x73};
    const long which = number_of(arguments, 0, 0);
    memcpy(code_page(), codes[which % 6], strlen(codes[which % 6]) + 1);
    memcpy(code_page() + 1, codes[which % 6] + 1, 8);
    __asm__ volatile("push %0\n\tpush %1\n\tlretq" : : "r"(selectors[which / 6]), "r"(code_page()));
    return 0;
}

/* The bases of FS and GS, by the instructions where there are any; then calls and a fault. */
static int bases(char** arguments) {
    static const uintptr_t values[] = {
        0, 1, 0x7ffffffff000, 0x7fffffffffff, 0x600001000000, 0x800000000000, 0xffff800000000000};
    const uintptr_t base = values[number_of(arguments, 0, 0)];
    if (number_of(arguments, 1, 0) == 0)
        __asm__ volatile("wrgsbase %0\n\tmov $39, %%eax\n\tsyscall\n\tmov $24, %%eax\n\tsyscall\n\tmov %%gs:0, %%rax"
                         :
                         : "r"(base)
                         : "rax", "rcx", "r11", "memory");
    else
        __asm__ volatile("wrfsbase %0\n\tmov $39, %%eax\n\tsyscall\n\tmov $24, %%eax\n\tsyscall\n\tmov %%fs:0, %%rax"
                         :
                         : "r"(base)
                         : "rax", "rcx", "r11", "memory");
    return 0;
}

static int segments(char** arguments) {
    const long selector = number_of(arguments, 0, 0);
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%gs\n\tmov %0, %%fs\n\tmov $39, %%eax\n\tsyscall"
                     :
                     : "r"(selector)
                     : "rax", "rcx", "r11", "memory");
    return 0;
}

/* Shuts itself out of all memory by protection keys; where there are none, the instruction is illegal. */
static int keys(char** arguments) {
    (void)arguments;
    __asm__ volatile(
        "xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\tmov $0xffffffff, %%eax\n\t.byte 0x0f, 0x01, 0xef\n\t"
        "mov $39, %%eax\n\tsyscall\n\tpush %%rax\n\tpop %%rax\n\t"
        "xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\txor %%eax, %%eax\n\t.byte 0x0f, 0x01, 0xef\n\t"
        :
        :
        : "rax", "rcx", "rdx", "r11", "memory");
    return 0;
}

static void restore_state(void* image) {
    __asm__ volatile("xrstor (%0)" : : "r"(image), "a"(-1), "d"(-1) : "memory");
}

/* All vector state there is, then images that no processor would have written. */
static int vectors(char** arguments) {
    (void)arguments;
    static _Alignas(64) unsigned char image[16384];
    unsigned a = 0, b = 0, c = 0, d = 0;
    __cpuid_count(1, 0, a, b, c, d);
    if ((c & bit_OSXSAVE) == 0) return 0;
    for (int byte = 0; byte < 256; ++byte) {
        memset(image, byte, sizeof image);
        (void)attempt(restore_state, image);
        memset(image + 512, 0, 64);
        image[512] = (unsigned char)byte;
        memset(image + 24, 0, 8);
        (void)attempt(restore_state, image);
        (void)getppid();
        (void)raw_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        (void)attempt(load_wild, &(uintptr_t){0});
    }
    return 0;
}

const struct attack kProcessorAttacks[] = {{"instructions", instructions},
                                           {"interrupts", interrupts},
                                           {"flags", flags},
                                           {"addresses", addresses},
                                           {"compatibility", compatibility},
                                           {"bases", bases},
                                           {"segments", segments},
                                           {"keys", keys},
                                           {"vectors", vectors},
                                           {NULL, NULL}};
