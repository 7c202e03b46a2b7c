// A system call changes rax, rcx and r11 and nothing else: no register, no flag, no byte of a leaf's red zone. Whatever
// else stops a program changes nothing at all.
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

struct registers {
    uint64_t rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15;
};

// Fills all registers from `in`, makes the call `number`, stores them all to `out`; returns rax.
uint64_t call_with(uint64_t number, const struct registers* in, struct registers* out);
__asm__(
    "call_with:\n"
    " push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    " push %rdx\n"
    " mov %rdi, %rax\n"
    " mov %rsi, %rcx\n"
    " mov 0(%rcx), %rbx; mov 8(%rcx), %rdx; mov 16(%rcx), %rsi; mov 24(%rcx), %rdi; mov 32(%rcx), %rbp\n"
    " mov 40(%rcx), %r8; mov 48(%rcx), %r9; mov 56(%rcx), %r10; mov 64(%rcx), %r12; mov 72(%rcx), %r13\n"
    " mov 80(%rcx), %r14; mov 88(%rcx), %r15\n"
    " syscall\n"
    " pop %rcx\n"
    " mov %rbx, 0(%rcx); mov %rdx, 8(%rcx); mov %rsi, 16(%rcx); mov %rdi, 24(%rcx); mov %rbp, 32(%rcx)\n"
    " mov %r8, 40(%rcx); mov %r9, 48(%rcx); mov %r10, 56(%rcx); mov %r12, 64(%rcx); mov %r13, 72(%rcx)\n"
    " mov %r14, 80(%rcx); mov %r15, 88(%rcx)\n"
    " pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    " ret\n");

// The 128 bytes below rsp are a leaf's own; returns how many a system call changed.
int red_zone_damage(uint64_t number);
__asm__(
    "red_zone_damage:\n"
    " mov %rdi, %rax\n"
    " mov $-16, %rcx\n"
    "1: mov %rcx, (%rsp,%rcx,8)\n"
    " inc %rcx\n"
    " jnz 1b\n"
    " syscall\n"
    " xor %eax, %eax\n"
    " mov $-16, %rcx\n"
    "2: cmp %rcx, (%rsp,%rcx,8)\n"
    " je 3f\n"
    " inc %eax\n"
    "3: inc %rcx\n"
    " jnz 2b\n"
    " ret\n");

// The flags after a call that was made with `flags` set.
uint64_t flags_after(uint64_t number, uint64_t flags);
__asm__(
    "flags_after:\n"
    " mov %rdi, %rax\n"
    " push %rsi\n"
    " popfq\n"
    " syscall\n"
    " pushfq\n"
    " cld\n"
    " pop %rax\n"
    " ret\n");

// The same after a futex call that wakes nobody.
uint64_t flags_after_wake(uint32_t* word, uint64_t flags);
__asm__(
    "flags_after_wake:\n"
    " push %rsi\n"
    " popfq\n"
    " mov $202, %eax\n"
    " mov $129, %esi\n"
    " mov $1, %edx\n"
    " syscall\n"
    " pushfq\n"
    " cld\n"
    " pop %rdx\n"
    " shl $32, %rax\n"
    " or %rdx, %rax\n"
    " ret\n");

static void check_wakes(void) {
    static uint32_t word;
    const uint64_t all = 0xcd5;
    for (uint64_t flags = 0; flags <= all; ++flags)
        if ((flags & all) == flags) CHECK((flags_after_wake(&word, 0x202 | flags) & (~0xffffU | all)) == flags);
    struct registers in = {1, 2, 129, (uintptr_t)&word, 5, 6, 7, 8, ~0ULL, 1ULL << 63, 11, 12}, out = {0};
    CHECK(call_with(SYS_futex, &in, &out) == 0);
    CHECK(memcmp(&in, &out, sizeof in) == 0);
    in.rsi = out.rsi = 0x12300000081;  // its upper half does not count
    CHECK(call_with(SYS_futex, &in, &out) == 0);
    in.rdi = out.rdi = (uintptr_t)&word + 2;
    CHECK(call_with(SYS_futex, &in, &out) == (uint64_t)-EINVAL);
    CHECK(memcmp(&in, &out, sizeof in) == 0);
}

// Writes to a page; returns what is then in rax, which had been `rax`.
uint64_t rax_after_write(uint64_t rax, char* page);
__asm__(
    "rax_after_write:\n"
    " mov %rdi, %rax\n"
    " nop; nop\n"
    " movb $1, (%rsi)\n"
    " ret\n");

// Also what looks like the kernel's own word for a call that it makes again.
static void check_first_touches(void) {
    enum { PAGE = 4096, PAGES = 1024 };
    char* pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    for (uint64_t error = 505; error < 530; ++error) {
        CHECK(rax_after_write(-error, pages + PAGE * (PAGES - 1)) == -error);
        CHECK(madvise(pages, PAGES * PAGE, MADV_DONTNEED) == 0);
    }
    CHECK(munmap(pages, PAGES * PAGE) == 0);
}

static void check_call(uint64_t number) {
    const struct registers in = {1, 2, 3, 0x444444444444, 5, 6, 7, 8, ~0ULL, 1ULL << 63, 11, 12};
    struct registers out = {0};
    call_with(number, &in, &out);
    CHECK(memcmp(&in, &out, sizeof in) == 0);
}

int main(void) {
    static const uint64_t calls[] = {SYS_getppid, SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_getuid, 100000};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; ++i) {
        check_call(calls[i]);
        CHECK(red_zone_damage(calls[i]) == 0);
        const uint64_t carry_zero_sign_overflow = 0x8c1, direction = 0x400;
        CHECK((flags_after(calls[i], 0x202 | carry_zero_sign_overflow) & 0xcd5) == carry_zero_sign_overflow);
        CHECK((flags_after(calls[i], 0x202) & 0xcd5) == 0);
        CHECK((flags_after(calls[i], 0x202 | direction) & 0xcd5) == direction);
    }
    check_wakes();
    check_first_touches();
    // An unknown number is ENOSYS, whatever its upper half.
    const struct registers none = {0};
    struct registers out;
    CHECK((int64_t)call_with(100000, &none, &out) == -ENOSYS);
    CHECK((int64_t)call_with(UINT64_MAX, &none, &out) == -ENOSYS);
    return check_end();
}
