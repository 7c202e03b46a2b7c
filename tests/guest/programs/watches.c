// Watching files and folders: inotify.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static char events[4096] __attribute__((aligned(8)));

// The next event is this one.
static size_t at, end;
static void expect(int fd, int watch, uint32_t mask, const char* name) {
    if (at == end) {
        const ssize_t count = read(fd, events, sizeof events);
        CHECK(count > 0);
        at = 0;
        end = count > 0 ? (size_t)count : 0;
        if (end == 0) return;
    }
    const struct inotify_event* const event = (const void*)(events + at);
    at += sizeof *event + event->len;
    CHECK(event->wd == watch && event->mask == mask);
    CHECK(strcmp(event->len != 0 ? event->name : "", name) == 0);
    if (event->mask != mask) printf("mask %#x instead of %#x, %s\n", event->mask, mask, name);
}

static void make(const char* path) {
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

static void a_folder(void) {
    const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(fd >= 0 && mkdir("watched", 0700) == 0);
    const int watch = inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE);
    CHECK(watch >= 1);
    CHECK_ERRNO(read(fd, events, sizeof events), EAGAIN);
    make("watched/one");
    CHECK(rename("watched/one", "watched/two") == 0 && mkdir("watched/deep", 0700) == 0);
    CHECK(unlink("watched/two") == 0 && rmdir("watched/deep") == 0);
    struct pollfd wanted = {fd, POLLIN, 0};
    CHECK(poll(&wanted, 1, 5000) == 1 && wanted.revents == POLLIN);
    int bytes = 0;
    CHECK(ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0);
    CHECK_ERRNO(read(fd, events, 8), EINVAL);
    expect(fd, watch, IN_CREATE, "one");
    expect(fd, watch, IN_CLOSE_WRITE, "one");
    expect(fd, watch, IN_MOVED_FROM, "one");
    expect(fd, watch, IN_MOVED_TO, "two");
    expect(fd, watch, IN_CREATE | IN_ISDIR, "deep");
    expect(fd, watch, IN_DELETE, "two");
    expect(fd, watch, IN_DELETE | IN_ISDIR, "deep");
    CHECK(inotify_rm_watch(fd, watch) == 0);
    expect(fd, watch, IN_IGNORED, "");
    make("watched/one");
    CHECK_ERRNO(read(fd, events, sizeof events), EAGAIN);
    CHECK_ERRNO(inotify_rm_watch(fd, watch), EINVAL);
    CHECK(close(fd) == 0);
}

static void a_file_and_a_link(void) {
    const int fd = inotify_init();
    make("target");
    CHECK(symlink("target", "link") == 0);
    const int watch = inotify_add_watch(fd, "link", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF);
    CHECK(inotify_add_watch(fd, "target", IN_MODIFY | IN_DELETE_SELF) == watch);  // the same file
    const int itself = inotify_add_watch(fd, "link", IN_DELETE_SELF | IN_DONT_FOLLOW);
    CHECK(itself > 0 && itself != watch);
    make("target");
    expect(fd, watch, IN_MODIFY, "");
    CHECK(unlink("link") == 0);
    expect(fd, itself, IN_DELETE_SELF, "");
    expect(fd, itself, IN_IGNORED, "");
    CHECK(unlink("target") == 0);
    expect(fd, watch, IN_DELETE_SELF, "");
    expect(fd, watch, IN_IGNORED, "");
    CHECK(close(fd) == 0);
}

static void* make_later(void* path) {
    usleep(20000);
    make(path);
    return NULL;
}

static void waits_for_it(void) {
    const int fd = inotify_init1(0);
    const int watch = inotify_add_watch(fd, "watched", IN_CREATE | IN_ONLYDIR);
    pthread_t thread;
    CHECK(watch > 0 && pthread_create(&thread, NULL, make_later, "watched/later") == 0);
    expect(fd, watch, IN_CREATE, "later");
    CHECK(pthread_join(thread, NULL) == 0 && close(fd) == 0);
}

// Those that go with their files do not count for ever.
static void many(void) {
    const int fd = inotify_init1(IN_NONBLOCK);
    for (int i = 0; i < 1100; ++i) {
        make("short");
        CHECK(inotify_add_watch(fd, "short", IN_MODIFY) > 0);
        CHECK(unlink("short") == 0);
    }
    CHECK(close(fd) == 0);
}

static void bad_arguments(void) {
    const int fd = inotify_init1(0);
    CHECK_ERRNO(inotify_init1(1 << 30), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "nowhere", IN_CREATE), ENOENT);
    CHECK_ERRNO(inotify_add_watch(fd, "watched", 0), EINVAL);
    CHECK_ERRNO(inotify_add_watch(fd, "watched/one", IN_CREATE | IN_ONLYDIR), ENOTDIR);
    CHECK_ERRNO(inotify_add_watch(fd, (const char*)16, IN_CREATE), EFAULT);
    CHECK_ERRNO(inotify_add_watch(999, "watched", IN_CREATE), EBADF);
    CHECK_ERRNO(inotify_add_watch(0, "watched", IN_CREATE), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(fd, 77), EINVAL);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    CHECK(close(fd) == 0);
}

int main(void) {
    // Ranks share the folder that they start in.
    char own[] = "folder-XXXXXX";
    CHECK(mkdtemp(own) != NULL && chdir(own) == 0);
    a_folder();
    a_file_and_a_link();
    waits_for_it();
    many();
    bad_arguments();
    return check_end();
}
