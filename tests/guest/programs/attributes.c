// Attributes of files, and the ways to change them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "check.h"

static struct stat of(const char* path) {
    struct stat status;
    memset(&status, 0xff, sizeof status);
    CHECK(lstat(path, &status) == 0);
    return status;
}

static void modes(void) {
    umask(022);
    const int fd = open("file", O_CREAT | O_RDWR, 0777);
    CHECK((of("file").st_mode & 07777) == 0755);
    CHECK(chmod("file", 0640) == 0 && (of("file").st_mode & 07777) == 0640);
    CHECK(fchmod(fd, 0600) == 0 && (of("file").st_mode & 07777) == 0600);
    CHECK(fchmodat(AT_FDCWD, "file", 0444, 0) == 0 && (of("file").st_mode & 07777) == 0444);
    CHECK(chmod("file", 0644) == 0);
    CHECK(chown("file", (uid_t)-1, (gid_t)-1) == 0 && fchown(fd, getuid(), getgid()) == 0);
    CHECK(lchown("file", getuid(), (gid_t)-1) == 0);
    CHECK_ERRNO(chmod("absent", 0644), ENOENT);
    CHECK_ERRNO(fchmod(-1, 0644), EBADF);
    CHECK(access("file", R_OK | W_OK) == 0 && faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS) == 0);
    CHECK_ERRNO(access("file", 77), EINVAL);
    umask(077);
    CHECK(mkdir("private", 0777) == 0 && (of("private").st_mode & 0777) == 0700);
    CHECK(mkfifo("pipe", 0666) == 0 && S_ISFIFO(of("pipe").st_mode) && (of("pipe").st_mode & 0777) == 0600);
    CHECK(rmdir("private") == 0 && unlink("pipe") == 0);
    umask(022);
    close(fd);
}

