/* Attacks on what lies outside: other processes, the host's files and devices. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attack.h"

static int nothing(char** arguments) {
    (void)arguments;
    return 0;
}

static int births(char** arguments) {
    (void)arguments;
    static char* const none[] = {NULL};
    if (fork() >= 0) return broken("fork");
    if (raw_call(SYS_vfork, 0, 0, 0, 0, 0, 0) >= 0) return broken("vfork");
    for (int bit = 0; bit < 32; ++bit)
        if (raw_call(SYS_clone, (1L << bit) | SIGCHLD, 0, 0, 0, 0, 0) >= 0) return broken("clone");
    char request[128] = {0};
    if (raw_call(SYS_clone3, (long)request, sizeof request, 0, 0, 0, 0) >= 0) return broken("clone3");
    if (execve("/bin/true", none, none) == 0) return broken("execve");
    if (raw_call(SYS_execveat, AT_FDCWD, (long)"/bin/true", (long)none, (long)none, 0, 0) >= 0)
        return broken("execveat");
    return 0;
}

/* `pid` is a process of the host's that must live. */
static int harm(long pid) {
    char byte = 0;
    const struct iovec here = {&byte, 1};
    const struct iovec there = {(void*)0x400000, 1};
    for (int signo = 1; signo <= 64; ++signo)
        if (signo != SIGKILL) (void)kill((pid_t)pid, signo);
    (void)raw_call(SYS_tgkill, pid, pid, SIGKILL, 0, 0, 0);
    (void)raw_call(SYS_tkill, pid, SIGKILL, 0, 0, 0, 0);
    (void)raw_call(SYS_rt_sigqueueinfo, pid, SIGKILL, (long)&byte, 0, 0, 0);
    if (ptrace(PTRACE_ATTACH, (pid_t)pid, NULL, NULL) == 0) return broken("ptrace");
    if (process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) >= 0) return broken("process_vm_readv");
    if (process_vm_writev((pid_t)pid, &here, 1, &there, 1, 0) >= 0) return broken("process_vm_writev");
    const long handle = raw_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
    if (handle >= 0) return broken("pidfd_open");
    (void)raw_call(SYS_sched_setaffinity, pid, sizeof byte, (long)&byte, 0, 0, 0);
    (void)raw_call(SYS_prlimit64, pid, 7, 0, (long)&byte, 0, 0);
    (void)raw_call(SYS_setpriority, 0, pid, 19, 0, 0, 0);
    return 0;
}

static int processes(char** arguments) {
    for (int i = 0; arguments[i] != NULL; ++i)
        if (harm(number_of(arguments, i, 0)) != 0) return 1;
    (void)kill(-1, SIGKILL); /* itself, at most */
    return 0;
}

/* The arguments: a host's file that must not change, and a process whose memory must not be reached. */
static int files(char** arguments) {
    const char* const target = arguments[0];
    if (open(target, O_WRONLY) >= 0) return broken("a file outside can be opened for writing");
    if (open(target, O_RDWR | O_TRUNC) >= 0) return broken("a file outside can be cut off");
    if (unlink(target) == 0 || rename(target, "taken") == 0 || truncate(target, 0) == 0) return broken("files");
    if (link(target, "linked") == 0 && open("linked", O_WRONLY) >= 0) return broken("a link leads out");
    if (symlink(target, "by-link") == 0 && open("by-link", O_WRONLY) >= 0) return broken("a link leads out");
    if (symlink("/proc/self/root", "root") == 0) {
        char path[4096];
        snprintf(path, sizeof path, "root%s", target);
        if (open(path, O_WRONLY) >= 0) return broken("a magic link leads out");
    }
    char up[4096] = "";
    for (int i = 0; i < 40; ++i) strcat(up, "../");
    strcat(up, target + 1);
    if (open(up, O_WRONLY) >= 0) return broken("a way up leads out");
    static const char* const forms[] = {"/proc/%s/mem", "/proc/%s/root/etc/shadow", "/proc/%s/fd/0",
                                        "/proc/%s/environ"};
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; ++i) {
        char path[128];
        snprintf(path, sizeof path, forms[i], arguments[1]);
        if (open(path, O_RDWR) >= 0) return broken(path);
        if (i != 1 && open(path, O_RDONLY) >= 0) return broken(path);
    }
    static const char* const devices[] = {"/dev/kvm", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/fuse", "/dev/net/tun"};
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; ++i)
        if (open(devices[i], O_RDWR) >= 0) return broken(devices[i]);
    return 0;
}

static int kernel(char** arguments) {
    (void)arguments;
    static const int numbers[] = {
        SYS_mount,  SYS_umount2,         SYS_chroot,       SYS_pivot_root,     SYS_setns,       SYS_unshare,
        SYS_bpf,    SYS_perf_event_open, SYS_userfaultfd,  SYS_io_uring_setup, SYS_init_module, SYS_reboot,
        SYS_swapon, SYS_sethostname,     SYS_settimeofday, SYS_clock_settime,  SYS_keyctl,      SYS_add_key,
        SYS_iopl,   SYS_ioperm,          SYS_modify_ldt,   SYS_ptrace,         SYS_kexec_load,  SYS_seccomp,
        SYS_socket, SYS_mknod,           SYS_quotactl,     SYS_acct,           SYS_syslog,      SYS_personality};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        if (numbers[i] == SYS_personality || numbers[i] == SYS_socket || numbers[i] == SYS_syslog) continue;
        if (raw_call(numbers[i], 0, 0, 0, 0, 0, 0) == 0) {
            printf("call %d\n", numbers[i]);
            return broken("a call that is the administrator's");
        }
    }
    return 0;
}

const struct attack kWorldAttacks[] = {{"nothing", nothing}, {"births", births}, {"processes", processes},
                                       {"files", files},     {"kernel", kernel}, {NULL, NULL}};
