// Pointers and lengths that lie are answered by EFAULT and EINVAL, not by a crash.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static const char constant[64] = "constant";

int main(void) {
    char* area = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area + 4096, 4096);
    void* const bad[] = {(void*)1,
                         (void*)0x8000,
                         area + 4096,
                         (void*)0x1fffff2000,  // where nodes have pages of their own
                         (void*)0x700000000000,
                         (void*)0x800000000000,
                         (void*)0x8000000000000000,
                         (void*)0xffffffff81000000,
                         (void*)(UINTPTR_MAX - 7)};
    char name[] = "bad-XXXXXX";
    const int file = mkstemp(name);
    CHECK(write(file, "0123456789abcdef", 16) == 16);
    const int zero = open("/dev/zero", O_RDONLY);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; ++i) {
        CHECK_ERRNO(syscall(SYS_write, file, bad[i], 16L), EFAULT);
        CHECK_ERRNO(syscall(SYS_pread64, file, bad[i], 16L, 0L), EFAULT);
        CHECK_ERRNO(syscall(SYS_read, zero, bad[i], 16L), EFAULT);
        CHECK_ERRNO(syscall(SYS_openat, AT_FDCWD, bad[i], O_RDONLY, 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_newfstatat, AT_FDCWD, name, bad[i], 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_fstat, file, bad[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_nanosleep, bad[i], NULL), EFAULT);
        CHECK_ERRNO(syscall(SYS_writev, file, bad[i], 1L), EFAULT);
        CHECK_ERRNO(syscall(SYS_getcwd, bad[i], 4096L), EFAULT);
        CHECK_ERRNO(syscall(SYS_uname, bad[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_clock_gettime, (long)CLOCK_MONOTONIC, bad[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_getrandom, bad[i], 16L, 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_pipe2, bad[i], 0), EFAULT);
        CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 0, bad[i], NULL, 8L), EFAULT);
        struct iovec part = {bad[i], 8};
        CHECK_ERRNO(writev(file, &part, 1), EFAULT);
    }
    // Read-only memory may be written from, and not read into.
    CHECK(pwrite(file, constant, 8, 0) == 8);
    CHECK_ERRNO(pread(file, (char*)(uintptr_t)constant, 8, 0), EFAULT);
    // Half mapped: either what fits, or EFAULT; never what does not fit.
    const long half = syscall(SYS_pwrite64, file, area + 4096 - 8, 16L, 0L);
    CHECK(half == 8 || (half == -1 && errno == EFAULT));
    // Strings may end right at the border of what is mapped, and not beyond it.
    strcpy(area + 4096 - strlen(name) - 1, name);
    CHECK(access(area + 4096 - strlen(name) - 1, F_OK) == 0);
    memset(area + 4000, 'x', 96);
    CHECK_ERRNO(access(area + 4000, F_OK), EFAULT);
    // Lengths.
    struct iovec huge[2] = {{area, 8}, {area, SIZE_MAX}};
    CHECK_ERRNO(writev(file, huge, 2), EINVAL);
    CHECK_ERRNO(syscall(SYS_writev, file, huge, -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_readv, file, huge, 5000L), EINVAL);
    CHECK_ERRNO(syscall(SYS_getcwd, area, 1L), ERANGE);
    CHECK_ERRNO(fcntl(file, 9999), EINVAL);
    CHECK_ERRNO(lseek(file, 0, 99), EINVAL);
    CHECK_ERRNO(pread(file, area, 8, -1), EINVAL);
    CHECK(write(file, area + 4096, 0) == 0);
    close(file);
    unlink(name);
    return check_end();
}
