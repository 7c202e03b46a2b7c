/* What it costs to catch a system call without virtualization, by each mechanism there is: the floor of the direct
   backend. Prints one JSON object: ns a caught getppid(2), by mechanism, on one PU and across two.

   mechanisms [ROUNDS] */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif
#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif

enum { kRuns = 5, kAnswer = 42 };

/* What parent and child share. */
static struct shared {
    volatile int listener;
    volatile uint32_t turn; /* of the spinning handoff: 1: a call waits, 0: it is answered, 2: the end */
    double best_ns;
} * shared;

static int pus[2];
static int rounds = 2000;

static void pin(int pu) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET((size_t)pu, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) != 0) exit(1);
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The best of several runs of calls, each of which must give `answer`, where that is not 0. */
static void measure(long answer) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        const double begin = now_ns();
        for (int i = 0; i < rounds; ++i)
            if (syscall(SYS_getppid) != answer && answer != 0) _exit(1);
        const double each = (now_ns() - begin) / rounds;
        if (each < best) best = each;
    }
    shared->best_ns = best;
}

static int filter_getppid(uint32_t action, unsigned flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void answer_here(int signo, siginfo_t* info, void* context) {
    (void)signo, (void)info;
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = kAnswer;
}

static void answer_by_spinning(int signo, siginfo_t* info, void* context) {
    (void)signo, (void)info;
    __atomic_store_n(&shared->turn, 1u, __ATOMIC_RELEASE);
    while (__atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != 0u) __asm__ volatile("pause");
    ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = kAnswer;
}

static void catch_sigsys(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    if (filter_getppid(SECCOMP_RET_TRAP, 0) < 0) _exit(1);
    measure(kAnswer);
}

static void child_plain(void) {
    measure(0);
}
static void child_sigsys(void) {
    catch_sigsys(answer_here);
}
static void child_spin(void) {
    catch_sigsys(answer_by_spinning);
    shared->turn = 2;
}
static void child_notify(void) {
    const int listener = filter_getppid(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0) _exit(1);
    shared->listener = listener;
    measure(kAnswer);
}
static void child_traced(void) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    measure(kAnswer);
}

static void parent_waits(pid_t child) {
    (void)child;
}
static void parent_spins(pid_t child) {
    (void)child;
    for (uint32_t turn = 0; turn != 2u; turn = __atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE)) {
        if (turn == 1u) __atomic_store_n(&shared->turn, 0u, __ATOMIC_RELEASE);
        __asm__ volatile("pause");
    }
}

static void serve(unsigned long flags) {
    while (shared->listener < 0) sched_yield();
    const int listener = shared->listener;
    if (flags != 0) ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
    for (int i = 0; i < rounds * kRuns; ++i) {
        struct seccomp_notif notice = {0};
        struct seccomp_notif_resp response = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) != 0) break;
        response.id = notice.id;
        response.val = kAnswer;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0) break;
    }
    close(listener);
}
static void parent_answers(pid_t child) {
    (void)child;
    serve(0);
}
static void parent_answers_sync(pid_t child) {
    (void)child;
    serve(SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

static void parent_traces(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    for (;;) {
        struct user_regs_struct registers;
        if (ptrace(PTRACE_SYSEMU, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child) return;
        if (!WIFSTOPPED(status)) return;
        ptrace(PTRACE_GETREGS, child, NULL, &registers);
        if (registers.orig_rax != SYS_getppid) break;
        registers.rax = kAnswer;
        ptrace(PTRACE_SETREGS, child, NULL, &registers);
    }
    /* Its last call, exit_group, was told and not made. */
    kill(child, SIGKILL);
}

/* ns, or a negative number where it cannot be had. */
static double run(void (*in_child)(void), void (*in_parent)(pid_t), int parent_pu, int child_pu) {
    *shared = (struct shared){.listener = -1, .best_ns = -1};
    pin(parent_pu);
    const pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        pin(child_pu);
        in_child();
        _exit(0);
    }
    in_parent(child);
    int status = 0;
    waitpid(child, &status, 0);
    return shared->best_ns;
}

int main(int argc, char** argv) {
    if (argc > 1) rounds = atoi(argv[1]);
    cpu_set_t mask;
    if (rounds < 1 || sched_getaffinity(0, sizeof mask, &mask) != 0) return 2;
    int count = 0;
    for (int pu = 0; pu < CPU_SETSIZE && count < 2; ++pu)
        if (CPU_ISSET((size_t)pu, &mask)) pus[count++] = pu;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 1;
    const int other = count > 1 ? pus[1] : pus[0];
    printf("{\"native\": %.0f, ", run(child_plain, parent_waits, other, pus[0]));
    printf("\"sigsys\": %.0f, ", run(child_sigsys, parent_waits, other, pus[0]));
    printf("\"sigsys_spin_two_pus\": %.0f, ", count > 1 ? run(child_spin, parent_spins, other, pus[0]) : -1);
    printf("\"notify_one_pu\": %.0f, ", run(child_notify, parent_answers, pus[0], pus[0]));
    printf("\"notify_sync_one_pu\": %.0f, ", run(child_notify, parent_answers_sync, pus[0], pus[0]));
    printf("\"notify_two_pus\": %.0f, ", count > 1 ? run(child_notify, parent_answers, other, pus[0]) : -1);
    printf("\"ptrace_one_pu\": %.0f, ", run(child_traced, parent_traces, pus[0], pus[0]));
    printf("\"ptrace_two_pus\": %.0f}\n", count > 1 ? run(child_traced, parent_traces, other, pus[0]) : -1);
    return 0;
}
