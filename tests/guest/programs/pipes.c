// Pipes, eventfd, poll, select and epoll, between the threads of a program.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

#include "check.h"

static int ends[2];

static void* writer(void* unused) {
    (void)unused;
    char block[1000];
    for (int i = 0; i < 500; ++i) {
        memset(block, i & 255, sizeof block);
        size_t done = 0;
        while (done < sizeof block) {
            ssize_t count = write(ends[1], block + done, sizeof block - done);
            if (count <= 0) return NULL;
            done += (size_t)count;
        }
    }
    close(ends[1]);
    return NULL;
}

static void* signaller(void* fd) {
    usleep(3000);
    const uint64_t one = 1;
    (void)!write((int)(intptr_t)fd, &one, sizeof one);
    return NULL;
}

int main(void) {
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pthread_t thread;
    pthread_create(&thread, NULL, writer, NULL);
    size_t total = 0;
    unsigned long sum = 0;
    unsigned char buffer[777];
    for (ssize_t count; (count = read(ends[0], buffer, sizeof buffer)) > 0; total += (size_t)count)
        for (ssize_t i = 0; i < count; ++i) sum += buffer[i];
    pthread_join(thread, NULL);
    printf("%zu bytes, sum %lu\n", total, sum);
    close(ends[0]);

    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(ends[0], buffer, 1), EAGAIN);
    struct pollfd polled[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    CHECK(poll(polled, 2, 1000) == 1 && polled[0].revents == 0 && polled[1].revents == POLLOUT);
    CHECK(write(ends[1], "abc", 3) == 3);
    CHECK(poll(polled, 2, 0) == 2 && polled[0].revents == POLLIN);
    int ready = 0;
    CHECK(ioctl(ends[0], FIONREAD, &ready) == 0 && ready == 3);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval none = {0, 0};
    CHECK(select(ends[0] + 1, &set, NULL, NULL, &none) == 1 && FD_ISSET(ends[0], &set));
    CHECK(read(ends[0], buffer, 10) == 3);
    CHECK(poll(polled, 1, 3) == 0);
    close(ends[1]);
    CHECK(poll(polled, 1, 0) == 1 && (polled[0].revents & POLLHUP));
    CHECK(read(ends[0], buffer, 1) == 0);
    close(ends[0]);
    struct pollfd closed = {ends[0], POLLIN, 0};
    CHECK(poll(&closed, 1, 0) == 1 && closed.revents == POLLNVAL);

    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
    close(ends[1]);

    const int event = eventfd(3, 0);
    uint64_t value = 0;
    CHECK(read(event, &value, sizeof value) == sizeof value && value == 3);
    const int epoll = epoll_create1(0);
    struct epoll_event wanted = {EPOLLIN, {.u64 = 12345}}, got = {0, {0}};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted) == 0);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), EEXIST);
    CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
    pthread_create(&thread, NULL, signaller, (void*)(intptr_t)event);
    CHECK(epoll_wait(epoll, &got, 1, 10000) == 1 && got.data.u64 == 12345);
    pthread_join(thread, NULL);
    close(event);
    close(epoll);
    return check_end();
}
