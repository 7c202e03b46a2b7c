// Signals with values, in their order, as files; what a handler learns of a fault, and changes.
#define _GNU_SOURCE
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static int seen[64], values[64];
static volatile int count;

static void record(int number, siginfo_t* info, void* context) {
    (void)context;
    if (count < 64) {
        seen[count] = number;
        values[count] = info->si_value.sival_int;
    }
    ++count;
    CHECK(info->si_signo == number && info->si_pid == getpid() && info->si_uid == getuid());
}

static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigfillset(&action.sa_mask);
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void block(int how, int first, int last) {
    sigset_t set;
    sigemptyset(&set);
    for (int number = first; number <= last; ++number) sigaddset(&set, number);
    CHECK(sigprocmask(how, &set, NULL) == 0);
}

// Real-time signals queue, keep their values, and come lowest first; ordinary ones before them, and once.
static void order(void) {
    for (int i = 0; i < 3; ++i) install(SIGRTMIN + i, record, 0);
    install(SIGUSR1, record, 0);
    block(SIG_BLOCK, SIGRTMIN, SIGRTMIN + 2);
    block(SIG_BLOCK, SIGUSR1, SIGUSR1);
    const int sent[] = {2, 0, 1, 0, 2};
    for (int i = 0; i < 5; ++i) CHECK(sigqueue(getpid(), SIGRTMIN + sent[i], (union sigval){.sival_int = i}) == 0);
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 50}) == 0);
    CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 51}) == 0);
    count = 0;
    sigset_t all;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_UNBLOCK, &all, NULL) == 0);
    CHECK(count == 6);
    const int numbers[] = {SIGUSR1, SIGRTMIN, SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 2};
    const int wanted[] = {50, 1, 3, 2, 0, 4};
    // A handler blocks all: each ends before the next begins.
    for (int i = 0; i < 6; ++i) CHECK(seen[i] == numbers[i] && values[i] == wanted[i]);
    siginfo_t info = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
    info.si_value.sival_int = 9;
    count = 0;
    CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &info) == 0 && count == 1 &&
          values[0] == 9);
    CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0x7ffffff0, SIGUSR1, &info), ESRCH);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 99, &info), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 16L), EFAULT);
    CHECK(sigqueue(getpid(), 0, (union sigval){}) == 0);
}

static void* send_later(void* unused) {
    (void)unused;
    usleep(20000);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
    return NULL;
}

static void as_files(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 5);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    const int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(file >= 0);
    struct signalfd_siginfo records[4];
    CHECK_ERRNO(read(file, records, sizeof records), EAGAIN);
    CHECK_ERRNO(read(file, records, 12), EINVAL);
    CHECK_ERRNO(write(file, records, sizeof records), EINVAL);
    struct pollfd poller = {file, POLLIN, 0};
    CHECK(poll(&poller, 1, 0) == 0);
    for (int i = 0; i < 3; ++i) CHECK(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = i}) == 0);
    CHECK(poll(&poller, 1, 1000) == 1 && poller.revents == POLLIN);
    CHECK(read(file, records, 2 * sizeof records[0]) == 2 * sizeof records[0]);
    CHECK(records[0].ssi_signo == (unsigned)SIGRTMIN + 5 && records[0].ssi_int == 0 && records[1].ssi_int == 1);
    CHECK(records[0].ssi_pid == (unsigned)getpid() && records[0].ssi_uid == getuid() &&
          records[0].ssi_code == SI_QUEUE);
    CHECK(poll(&poller, 1, 0) == 1 && read(file, records, sizeof records) == sizeof records[0] &&
          records[0].ssi_int == 2);
    CHECK_ERRNO(read(file, records, sizeof records), EAGAIN);
    CHECK(poll(&poller, 1, 0) == 0);
    close(file);

    const int waiting = signalfd(-1, &set, 0);
    const int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, waiting, &event) == 0 && epoll_wait(epoll, &event, 1, 0) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, send_later, NULL) == 0);
    CHECK(read(waiting, records, sizeof records) == sizeof records[0] && records[0].ssi_int == 77);
    CHECK(pthread_join(thread, NULL) == 0);
    raise(SIGUSR2);
    CHECK(signalfd(waiting, &set, 0) == waiting && epoll_wait(epoll, &event, 1, 1000) == 1);
    CHECK(read(waiting, records, sizeof records) == sizeof records[0] && records[0].ssi_signo == SIGUSR2);
    CHECK_ERRNO(signalfd(epoll, &set, 0), EINVAL);
    CHECK_ERRNO(signalfd(-1, &set, 0x777), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, 16L, 8L, 0), EFAULT);
    close(epoll);
    close(waiting);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static volatile int code;
