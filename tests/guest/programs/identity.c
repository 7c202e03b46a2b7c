// Who and where the program is.
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
    (void)argc;
    const pid_t own = getpid();
    CHECK(own > 0 && getpid() == own && syscall(SYS_gettid) == own);
    CHECK(getppid() >= 0);
    printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    struct utsname name;
    CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
    int major = 0, minor = 0;
    CHECK(sscanf(name.release, "%d.%d", &major, &minor) == 2 && major >= 4);
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.mem_unit > 0);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 64);
    CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
    unsigned char random[2][32] = {{0}};
    CHECK(getrandom(random[0], 32, 0) == 32 && getrandom(random[1], 32, 0) == 32);
    CHECK(memcmp(random[0], random[1], 32) != 0);
    CHECK_ERRNO(getrandom(random, 1, 0xff00), EINVAL);
    const mode_t mask = umask(027);
    CHECK(umask(mask) == 027);
    char path[PATH_MAX] = {0};
    CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    const char* base = strrchr(argv[0], '/');
    CHECK(base != NULL && strrchr(path, '/') != NULL && strcmp(strrchr(path, '/'), base) == 0);
    CHECK(isatty(0) == 0 && isatty(1) == 0);
    CHECK_ERRNO(kill(0x3fffffff, 0), ESRCH);
    return check_end();
}
