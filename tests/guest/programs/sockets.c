// Pairs of sockets: streams and datagrams, messages in pieces, shutting down, waiting, between threads.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

static void streams(void) {
    int ends[2];
    char buffer[64] = {};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    struct stat status;
    CHECK(fstat(ends[0], &status) == 0 && S_ISSOCK(status.st_mode));
    CHECK(write(ends[0], "hello", 5) == 5 && read(ends[1], buffer, sizeof buffer) == 5 &&
          memcmp(buffer, "hello", 5) == 0);
    CHECK(send(ends[1], "back", 4, MSG_NOSIGNAL) == 4 && recv(ends[0], buffer, 2, MSG_PEEK) == 2);
    CHECK(recv(ends[0], buffer, sizeof buffer, 0) == 4 && memcmp(buffer, "back", 4) == 0);
    CHECK_ERRNO(recv(ends[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
    int waiting = -1;
    CHECK(write(ends[0], "12345", 5) == 5 && ioctl(ends[1], FIONREAD, &waiting) == 0 && waiting == 5);
    CHECK(read(ends[1], buffer, 3) == 3 && read(ends[1], buffer, 9) == 2);
    CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK(shutdown(ends[0], SHUT_WR) == 0 && read(ends[1], buffer, 1) == 0);
    CHECK_ERRNO(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(ends[0], "x", 1), EPIPE);
    CHECK(close(ends[0]) == 0);
    CHECK_ERRNO(send(ends[1], "x", 1, 0), EPIPE);
    CHECK(recv(ends[1], buffer, 1, 0) == 0 && close(ends[1]) == 0);
}

static void datagrams(void) {
    int ends[2];
    char first[4] = {}, second[8] = {};
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK((fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0 && fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    CHECK(send(ends[0], "one", 3, 0) == 3 && send(ends[0], "twotwo", 6, 0) == 6 && send(ends[0], "", 0, 0) == 0);
    struct iovec pieces[2] = {{first, 2}, {second, sizeof second}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    CHECK(recvmsg(ends[1], &message, 0) == 3 && memcmp(first, "on", 2) == 0 && second[0] == 'e');
    message.msg_iovlen = 1;
    CHECK(recvmsg(ends[1], &message, 0) == 2 && (message.msg_flags & MSG_TRUNC) != 0 && message.msg_controllen == 0);
    CHECK(recv(ends[1], second, sizeof second, 0) == 0);
    CHECK_ERRNO(recvmsg(ends[1], &message, 0), EAGAIN);
    struct iovec parts[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 3};
    CHECK(sendmsg(ends[1], &out, 0) == 6 && read(ends[0], second, sizeof second) == 6 &&
          memcmp(second, "abcdef", 6) == 0);
    CHECK_ERRNO(sendmsg(ends[1], NULL, 0), EFAULT);
    CHECK_ERRNO(recv(ends[1], (void*)16, 4, MSG_DONTWAIT), EAGAIN);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void options(void) {
    int ends[2], value = -1;
    socklen_t bytes = sizeof value;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &bytes) == 0 && value == SOCK_SEQPACKET && bytes == 4);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &value, &bytes) == 0 && value == 0);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_DOMAIN, &value, &bytes) == 0 && value == AF_UNIX);
    value = 1 << 16;
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value) == 0);
    const struct timeval soon = {0, 20000};
    char byte;
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    CHECK_ERRNO(recv(ends[0], &byte, 1, 0), EAGAIN);
    struct sockaddr_un name;
    bytes = sizeof name;
    CHECK(getsockname(ends[0], (struct sockaddr*)&name, &bytes) == 0 && bytes == 2 && name.sun_family == AF_UNIX);
    bytes = sizeof name;
    CHECK(getpeername(ends[1], (struct sockaddr*)&name, &bytes) == 0 && bytes == 2);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    int pipe_ends[2];
    CHECK(pipe(pipe_ends) == 0);
    CHECK_ERRNO(send(pipe_ends[1], "x", 1, 0), ENOTSOCK);
    CHECK_ERRNO(recv(99, &byte, 1, 0), EBADF);
    CHECK_ERRNO(shutdown(pipe_ends[1], SHUT_RD), ENOTSOCK);
    CHECK_ERRNO(socketpair(AF_UNIX, 77, 0, ends), EINVAL);
    CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

enum { kAmount = 4 << 20 };
static int pair[2];

static void* sender(void* unused) {
    (void)unused;
    static char block[100000];
    memset(block, 'x', sizeof block);
    for (int left = kAmount; left > 0;) {
        const ssize_t sent = send(pair[0], block, left < (int)sizeof block ? left : (int)sizeof block, 0);
        if (sent <= 0) break;
        left -= (int)sent;
    }
    shutdown(pair[0], SHUT_WR);
    return NULL;
}

static void between_threads(void) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sender, NULL) == 0);
    const int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 77};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event) == 0);
    static char buffer[65536];
    long total = 0;
    for (;;) {
        CHECK(epoll_wait(epoll, &event, 1, -1) == 1 && event.data.fd == 77);
        const ssize_t got = recv(pair[1], buffer, sizeof buffer, total < 1000 ? MSG_WAITALL : 0);
        if (got <= 0) break;
        total += got;
    }
    CHECK(total == kAmount && pthread_join(thread, NULL) == 0);
    struct pollfd poller = {pair[1], POLLIN | POLLRDHUP, 0};
    CHECK(poll(&poller, 1, 0) == 1 && (poller.revents & POLLRDHUP) != 0);
    close(epoll);
    close(pair[0]);
    close(pair[1]);
}

int main(void) {
    streams();
    datagrams();
    options();
    between_threads();
    return check_end();
}
