// A program that closes its own memory by a protection key's rights (PKRU, Intel SDM volume 3, 4.6.2) and handles the
// fault: often, and of memory not touched before. Nodes hand out no keys, but every page has key 0.
#define _GNU_SOURCE
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

static sigjmp_buf back;
static volatile int fault_code;
static void* volatile fault_address;

static void on_fault(int number, siginfo_t* info, void* context) {
    (void)number;
    (void)context;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

static int has_keys(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_OSPKE) != 0;
}

// Reads a byte while key 0 forbids it; nothing else may touch memory in between.
static void read_closed(const volatile char* at) {
    const uint32_t closed = 0x55555555;
    __asm__ volatile(".byte 0x0f, 0x01, 0xef\n\tmovb (%3), %%al\n\t"
                     :
                     : "a"(closed), "c"(0), "d"(0), "r"(at)
                     : "memory");
}

// The handler runs with the rights of a program's start, and by siglongjmp leaves with them.
static void expect_fault(const volatile char* at) {
    fault_code = 0;
    fault_address = NULL;
    if (sigsetjmp(back, 1) == 0) {
        read_closed(at);
        CHECK(!"closed memory was read");
    }
    CHECK(fault_code == SEGV_PKUERR && fault_address == (const void*)at);
}

int main(void) {
    if (!has_keys()) return check_end();
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);

    const size_t pages = 300, page = (size_t)sysconf(_SC_PAGESIZE);
    char* memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory[0] = 1;
    for (int i = 0; i < 300; ++i) expect_fault(memory);
    for (size_t i = 1; i < pages; ++i) expect_fault(memory + i * page);
    CHECK(memory[0] == 1 && memory[page] == 0);
    return check_end();
}
