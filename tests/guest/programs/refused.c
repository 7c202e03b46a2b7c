// What a node does not do is refused plainly: no process beside this one, and nothing that would escape the node.
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

int main(void) {
    CHECK_ERRNO(fork(), ENOSYS);
    CHECK_ERRNO(syscall(SYS_vfork), ENOSYS);
    char* arguments[] = {"/bin/true", NULL};
    CHECK_ERRNO(execve("/bin/true", arguments, NULL), ENOSYS);
    CHECK_ERRNO(ptrace(PTRACE_TRACEME, 0, NULL, NULL), ENOSYS);
    CHECK_ERRNO(mount("a", "/", "tmpfs", 0, NULL), ENOSYS);
    CHECK_ERRNO(syscall(SYS_init_module, NULL, 0UL, ""), ENOSYS);
    CHECK_ERRNO(syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL), ENOSYS);
    CHECK_ERRNO(syscall(SYS_bpf, 0, NULL, 0), ENOSYS);
    CHECK_ERRNO(syscall(SYS_io_uring_setup, 4, NULL), ENOSYS);
    CHECK_ERRNO(syscall(SYS_rseq, NULL, 0, 0, 0), ENOSYS);
    CHECK_ERRNO(syscall(SYS_reboot, 0, 0, 0, NULL), ENOSYS);
    CHECK_ERRNO(syscall(5000), ENOSYS);
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){}), EAFNOSUPPORT);
    CHECK_ERRNO(setsid(), EPERM);
    CHECK_ERRNO(setuid(geteuid() + 1), EPERM);
    return check_end();
}
