// Signals within a program: handlers, masks, alternate stacks, faults handled, timers, waiting.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t count, last;
static void* volatile fault_address;
static void* volatile handler_stack;
static sigjmp_buf back;

static void counting(int number) {
    ++count;
    last = number;
}

static void install(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void plain_handlers(void) {
    install(SIGUSR1, counting, 0);
    CHECK(raise(SIGUSR1) == 0 && count == 1 && last == SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0 && count == 2);
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0 && count == 3);
    struct sigaction old;
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == counting);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    CHECK(count == 3);
    install(SIGUSR1, counting, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK(count == 4 && sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK_ERRNO(sigaction(SIGKILL, &old, NULL), EINVAL);
    struct sigaction other = {.sa_handler = counting};
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, &other, NULL, 8L), EINVAL);
}

static void masks(void) {
    install(SIGUSR2, counting, 0);
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    count = 0;
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    raise(SIGUSR2);
    raise(SIGUSR2);
    CHECK(count == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR2));
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(count == 1);  // ordinary signals do not queue
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    raise(SIGUSR2);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_signo == SIGUSR2 && count == 1);
    const struct timespec short_time = {0, 2000000};
    CHECK_ERRNO(sigtimedwait(&set, &info, &short_time), EAGAIN);
    raise(SIGUSR2);
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK(count == 2);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void on_fault(int number, siginfo_t* info, void* context) {
    (void)context;
    last = number;
    fault_address = info->si_addr;
    int local;
    handler_stack = &local;
    siglongjmp(back, 1);
}

static void on_fault_mend(int number, siginfo_t* info, void* context) {
    (void)context;
    last = number;
    fault_address = info->si_addr;
    mprotect((void*)((uintptr_t)info->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
}

static void on_fault_skip(int number, siginfo_t* info, void* context) {
    (void)info;
    last = number;
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void install_info(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(number, &action, NULL) == 0);
}

static volatile char depth_sink;
__attribute__((noinline)) static long recurse(long depth) {
    volatile char frame[2000];
    frame[0] = (char)depth;
    depth_sink = frame[0];
    return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

static void faults(void) {
    install_info(SIGSEGV, on_fault, 0);
    volatile char* nowhere = (volatile char*)0x1234;
    if (sigsetjmp(back, 1) == 0) {
        *nowhere = 1;
        CHECK(!"survived");
    }
    CHECK(last == SIGSEGV && fault_address == (void*)0x1234);
    char* area = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    install_info(SIGSEGV, on_fault_mend, 0);
    *(volatile char*)(area + 77) = 5;  // goes on after the handler has mended it
    CHECK(area[77] == 5 && fault_address == area + 77);

    install_info(SIGFPE, on_fault, 0);
    volatile int zero = 0;
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("idivl %0" ::"r"(zero), "a"(1), "d"(0));
        CHECK(!"survived");
    }
    CHECK(last == SIGFPE);
    install_info(SIGILL, on_fault_skip, 0);
    __asm__ volatile("ud2");
    CHECK(last == SIGILL);

    static char alternate[65536];
    const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    stack_t current;
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaltstack(NULL, &current) == 0 && current.ss_sp == alternate);
    install_info(SIGSEGV, on_fault, SA_ONSTACK);
    last = 0;
    if (sigsetjmp(back, 1) == 0) recurse(0);
    CHECK(last == SIGSEGV);
    CHECK((char*)handler_stack >= alternate && (char*)handler_stack < alternate + sizeof alternate);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGILL, SIG_DFL);
}

static void timers(void) {
    install(SIGALRM, counting, 0);
    count = 0;
    // Long enough to be inside the call it is to interrupt, on a busy machine too.
    const struct itimerval soon = {{0, 0}, {0, 200000}};
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    const struct timespec longer = {5, 0};
    struct timespec left = {0, 0};
    CHECK_ERRNO(nanosleep(&longer, &left), EINTR);
    CHECK(count == 1 && last == SIGALRM && left.tv_sec >= 3);
    // A program that only computes is interrupted as well.
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    while (count == 1) {
    }
    CHECK(count == 2);
    int ends[2];
    CHECK(pipe(ends) == 0);
    char byte;
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    CHECK(alarm(100) == 0 && alarm(0) > 90);
}

static void clobber_vectors(int number) {
    (void)number;
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vpxor %%xmm5, %%xmm5, %%xmm5\n vzeroall" ::: "xmm5");
    else
        __asm__ volatile("pxor %%xmm5, %%xmm5" ::: "xmm5");
    ++count;
}

static void registers_across_handler(void) {
    install(SIGUSR1, clobber_vectors, 0);
    unsigned char in[32], out[32] = {0};
    for (int i = 0; i < 32; ++i) in[i] = (unsigned char)(i + 1);
    const int avx = __builtin_cpu_supports("avx") != 0;
    const long pid = getpid();
    long result;
    if (avx)
        __asm__ volatile("vmovdqu (%[in]), %%ymm5\n syscall\n vmovdqu %%ymm5, (%[out])"
                         : "=a"(result)
                         : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), [in] "r"(in), [out] "r"(out)
                         : "rcx", "r11", "memory", "xmm5");
    else
        __asm__ volatile("movdqu (%[in]), %%xmm5\n syscall\n movdqu %%xmm5, (%[out])"
                         : "=a"(result)
                         : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), [in] "r"(in), [out] "r"(out)
                         : "rcx", "r11", "memory", "xmm5");
    CHECK(result == 0 && memcmp(in, out, avx ? 32 : 16) == 0);
}

static pthread_t target_thread;
static volatile int target_ready;
static volatile sig_atomic_t handled_by_target;
static void note_thread(int number) {
    (void)number;
    handled_by_target = pthread_equal(pthread_self(), target_thread);
}
static void* target(void* unused) {
    (void)unused;
    target_ready = 1;
    while (!handled_by_target) usleep(500);
    return NULL;
}

static void other_threads(void) {
    install(SIGUSR1, note_thread, 0);
    pthread_create(&target_thread, NULL, target, NULL);
    while (!target_ready) usleep(200);
    CHECK(pthread_kill(target_thread, SIGUSR1) == 0);
    pthread_join(target_thread, NULL);
    CHECK(handled_by_target);
}

int main(void) {
    plain_handlers();
    masks();
    faults();
    timers();
    registers_across_handler();
    other_threads();
    return check_end();
}