static void times(void) {
    const struct timespec wanted[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    CHECK(utimensat(AT_FDCWD, "file", wanted, 0) == 0);
    struct stat status = of("file");
    CHECK(status.st_atim.tv_sec == 1000000000 && status.st_atim.tv_nsec == 123456789);
    CHECK(status.st_mtim.tv_sec == 1100000000 && status.st_mtim.tv_nsec == 987654321);
    const struct timespec half[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    CHECK(utimensat(AT_FDCWD, "file", half, 0) == 0);
    status = of("file");
    CHECK(status.st_atim.tv_sec == 1000000000 && status.st_mtim.tv_sec > 1500000000);
    const struct timeval coarse[2] = {{1200000000, 5}, {1200000001, 6}};
    CHECK(utimes("file", coarse) == 0 && of("file").st_mtim.tv_nsec == 6000);
    const struct utimbuf seconds = {1300000000, 1300000001};
    CHECK(utime("file", &seconds) == 0 && of("file").st_mtim.tv_sec == 1300000001);
    const int fd = open("file", O_RDWR);
    CHECK(futimens(fd, wanted) == 0 && of("file").st_mtim.tv_sec == 1100000000);
    CHECK(utime("file", NULL) == 0 && of("file").st_mtim.tv_sec > 1500000000);
    const struct timespec wrong[2] = {{0, 2000000000}, {0, 0}};
    CHECK_ERRNO(utimensat(AT_FDCWD, "file", wrong, 0), EINVAL);
    CHECK(symlink("file", "link") == 0);
    CHECK(utimensat(AT_FDCWD, "link", wanted, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(of("link").st_mtim.tv_sec == 1100000000 && of("file").st_mtim.tv_sec != 1100000000);
    close(fd);
}

static void sizes(void) {
    CHECK(truncate("file", 1000) == 0 && of("file").st_size == 1000);
    CHECK(truncate("link", 10) == 0 && of("file").st_size == 10);
    CHECK_ERRNO(truncate("file", -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK_ERRNO(truncate("absent", 0), ENOENT);
#ifdef STATX_ALL
    struct statx more;
    CHECK(statx(AT_FDCWD, "link", 0, STATX_ALL, &more) == 0 && more.stx_size == 10 && S_ISREG(more.stx_mode));
    CHECK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_ALL, &more) == 0 && S_ISLNK(more.stx_mode));
#endif
    const int fd = open("file", O_RDONLY);
#ifdef STATX_ALL
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &more) == 0 && more.stx_size == 10);
    CHECK_ERRNO(statx(fd, "", 0, STATX_SIZE, &more), ENOENT);
    CHECK_ERRNO(statx(AT_FDCWD, "file", 0x80000, STATX_SIZE, &more), EINVAL);
#endif
    struct stat status, same;
    CHECK(fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && status.st_size == 10);
    CHECK(fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH) == 0 && S_ISDIR(status.st_mode));
    CHECK_ERRNO(fstatat(fd, "x", &status, 0), ENOTDIR);
    CHECK(stat("file", &status) == 0 && fstat(fd, &same) == 0 && status.st_ino == same.st_ino);
    CHECK(posix_fallocate(fd, 0, 100) != 0);
    close(fd);
    struct statfs system;
    CHECK(statfs(".", &system) == 0 && system.f_bsize > 0 && system.f_namelen == 255);
    struct statvfs other;
    CHECK(statvfs("file", &other) == 0 && other.f_namemax == 255);
}

static void names(void) {
    char target[PATH_MAX];
    CHECK(readlink("link", target, 2) == 2 && memcmp(target, "fi", 2) == 0);
    CHECK_ERRNO(readlink("file", target, sizeof target), EINVAL);
    CHECK_ERRNO(syscall(SYS_readlink, "link", target, 0), EINVAL);
    CHECK(linkat(AT_FDCWD, "link", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW) == 0 && of("file").st_nlink == 2);
    CHECK(linkat(AT_FDCWD, "link", AT_FDCWD, "soft", 0) == 0 && S_ISLNK(of("soft").st_mode));
    CHECK_ERRNO(link("file", "hard"), EEXIST);
    CHECK_ERRNO(link("absent", "new"), ENOENT);
    CHECK_ERRNO(symlink("file", "hard"), EEXIST);
    CHECK_ERRNO(symlink("", "new"), ENOENT);
    CHECK(symlink("absent", "dangling") == 0);
    CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
    const int fd = open("dangling", O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && close(fd) == 0 && S_ISREG(of("absent").st_mode));
    CHECK(mkdir("folder/", 0700) == 0 && mkdir("folder/inner", 0700) == 0);
    CHECK_ERRNO(mkdir("file/x", 0700), ENOTDIR);
    CHECK_ERRNO(mkdir(".", 0700), EEXIST);
    CHECK_ERRNO(open("file/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("new/", O_CREAT | O_WRONLY, 0600), EISDIR);
    CHECK_ERRNO(rmdir("folder"), ENOTEMPTY);
    CHECK_ERRNO(rmdir("file"), ENOTDIR);
    CHECK_ERRNO(unlink("folder"), EISDIR);
    CHECK_ERRNO(rename("folder", "folder/inner/x"), EINVAL);
    CHECK_ERRNO(rename("folder", "file"), ENOTDIR);
    CHECK_ERRNO(rename("file", "folder"), EISDIR);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "hard", 1 /* NOREPLACE */), EEXIST);
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "folder", AT_FDCWD, "absent", 2 /* EXCHANGE */) == 0);
    CHECK(S_ISREG(of("folder").st_mode));
    CHECK(rmdir("absent/inner") == 0 && rmdir("absent") == 0);
    const int temporary = open(".", O_TMPFILE | O_RDWR, 0600);
    if (temporary >= 0) {
        CHECK(write(temporary, "kept", 4) == 4);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", temporary);
        CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "kept", AT_SYMLINK_FOLLOW) == 0 && of("kept").st_size == 4);
        CHECK(unlink("kept") == 0 && close(temporary) == 0);
    }
    const int path_only = open("file", O_PATH);
    CHECK_ERRNO(read(path_only, target, 1), EBADF);
    struct stat status;
    CHECK(fstat(path_only, &status) == 0 && S_ISREG(status.st_mode));
    close(path_only);
}

static void working_folders(void) {
    char before[PATH_MAX], after[PATH_MAX];
    CHECK(getcwd(before, sizeof before) != NULL && mkdir("deep", 0755) == 0 && mkdir("deep/er", 0755) == 0);
    const int start = open(".", O_RDONLY | O_DIRECTORY);
    CHECK(chdir("deep/er") == 0 && access("../../file", F_OK) == 0);
    CHECK(fchdir(start) == 0 && getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0);
    CHECK_ERRNO(chdir("file"), ENOTDIR);
    CHECK_ERRNO(fchdir(-1), EBADF);
    const int file = open("file", O_RDONLY);
    CHECK_ERRNO(fchdir(file), ENOTDIR);
    CHECK(chdir("/") == 0 && getcwd(after, sizeof after) != NULL && strcmp(after, "/") == 0);
    CHECK(access("usr/bin", F_OK) == 0 && fchdir(start) == 0);
    close(file);
    close(start);
    CHECK(rmdir("deep/er") == 0 && rmdir("deep") == 0);
}

int main(void) {
    char folder[] = "attributes-XXXXXX";
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    modes();
    times();
    sizes();
    names();
    working_folders();
    const char* const left[] = {"file", "link", "hard", "soft", "dangling", "folder"};
    for (unsigned i = 0; i < sizeof left / sizeof *left; ++i) CHECK(unlink(left[i]) == 0);
    CHECK(chdir("..") == 0 && rmdir(folder) == 0);
    return check_end();
}
