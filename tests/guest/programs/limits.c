// What setrlimit sets is kept, and what each limit does. With an argument: the limit of processor time,
// which ends it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static const long kMiB = 1L << 20;
static volatile int signals;
static sigjmp_buf back;
static char buffer[8192];

static void count(int number) {
    (void)number;
    ++signals;
}

static void leave(int number) {
    (void)number;
    siglongjmp(back, 1);
}

static int set_soft(int resource, rlim_t soft) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return -1;
    limit.rlim_cur = soft;
    return setrlimit(resource, &limit);
}

static rlim_t hard(int resource) {
    struct rlimit limit = {0, 0};
    CHECK(getrlimit(resource, &limit) == 0 && limit.rlim_cur <= limit.rlim_max);
    return limit.rlim_max;
}

// Who is privileged is bound by fewer limits. No program in a node is.
enum { kAdministrator = 21, kOverLimits = 24 };  // CAP_SYS_ADMIN, CAP_SYS_RESOURCE
static int privileged(int capability) {
    uint32_t header[2] = {0x20080522, 0};
    uint32_t sets[6] = {0};
    if (syscall(SYS_capget, header, sets) != 0) return 0;
    return (sets[0] & 1U << capability) != 0;
}

static void keeps(void) {
    struct rlimit old;
    struct rlimit now = {3, 5};
    CHECK(prlimit(0, RLIMIT_CORE, NULL, &old) == 0);
    if (old.rlim_max >= 5) {
        CHECK(prlimit(0, RLIMIT_CORE, &now, &old) == 0 && old.rlim_max >= 5);
        CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 3 && now.rlim_max == 5);
        now.rlim_cur = 6;
        CHECK_ERRNO(setrlimit(RLIMIT_CORE, &now), EINVAL);
        now.rlim_max = 6;
        if (!privileged(kOverLimits)) CHECK_ERRNO(setrlimit(RLIMIT_CORE, &now), EPERM);
    }
    CHECK_ERRNO(getrlimit(16, &now), EINVAL);
    CHECK_ERRNO(setrlimit(16, &now), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_CPU, 8L), EFAULT);
    CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_CPU, 8L), EFAULT);
    CHECK_ERRNO(syscall(SYS_prlimit64, 0, RLIMIT_CPU, 8L, 0L), EFAULT);
}

static void sizes_of_files(void) {
    char name[] = "limits-XXXXXX";
    const int file = mkstemp(name);
    signal(SIGXFSZ, count);
    CHECK(file >= 0 && set_soft(RLIMIT_FSIZE, 5000) == 0);
    CHECK(write(file, buffer, sizeof buffer) == 5000 && signals == 0);
    CHECK_ERRNO(write(file, buffer, 1), EFBIG);
    CHECK(signals == 1);
    CHECK(write(file, buffer, 0) == 0 && signals == 1);
    CHECK(pwrite(file, buffer, 10, 4999) == 1 && signals == 1);
    CHECK_ERRNO(pwrite(file, buffer, 10, 5001), EFBIG);
    CHECK_ERRNO(ftruncate(file, 5001), EFBIG);
    CHECK_ERRNO(truncate(name, 5001), EFBIG);
    CHECK_ERRNO(fallocate(file, 0, 4000, 1001), EFBIG);
    CHECK(signals == 5);
    CHECK(ftruncate(file, 4990) == 0);
    off_t from = 0;
    CHECK(lseek(file, 0, SEEK_END) == 4990);
    const int source = open(name, O_RDONLY);
    CHECK(sendfile(file, source, &from, 100) == 10);
    CHECK_ERRNO(sendfile(file, source, &from, 100), EFBIG);
    signals = 0;  // Linux has told of it once more
    const int appended = open(name, O_WRONLY | O_APPEND);
    CHECK_ERRNO(write(appended, buffer, 1), EFBIG);
    CHECK(signals == 1);
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], buffer, 6000) == 6000);  // a pipe is no file in this sense
    CHECK(set_soft(RLIMIT_FSIZE, hard(RLIMIT_FSIZE)) == 0 && write(appended, buffer, 100) == 100);
    close(file);
    close(source);
    close(appended);
    close(ends[0]);
    close(ends[1]);
    unlink(name);
}

