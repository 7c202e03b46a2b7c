// faults WAY: programs that must end as they end natively. What was written before the fault is kept.
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char in_rodata[] = "constant";
static unsigned char in_data[] = {0xc3};
static volatile int zero;

static void* map(size_t size, int prot) { return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void read_from(uintptr_t address) { (void)*(volatile char*)address; }
static void write_to(uintptr_t address) { *(volatile char*)address = 1; }

static void null_read(void) { read_from(0); }
static void null_write(void) { write_to(0); }
static void null_call(void) { ((void (*)(void))(uintptr_t)zero)(); }
static void low_read(void) { read_from(0x8000); }
static void wild_read(void) { read_from(0x123456789000); }
static void noncanonical(void) { read_from(0x8000000000000000); }
static void kernel_read(void) { read_from(0xffffffff81000000); }
static void write_rodata(void) { write_to((uintptr_t)in_rodata); }
static void write_code(void) { write_to((uintptr_t)&write_code); }
static void execute_data(void) { ((void (*)(void))(uintptr_t)in_data)(); }
static void execute_heap(void) {
    unsigned char* code = map(4096, PROT_READ | PROT_WRITE);
    *code = 0xc3;
    ((void (*)(void))(uintptr_t)code)();
}
static void write_readonly(void) {
    char* area = map(8192, PROT_READ | PROT_WRITE);
    area[4096] = 1;
    mprotect(area + 4096, 4096, PROT_READ);
    if (area[4096] == 1) write_to((uintptr_t)area + 4096);
}
// Where a node has pages of its own, and a process has none.
static const uintptr_t reserved = 0x1fffff2000;
static void reserved_read(void) { read_from(reserved); }
static void reserved_write(void) { write_to(reserved + 8); }
static void reserved_fill(void) {
    void* at = (void*)reserved;
    size_t bytes = 128;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(0) : "memory");
}
static void reserved_add(void) { __atomic_fetch_add((uint64_t*)reserved, 1, __ATOMIC_SEQ_CST); }
static void read_none(void) { read_from((uintptr_t)map(4096, PROT_NONE)); }
static void read_unmapped(void) {
    char* area = map(3 * 4096, PROT_READ | PROT_WRITE);
    memset(area, 1, 3 * 4096);
    munmap(area + 4096, 4096);
    if (area[8192] == 1) read_from((uintptr_t)area + 4096);
}
static void past_break(void) { write_to((uintptr_t)sbrk(0) + (64 << 20)); }
static void division(void) { __asm__ volatile("idivl %0" ::"r"(zero), "a"(1), "d"(0)); }
static void float_division(void) {
    feenableexcept(FE_DIVBYZERO);
    volatile double nothing = 0;
    nothing = 1 / nothing;
}
static void illegal(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void port(void) { __asm__ volatile("outb %%al, $0x80" ::"a"(0)); }
static void interrupts_off(void) { __asm__ volatile("cli"); }
static void system_register(void) { __asm__ volatile("mov %%cr3, %%rax" ::: "rax"); }
static void model_register(void) { __asm__ volatile("rdmsr" ::"c"(0xc0000080) : "rax", "rdx"); }

__attribute__((noinline)) static long recurse(long depth) {
    volatile char frame[4096];
    frame[depth % 4096] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + frame[depth % 4096];
}
static void overflow(void) { printf("%ld\n", recurse(0)); }
static void* overflow_body(void* unused) {
    (void)unused;
    overflow();
    return NULL;
}
static void in_thread(void* (*body)(void*)) {
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
}
static void thread_overflow(void) { in_thread(overflow_body); }
static void* thread_body(void* unused) {
    (void)unused;
    null_write();
    return NULL;
}
static void thread_fault(void) { in_thread(thread_body); }

static void aborts(void) { abort(); }
static void killed(void) { raise(SIGKILL); }
static void terminated(void) { kill(getpid(), SIGTERM); }
static void user_signal(void) { raise(SIGUSR1); }

static const struct {
    const char* name;
    void (*act)(void);
} ways[] = {
    {"null-read", null_read},
    {"null-write", null_write},
    {"null-call", null_call},
    {"low-read", low_read},
    {"wild-read", wild_read},
    {"noncanonical", noncanonical},
    {"kernel-read", kernel_read},
    {"write-rodata", write_rodata},
    {"write-code", write_code},
    {"execute-data", execute_data},
    {"execute-heap", execute_heap},
    {"write-readonly", write_readonly},
    {"read-none", read_none},
    {"read-unmapped", read_unmapped},
    {"past-break", past_break},
    {"reserved-read", reserved_read},
    {"reserved-write", reserved_write},
    {"reserved-fill", reserved_fill},
    {"reserved-add", reserved_add},
    {"division", division},
    {"float-division", float_division},
    {"illegal", illegal},
    {"breakpoint", breakpoint},
    {"privileged", privileged},
    {"port", port},
    {"interrupts-off", interrupts_off},
    {"system-register", system_register},
    {"model-register", model_register},
    {"overflow", overflow},
    {"thread-overflow", thread_overflow},
    {"thread-fault", thread_fault},
    {"abort", aborts},
    {"killed", killed},
    {"terminated", terminated},
    {"user-signal", user_signal},
};

int main(int argc, char** argv) {
    for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; ++i) {
        if (strcmp(ways[i].name, argv[1]) != 0) continue;
        printf("about to fault: %s\n", argv[1]);
        fflush(stdout);
        ways[i].act();
        puts("survived");
        return 98;
    }
    puts("no such fault");
    return 99;
}
