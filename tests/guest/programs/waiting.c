// Waiting for descriptors, interrupted and not; timers, events and memory files as descriptors.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t handled;

static void on_signal(int number) {
    (void)number;
    ++handled;
}

static void install(int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct later {
    pthread_t target;
    int fd;  // written to, if not negative; else the target gets a signal
    const char* text;
};

static void* act_later(void* argument) {
    struct later* what = argument;
    usleep(20000);
    if (what->fd >= 0) {
        CHECK(write(what->fd, what->text, strlen(what->text)) == (ssize_t)strlen(what->text));
    } else {
        pthread_kill(what->target, SIGUSR1);
    }
    return NULL;
}

static pthread_t start(struct later* what) {
    pthread_t thread;
    what->target = pthread_self();
    CHECK(pthread_create(&thread, NULL, act_later, what) == 0);
    return thread;
}

static void interrupted(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    char byte = 0;
    struct later signal = {.fd = -1};
    // A read starts again after a handler with SA_RESTART, and does not after another.
    install(SA_RESTART);
    handled = 0;
    pthread_t first = start(&signal);
    struct later text = {.fd = ends[1], .text = "x"};
    pthread_join(first, NULL);
    first = start(&text);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x' && handled == 1);
    pthread_join(first, NULL);
    install(0);
    first = start(&signal);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    pthread_join(first, NULL);
    CHECK(handled == 2);
    // poll and its kin never start again.
    install(SA_RESTART);
    struct pollfd polled = {ends[0], POLLIN, 0};
    first = start(&signal);
    CHECK_ERRNO(poll(&polled, 1, -1), EINTR);
    pthread_join(first, NULL);
    first = start(&signal);
    CHECK_ERRNO(poll(NULL, 0, 10000), EINTR);
    pthread_join(first, NULL);
    first = start(&signal);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    CHECK_ERRNO(select(ends[0] + 1, &set, NULL, NULL, NULL), EINTR);
    pthread_join(first, NULL);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {EPOLLIN, {.fd = ends[0]}};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
    first = start(&signal);
    CHECK_ERRNO(epoll_wait(epoll, &event, 1, -1), EINTR);
    pthread_join(first, NULL);
    CHECK(handled == 6);
    close(epoll);
    close(ends[0]);
    close(ends[1]);
}

static void masks(void) {
    install(0);
    sigset_t blocked, old, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    handled = 0;
    raise(SIGUSR1);
    CHECK(handled == 0);
    const struct timespec second = {1, 0};
    CHECK_ERRNO(ppoll(NULL, 0, &second, &none), EINTR);
    CHECK(handled == 1);
    raise(SIGUSR1);
    CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &second, &none), EINTR);
    CHECK(handled == 2);
    const int epoll = epoll_create1(0);
    struct epoll_event event;
    raise(SIGUSR1);
    CHECK_ERRNO(epoll_pwait(epoll, &event, 1, 1000, &none), EINTR);
    CHECK(handled == 3);
    // The mask of before is back, and something ready comes before a signal.
    sigset_t current;
    sigprocmask(SIG_SETMASK, NULL, &current);
    CHECK(sigismember(&current, SIGUSR1));
    const int ready = eventfd(1, 0);
    struct pollfd polled = {ready, POLLIN, 0};
    raise(SIGUSR1);
    CHECK(ppoll(&polled, 1, &second, &none) == 1 && handled == 3);
    sigprocmask(SIG_SETMASK, NULL, &current);
    CHECK(sigismember(&current, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK(handled == 4);
    close(ready);
    close(epoll);
}

static void timeouts(void) {
    double begin = now();
    CHECK(poll(NULL, 0, 30) == 0 && now() - begin >= 0.03);
    begin = now();
    struct timeval brief = {0, 30000};
    CHECK(select(0, NULL, NULL, NULL, &brief) == 0 && now() - begin >= 0.03);
#ifdef __GLIBC__  // others pass a copy
    CHECK(brief.tv_sec == 0 && brief.tv_usec == 0);
#endif
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd polled[3] = {{ends[0], POLLIN, 77}, {-5, POLLIN, 77}, {ends[1], POLLIN, 77}};
    begin = now();
    CHECK(poll(polled, 3, 30) == 0 && now() - begin >= 0.03);
    CHECK(polled[0].revents == 0 && polled[1].revents == 0 && polled[2].revents == 0);
    struct later text = {.fd = ends[1], .text = "late"};
    const pthread_t thread = start(&text);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    struct timeval long_time = {20, 0};
    CHECK(select(ends[0] + 1, &in, &out, NULL, &long_time) == 1 && FD_ISSET(ends[0], &in));
#ifdef __GLIBC__
    CHECK(long_time.tv_sec < 20);
#endif
    pthread_join(thread, NULL);
    FD_SET(ends[1], &out);
    FD_SET(0, &in);
    CHECK(select(ends[1] + 1, &in, &out, NULL, NULL) >= 2 && FD_ISSET(ends[1], &out) && FD_ISSET(ends[0], &in));
    FD_ZERO(&in);
    FD_SET(63, &in);
    struct timeval zero = {0, 0};
    CHECK_ERRNO(select(64, &in, NULL, NULL, &zero), EBADF);
    CHECK_ERRNO(select(-1, NULL, NULL, NULL, &zero), EINVAL);
    CHECK_ERRNO(syscall(SYS_poll, polled, 3000000UL, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_poll, 1UL, 1UL, 0), EFAULT);
    close(ends[0]);
    close(ends[1]);
}

static void timer_descriptors(void) {
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    CHECK(timer >= 0);
    const struct itimerspec often = {{0, 10000000}, {0, 10000000}};
    struct itimerspec present;
    const double begin = now();
    CHECK(timerfd_settime(timer, 0, &often, NULL) == 0);
    CHECK(timerfd_gettime(timer, &present) == 0 && present.it_interval.tv_nsec == 10000000);
    uint64_t count = 0, total = 0;
    while (total < 3) {
        CHECK(read(timer, &count, sizeof count) == sizeof count && count >= 1);
        total += count;
    }
    CHECK(now() - begin >= 0.03);
    const struct itimerspec never = {{0, 0}, {0, 0}};
    CHECK(timerfd_settime(timer, 0, &never, &present) == 0 && present.it_interval.tv_nsec == 10000000);
    CHECK(fcntl(timer, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(timer, &count, sizeof count), EAGAIN);
    CHECK_ERRNO(timerfd_settime(0, 0, &never, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(timer, 0, (void*)8, NULL), EFAULT);
    CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
    close(timer);
}

static void epolls(void) {
    const int epoll = epoll_create1(0);
    const int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    struct epoll_event one = {EPOLLIN | EPOLLET, {.u64 = 0x1234567890abcdef}},
                       two = {EPOLLIN | EPOLLONESHOT, {.u64 = 2}};
    struct epoll_event got[4];
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, first, &one) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, second, &two) == 0);
    uint64_t value = 5;
    CHECK(write(first, &value, 8) == 8 && write(second, &value, 8) == 8);
    CHECK(epoll_wait(epoll, got, 4, 1000) == 2);
    CHECK(epoll_wait(epoll, got, 4, 0) == 0);  // edge-triggered, and one shot
    CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, second, &two) == 0);
    CHECK(epoll_wait(epoll, got, 4, 1000) == 1 && got[0].data.u64 == 2 && got[0].events == EPOLLIN);
    CHECK(read(second, &value, 8) == 8 && value == 1);
    CHECK(read(first, &value, 8) == 8 && value == 5);
    CHECK_ERRNO(read(first, &value, 8), EAGAIN);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, second, NULL) == 0);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, second, NULL), ENOENT);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, 999, &one), EBADF);
    CHECK_ERRNO(epoll_ctl(first, EPOLL_CTL_ADD, second, &one), EINVAL);
    CHECK_ERRNO(epoll_ctl(epoll, 99, first, &one), EINVAL);
    CHECK_ERRNO(epoll_wait(epoll, got, 0, 0), EINVAL);
    CHECK_ERRNO(epoll_create1(77), EINVAL);
    const int file = open("/etc/passwd", O_RDONLY);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &one), EPERM);
    close(file);
    // A descriptor that is closed is no longer waited for.
    value = 1;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, first, &one) == 0 && write(first, &value, 8) == 8 && close(first) == 0);
    CHECK(epoll_wait(epoll, got, 4, 0) == 0);
    close(second);
    close(epoll);
}