static void numbers_of_descriptors(void) {
    CHECK(dup2(0, 20) == 20 && set_soft(RLIMIT_NOFILE, 10) == 0);
    int opened[10];
    int last = -1;
    int opened_count = 0;
    for (int fd = 0; (fd = dup(20)) >= 0; last = fd) opened[opened_count++] = fd;
    CHECK(errno == EMFILE && last == 9);
    int ends[2];
    CHECK_ERRNO(pipe(ends), EMFILE);
    CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    CHECK_ERRNO(dup2(0, 10), EBADF);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 10), EINVAL);
    struct pollfd many[11] = {{0, 0, 0}};
    CHECK_ERRNO(poll(many, 11, 0), EINVAL);
    CHECK(fcntl(20, F_GETFD) >= 0);  // who has one keeps it
    CHECK(set_soft(RLIMIT_NOFILE, 30) == 0 && (last = fcntl(0, F_DUPFD, 25)) == 25);
    while (opened_count > 0) close(opened[--opened_count]);
    close(last);
    close(20);
}

static long pages_mapped(void) {
    char text[64] = {0};
    const int file = open("/proc/self/statm", O_RDONLY);
    CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return atol(text);
}

static void addresses(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK(set_soft(RLIMIT_AS, (rlim_t)(pages_mapped() * 4096 + 64 * kMiB)) == 0);
    CHECK_ERRNO(mmap(NULL, (size_t)(128 * kMiB), PROT_NONE, flags, -1, 0), ENOMEM);
    char* memory = mmap(NULL, (size_t)(60 * kMiB), PROT_NONE, flags, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK_ERRNO(mmap(NULL, (size_t)(32 * kMiB), PROT_NONE, flags, -1, 0), ENOMEM);
    CHECK_ERRNO(mremap(memory, (size_t)(60 * kMiB), (size_t)(90 * kMiB), MREMAP_MAYMOVE), ENOMEM);
    CHECK_ERRNO(sbrk(32 * kMiB), ENOMEM);
    // In place of what is there already.
    CHECK(mmap(memory, (size_t)(60 * kMiB), PROT_READ, flags | MAP_FIXED, -1, 0) == memory);
    CHECK(set_soft(RLIMIT_AS, hard(RLIMIT_AS)) == 0 && munmap(memory, (size_t)(60 * kMiB)) == 0);
}

static void data(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    const int both = PROT_READ | PROT_WRITE;
    CHECK(set_soft(RLIMIT_DATA, (rlim_t)(64 * kMiB)) == 0);
    CHECK_ERRNO(mmap(NULL, (size_t)(80 * kMiB), both, flags, -1, 0), ENOMEM);
    char* memory = mmap(NULL, (size_t)(80 * kMiB), PROT_READ, flags, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK_ERRNO(mprotect(memory, (size_t)(80 * kMiB), both), ENOMEM);
    CHECK(mprotect(memory, (size_t)(32 * kMiB), both) == 0);
    char* shared = mmap(NULL, (size_t)(80 * kMiB), both, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_ERRNO(sbrk(80 * kMiB), ENOMEM);
    CHECK(munmap(memory, (size_t)(80 * kMiB)) == 0 && munmap(shared, (size_t)(80 * kMiB)) == 0);
    CHECK(set_soft(RLIMIT_DATA, hard(RLIMIT_DATA)) == 0);
}

static __attribute__((noinline)) int descend(long bytes) {
    volatile char frame[4096];
    frame[0] = 1;
    const int below = bytes > 4096 ? descend(bytes - 4096) : 0;
    return frame[0] + below;
}

static void stacks(void) {
    if (hard(RLIMIT_STACK) < (rlim_t)(64 * kMiB)) return;
    static char other[65536];
    const stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
    const struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    CHECK(set_soft(RLIMIT_STACK, (rlim_t)(64 * kMiB)) == 0);
    CHECK(descend(20 * kMiB) > 0);
    CHECK(set_soft(RLIMIT_STACK, (rlim_t)(40 * kMiB)) == 0);
    int refused = 1;
    if (sigsetjmp(back, 1) == 0) refused = descend(50 * kMiB) < 0;
    CHECK(refused == 1);
}

static void* nothing(void* argument) { return argument; }

static void threads(void) {
    if (privileged(kOverLimits) || privileged(kAdministrator)) return;
    pthread_t thread;
    CHECK(set_soft(RLIMIT_NPROC, 1) == 0);
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == EAGAIN);
    CHECK(set_soft(RLIMIT_NPROC, hard(RLIMIT_NPROC)) == 0);
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void warn(int number) {
    (void)number;
    (void)!write(1, "warned\n", 7);
    signal(SIGXCPU, SIG_IGN);
}

static void processor_time(void) {
    const struct rlimit limit = {1, 2};
    signal(SIGXCPU, warn);
    CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
    for (;;) continue;
}

int main(int argc, char** argv) {
    (void)argv;
    if (argc > 1) processor_time();
    keeps();
    sizes_of_files();
    numbers_of_descriptors();
    addresses();
    data();
    stacks();
    threads();
    return check_end();
}
