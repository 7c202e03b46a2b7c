// The program's view of the files: what lies outside of its working folder can be read and not changed, the machine's
// devices and other processes are not there.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "check.h"

static void unchangeable(const char* file) {
    char byte;
    const int fd = open(file, O_RDONLY);
    CHECK(fd >= 0 && read(fd, &byte, 1) == 1);
    CHECK_ERRNO(open(file, O_WRONLY), EROFS);
    CHECK_ERRNO(open(file, O_RDWR), EROFS);
    CHECK_ERRNO(open(file, O_RDONLY | O_TRUNC), EROFS);
    CHECK_ERRNO(truncate(file, 0), EROFS);
    CHECK_ERRNO(chmod(file, 0600), EROFS);
    CHECK_ERRNO(fchmod(fd, 0600), EROFS);
    CHECK_ERRNO(futimens(fd, NULL), EROFS);
    CHECK_ERRNO(utime(file, NULL), EROFS);
    CHECK_ERRNO(chown(file, 0, 0), EROFS);
    CHECK_ERRNO(linkat(AT_FDCWD, file, AT_FDCWD, "mine", AT_SYMLINK_FOLLOW), EXDEV);
    CHECK_ERRNO(access(file, W_OK), EROFS);
    CHECK(access(file, R_OK) == 0);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    CHECK_ERRNO(open(name, O_WRONLY), EROFS);
    CHECK_ERRNO(linkat(AT_FDCWD, name, AT_FDCWD, "mine", AT_SYMLINK_FOLLOW), EXDEV);
    CHECK_ERRNO(linkat(fd, "", AT_FDCWD, "mine", AT_EMPTY_PATH), EXDEV);
    close(fd);
}

static void unremovable(const char* file) {
    CHECK_ERRNO(unlink(file), EROFS);
    CHECK_ERRNO(rename(file, "mine"), EROFS);
    CHECK_ERRNO(rename("up", file), EROFS);
    CHECK_ERRNO(link(file, "mine"), EXDEV);
    CHECK_ERRNO(link("up", file), EEXIST);
}

static void ways_out(void) {
    CHECK(symlink("/etc", "etc") == 0 && symlink("/etc/passwd", "passwd") == 0 &&
          symlink("../../../../../..", "up") == 0);
    unchangeable("passwd");
    unchangeable("etc/passwd");
    unremovable("etc/passwd");
    unchangeable("up/etc/passwd");
    unremovable("up/etc/passwd");
    CHECK_ERRNO(open("etc/mine", O_CREAT | O_WRONLY, 0600), EROFS);
    CHECK_ERRNO(mkdir("etc/mine", 0700), EROFS);
    CHECK_ERRNO(symlink("x", "etc/mine"), EROFS);
    CHECK_ERRNO(mkfifo("etc/mine", 0600), EROFS);
    CHECK_ERRNO(open("/etc", O_TMPFILE | O_RDWR, 0600), EROFS);
    CHECK_ERRNO(rmdir("/var/tmp"), EROFS);
    const int etc = open("/etc", O_RDONLY | O_DIRECTORY);
    CHECK_ERRNO(openat(etc, "mine", O_CREAT | O_WRONLY, 0600), EROFS);
    CHECK_ERRNO(openat(etc, "passwd", O_WRONLY), EROFS);
    CHECK_ERRNO(unlinkat(etc, "passwd", 0), EROFS);
    close(etc);
    CHECK(symlink("/etc/mine", "dangling") == 0);
    CHECK_ERRNO(open("dangling", O_CREAT | O_WRONLY, 0600), EROFS);
    CHECK(unlink("etc") == 0 && unlink("passwd") == 0 && unlink("up") == 0 && unlink("dangling") == 0);
}

static void absent(void) {
    const char* const hidden[] = {
        "/proc/1",   "/proc/1/environ",   "/proc/kcore",    "/proc/kallsyms", "/proc/modules", "/proc/sysrq-trigger",
        "/proc/net", "/sys/kernel/debug", "/sys/fs/cgroup", "/sys/class",     "/dev/mem",      "/dev/kvm",
        "/dev/vda",  "/dev/pts",          "/dev/console"};
    for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; ++i) {
        struct stat status;
        CHECK_ERRNO(open(hidden[i], O_RDONLY), ENOENT);
        CHECK_ERRNO(stat(hidden[i], &status), ENOENT);
    }
    CHECK(mkfifo("pipe", 0600) == 0 && unlink("pipe") == 0);
    CHECK_ERRNO(mknod("device", S_IFCHR | 0666, 0x0101), EPERM);
    CHECK_ERRNO(mknod("device", S_IFBLK | 0666, 0x0800), EPERM);
    CHECK_ERRNO(chroot("."), ENOSYS);
    CHECK_ERRNO(open("/proc/cpuinfo", O_RDWR), EACCES);
    CHECK_ERRNO(open("/proc/mine", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERRNO(setxattr("/etc/passwd", "user.x", "1", 1, 0), EOPNOTSUPP);
}

static void scratch(void) {
    char name[] = "/tmp/view-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && unlink(name) == 0);
    // The job's own folders, that stay where they are.
    CHECK_ERRNO(rename("/tmp", "mine"), EROFS);
    char shared[] = "/dev/shm/view-XXXXXX";
    CHECK(mkdtemp(shared) != NULL && rmdir(shared) == 0);
    const int made = open("special", O_CREAT | O_WRONLY, 06777);
    struct stat status;
    CHECK(made >= 0 && fstat(made, &status) == 0 && (status.st_mode & 07000) == 0);
    CHECK(fchmod(made, 06755) == 0 && fstat(made, &status) == 0 && (status.st_mode & 07777) == 0755);
    CHECK_ERRNO(fchown(made, status.st_uid + 1, (gid_t)-1), EPERM);
    close(made);
    CHECK(unlink("special") == 0);
}

int main(void) {
    char folder[] = "view-XXXXXX";
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    unchangeable("/etc/passwd");
    unchangeable("/proc/self/root/etc/passwd");
    ways_out();
    absent();
    scratch();
    CHECK(chdir("..") == 0 && rmdir(folder) == 0);
    return check_end();
}