static void memory_files(void) {
    const int file = memfd_create("thing", MFD_ALLOW_SEALING);
    struct stat status;
    char text[64] = {0};
    CHECK(file >= 0 && write(file, "0123456789", 10) == 10 && fstat(file, &status) == 0 && status.st_size == 10);
    CHECK(ftruncate(file, 4096) == 0);
    void* const mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    CHECK_ERRNO(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);  // it might become writable
    CHECK(munmap(mapped, 4096) == 0);
    CHECK(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && fcntl(file, F_GET_SEALS) == F_SEAL_SHRINK);
    CHECK_ERRNO(ftruncate(file, 2), EPERM);
    char* map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK(map != MAP_FAILED && memcmp(map, "0123456789", 10) == 0);
    munmap(map, 4096);
    struct iovec part = {text, 4};
    CHECK(syscall(SYS_preadv2, file, &part, 1L, 3L, 0L, 0L) == 4 && memcmp(text, "3456", 4) == 0);
    CHECK(lseek(file, 5, SEEK_SET) == 5 && syscall(SYS_preadv2, file, &part, 1L, -1L, 0L, 0L) == 4 &&
          memcmp(text, "5678", 4) == 0);
    CHECK(syscall(SYS_pwritev2, file, &part, 1L, 0L, 0L, 0L) == 4);
    CHECK_ERRNO(syscall(SYS_preadv2, file, &part, 1L, -2L, 0L, 0L), EINVAL);
    CHECK(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    CHECK_ERRNO(write(file, text, 4), EPERM);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED && errno == EPERM);
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(map != MAP_FAILED);
    map[0] = 'x';
    munmap(map, 4096);
    close(file);
}

