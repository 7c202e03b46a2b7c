// Who the program is, how it is scheduled, and that it has no children.
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void users(void) {
    uid_t real, effective, saved;
    CHECK(getresuid(&real, &effective, &saved) == 0 && real == getuid() && effective == geteuid() &&
          saved == effective);
    gid_t group, effective_group, saved_group;
    CHECK(getresgid(&group, &effective_group, &saved_group) == 0 && group == getgid() && effective_group == getegid());
    CHECK(setuid(getuid()) == 0 && setgid(getgid()) == 0);
    CHECK(setreuid(-1, -1) == 0 && setregid(-1, getgid()) == 0);
    CHECK(setresuid(-1, geteuid(), -1) == 0 && setresgid(-1, -1, -1) == 0);
    CHECK(syscall(SYS_setfsuid, geteuid()) == (long)geteuid());
    CHECK_ERRNO(syscall(SYS_setuid, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_getresuid, 0L, 0L, 0L), EFAULT);
    // 0 stands for a leader outside of this PID namespace, as a container's first process may have.
    CHECK(getpgid(getpid()) == getpgrp() && getsid(0) >= 0 && getsid(0) == getsid(getpid()));
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(getpgid(0x7ffffff0), ESRCH);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {};
    CHECK(syscall(SYS_capget, &header, data) == 0);
    header.version = 1;
    CHECK_ERRNO(syscall(SYS_capget, &header, data), EINVAL);
    CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
}

static void children(void) {
    int status;
    siginfo_t info;
    CHECK_ERRNO(wait(&status), ECHILD);
    CHECK_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
    CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, &status, 0x100), EINVAL);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
}

static void scheduling(void) {
    struct sched_param param = {.sched_priority = 7};
    CHECK(sched_getscheduler(0) == SCHED_OTHER);
    CHECK(sched_getparam(0, &param) == 0 && param.sched_priority == 0);
    CHECK(sched_setparam(0, &param) == 0 && sched_setscheduler(0, SCHED_BATCH, &param) == 0);
    CHECK(sched_getscheduler(0) == SCHED_BATCH && sched_setparam(0, &param) == 0 &&
          sched_getscheduler(0) == SCHED_BATCH);
    CHECK(sched_setscheduler(0, SCHED_OTHER, &param) == 0);
    param.sched_priority = 3;
    CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
    CHECK_ERRNO(sched_setscheduler(0, 99, &param), EINVAL);
    param.sched_priority = 0;
    CHECK_ERRNO(sched_setscheduler(0x7ffffff0, SCHED_OTHER, &param), ESRCH);
    CHECK_ERRNO(sched_getscheduler(-1), EINVAL);
    CHECK_ERRNO(sched_getparam(0, NULL), EINVAL);
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
    CHECK(sched_get_priority_max(SCHED_OTHER) == 0);
    CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
    struct timespec slice;
    CHECK(sched_rr_get_interval(0, &slice) == 0);
    CHECK_ERRNO(sched_rr_get_interval(0x7ffffff0, &slice), ESRCH);
    unsigned attributes[12] = {};
    CHECK(syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0) == 0 && attributes[0] >= 48);
    CHECK(attributes[1] == SCHED_OTHER);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, attributes, 8, 0), EINVAL);
    attributes[0] = sizeof attributes;
    CHECK(syscall(SYS_sched_setattr, 0, attributes, 0) == 0);
}

// Both halves of a barrier's promise cannot be seen in one thread; that it is there and does not fail can.
static void barriers(void) {
    const long commands = syscall(SYS_membarrier, 0, 0, 0);
    CHECK(commands > 0 && (commands & 8) != 0 && (commands & 16) != 0);
    CHECK_ERRNO(syscall(SYS_membarrier, 8, 0, 0), EPERM);  // not registered yet
    CHECK(syscall(SYS_membarrier, 16, 0, 0) == 0);
    CHECK(syscall(SYS_membarrier, 8, 0, 0) == 0);
    CHECK_ERRNO(syscall(SYS_membarrier, 8, 12345, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
}

int main(void) {
    users();
    children();
    scheduling();
    barriers();
    return check_end();
}