static void* volatile address;
static volatile uintptr_t skip_from;
static volatile long long trap;

// Goes on behind the instruction, whose length the test knows.
static void skip(int number, siginfo_t* info, void* context) {
    (void)number;
    greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
    code = info->si_code;
    address = info->si_addr;
    trap = registers[REG_TRAPNO];
    skip_from = (uintptr_t)registers[REG_RIP];
    registers[REG_RIP] += registers[REG_R15];
    registers[REG_RBX] = 4321;
}

// Executes the bytes at `instruction`, of which a handler jumps over `length`; gives RBX.
#define FAULT(length, instruction)                                      \
    ({                                                                  \
        long long rbx_ = 1;                                             \
        __asm__ volatile("mov %1, %%r15\n\t" instruction                \
                         : "+b"(rbx_)                                   \
                         : "i"(length)                                  \
                         : "r15", "rax", "rdx", "rcx", "memory", "cc"); \
        rbx_;                                                           \
    })

static void faults(void) {
    install(SIGFPE, skip, 0);
    install(SIGILL, skip, 0);
    install(SIGSEGV, skip, 0);
    install(SIGTRAP, skip, 0);
    CHECK(FAULT(2, "xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\tdiv %%ecx") == 4321);
    CHECK(code == FPE_INTDIV && address == (void*)skip_from && trap == 0);
    CHECK(FAULT(2, "ud2") == 4321 && code == ILL_ILLOPN && address == (void*)skip_from && trap == 6);
    CHECK(FAULT(1, "hlt") == 4321 && code == SI_KERNEL && address == NULL && trap == 13);
    CHECK(FAULT(2, "mov $24, %%ecx\n\tmov (%%rcx), %%eax") == 4321 && code == SEGV_MAPERR && address == (void*)24);
    CHECK(trap == 14);
    CHECK(FAULT(0, "int3") == 4321 && code == SI_KERNEL && trap == 3);
    void* page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long long got = 1;
    __asm__ volatile("mov $2, %%r15\n\tmov %%eax, (%1)" : "+b"(got) : "d"(page) : "r15", "memory");
    CHECK(got == 4321 && code == SEGV_ACCERR && address == page);
    munmap(page, 4096);
}

static sigjmp_buf back;
static volatile int float_code;
static void jump(int number, siginfo_t* info, void* context) {
    (void)number;
    (void)context;
    float_code = info->si_code;
    siglongjmp(back, 1);
}

static void floats(void) {
    install(SIGFPE, jump, 0);
    static volatile double zero = 0, large = 1e300;
    volatile double result = 0;
    feenableexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID);
    if (sigsetjmp(back, 1) == 0) result = 1 / zero;
    CHECK(float_code == FPE_FLTDIV);
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID);
    if (sigsetjmp(back, 1) == 0) result = large * large;
    CHECK(float_code == FPE_FLTOVF);
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID);
    if (sigsetjmp(back, 1) == 0) result = zero / zero;
    CHECK(float_code == FPE_FLTINV);
    fedisableexcept(FE_ALL_EXCEPT);
    feclearexcept(FE_ALL_EXCEPT);
    (void)result;
}

int main(void) {
    order();
    as_files();
    faults();
    floats();
    return check_end();
}