static void copies(void) {
    char name[] = "copies-XXXXXX", other[] = "copies-XXXXXX";
    const int from = mkstemp(name), to = mkstemp(other);
    unlink(name);
    unlink(other);
    static char data[700000], back[700000];
    for (unsigned i = 0; i < sizeof data; ++i) data[i] = (char)(i * 7 + (i >> 9));
    CHECK(write(from, data, sizeof data) == sizeof data);
    off_t in = 1000, out = 500;
    CHECK(copy_file_range(from, &in, to, &out, 5000, 0) == 5000 && in == 6000 && out == 5500);
    CHECK(lseek(from, 0, SEEK_CUR) == sizeof data);
    CHECK(pread(to, back, 5500, 0) == 5500 && memcmp(back + 500, data + 1000, 5000) == 0);
    in = 0;
    CHECK(lseek(to, 0, SEEK_SET) == 0);
    CHECK(sendfile(to, from, &in, sizeof data) == sizeof data && in == sizeof data);
    CHECK(pread(to, back, sizeof back, 0) == sizeof back && memcmp(back, data, sizeof data) == 0);
    CHECK(lseek(from, 10, SEEK_SET) == 10);
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(sendfile(ends[1], from, NULL, 1000) == 1000 && lseek(from, 0, SEEK_CUR) == 1010);
    CHECK(read(ends[0], back, 1000) == 1000 && memcmp(back, data + 10, 1000) == 0);
    CHECK_ERRNO(sendfile(from, ends[0], NULL, 10), EINVAL);
    CHECK_ERRNO(copy_file_range(ends[0], NULL, to, NULL, 10, 0), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(from);
    close(to);
}

static void ranges(void) {
    const int first = dup(0), second = dup(0), third = dup(0);
    CHECK(syscall(SYS_close_range, second, third, 4 /* CLOEXEC */) == 0 && fcntl(second, F_GETFD) == FD_CLOEXEC);
    CHECK(syscall(SYS_close_range, second, third, 0) == 0);
    CHECK_ERRNO(fcntl(third, F_GETFD), EBADF);
    CHECK(fcntl(first, F_GETFD) == 0 && close(first) == 0);
    CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
}

int main(void) {
    interrupted();
    masks();
    timeouts();
    timer_descriptors();
    epolls();
    memory_files();
    copies();
    ranges();
    return check_end();
}
