// Files and folders, with the errors that programs rely on.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

static void contents(void) {
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 3);
    CHECK_ERRNO(open("file", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(lseek(fd, 2, SEEK_SET) == 2);
    char text[32] = {0};
    CHECK(read(fd, text, 4) == 4 && memcmp(text, "2345", 4) == 0);
    CHECK(pread(fd, text, 3, 7) == 3 && memcmp(text, "789", 3) == 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == 6);
    CHECK(pwrite(fd, "AB", 2, 0) == 2);
    CHECK(lseek(fd, -1, SEEK_END) == 9);
    CHECK(read(fd, text, 10) == 1 && text[0] == '9');
    CHECK(read(fd, text, 10) == 0);
    CHECK_ERRNO(lseek(fd, -100, SEEK_CUR), EINVAL);
    char left[3] = {0}, right[8] = {0};
    struct iovec parts[] = {{left, 2}, {right, 7}};
    CHECK(preadv(fd, parts, 2, 0) == 9 && memcmp(left, "AB", 2) == 0 && memcmp(right, "2345678", 7) == 0);
    CHECK(ftruncate(fd, 4) == 0);
    struct stat status;
    CHECK(fstat(fd, &status) == 0 && status.st_size == 4 && S_ISREG(status.st_mode));
    CHECK(ftruncate(fd, 8192) == 0);
    CHECK(pread(fd, text, 1, 8000) == 1 && text[0] == 0);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    CHECK(fchmod(fd, 0600) == 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0600);
    CHECK(close(fd) == 0);
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(read(fd, text, 1), EBADF);
    CHECK_ERRNO(write(-1, text, 1), EBADF);

    fd = open("file", O_WRONLY | O_APPEND);
    CHECK(write(fd, "end", 3) == 3);
    CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_WRONLY));
    CHECK_ERRNO(read(fd, text, 1), EBADF);
    close(fd);
    CHECK(stat("file", &status) == 0 && status.st_size == 8195);
}

static void descriptors(void) {
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    int copy = dup(fd);
    CHECK(copy > fd && fcntl(copy, F_GETFD) == 0);
    char byte = 0;
    CHECK(read(fd, &byte, 1) == 1 && byte == 'A');
    CHECK(read(copy, &byte, 1) == 1 && byte == 'B');  // one offset, shared
    CHECK(dup2(fd, 20) == 20);
    CHECK(dup2(20, 20) == 20);
    CHECK(fcntl(fd, F_DUPFD, 30) == 30);
    CHECK(lseek(30, 0, SEEK_CUR) == 2);
    CHECK_ERRNO(dup2(-1, 5), EBADF);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    close(copy);
    // The lowest free number is taken.
    CHECK(dup(fd) == copy);
    close(copy);
    close(fd);
    close(20);
    close(30);
}

static void names(void) {
    CHECK(access("file", R_OK | W_OK) == 0);
    CHECK_ERRNO(access("absent", F_OK), ENOENT);
    CHECK(rename("file", "renamed") == 0);
    CHECK_ERRNO(open("file", O_RDONLY), ENOENT);
    CHECK(link("renamed", "second") == 0);
    struct stat status;
    CHECK(stat("second", &status) == 0 && status.st_nlink == 2);
    CHECK(unlink("second") == 0);
    CHECK(symlink("renamed", "pointer") == 0);
    char target[PATH_MAX] = {0};
    CHECK(readlink("pointer", target, sizeof target) == 7 && strcmp(target, "renamed") == 0);
    CHECK(lstat("pointer", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat("pointer", &status) == 0 && S_ISREG(status.st_mode));
    CHECK_ERRNO(open("pointer", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERRNO(open("renamed/below", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    char longer[PATH_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_ERRNO(open(longer, O_RDONLY), ENAMETOOLONG);
    CHECK(unlink("pointer") == 0);
}

static void folders(void) {
    CHECK(mkdir("folder", 0755) == 0);
    CHECK_ERRNO(mkdir("folder", 0755), EEXIST);
    CHECK_ERRNO(open("folder", O_WRONLY), EISDIR);
    for (int i = 0; i < 300; ++i) {
        char name[64];
        snprintf(name, sizeof name, "folder/entry-number-%03d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0644);
        CHECK(fd >= 0);
        close(fd);
    }
    CHECK_ERRNO(rmdir("folder"), ENOTEMPTY);
    DIR* folder = opendir("folder");
    CHECK(folder != NULL);
    int entries = 0, dots = 0;
    for (struct dirent* entry; folder && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') {
            ++dots;
            continue;
        }
        ++entries;
        CHECK(unlinkat(dirfd(folder), entry->d_name, 0) == 0 || entries > 300);
    }
    CHECK(entries == 300 && dots == 2);
    if (folder) closedir(folder);

    char before[PATH_MAX], inside[PATH_MAX];
    CHECK(getcwd(before, sizeof before) == before);
    CHECK(chdir("folder") == 0 && getcwd(inside, sizeof inside) == inside);
    CHECK(strncmp(before, inside, strlen(before)) == 0 && strcmp(inside + strlen(before), "/folder") == 0);
    CHECK_ERRNO(getcwd(inside, 2) == NULL ? -1 : 0, ERANGE);
    CHECK(access("../renamed", F_OK) == 0);
    CHECK(chdir("..") == 0);
    int at = open("folder", O_RDONLY | O_DIRECTORY);
    int fd = openat(at, "through", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    struct stat status;
    CHECK(fstatat(at, "through", &status, 0) == 0 && status.st_size == 0);
    CHECK(renameat(at, "through", AT_FDCWD, "out") == 0);
    CHECK(unlinkat(AT_FDCWD, "out", 0) == 0);
    close(at);
    CHECK(rmdir("folder") == 0);
    CHECK_ERRNO(chdir("folder"), ENOENT);
}

static void devices(void) {
    char data[64];
    memset(data, 1, sizeof data);
    int zero = open("/dev/zero", O_RDONLY);
    CHECK(zero >= 0 && read(zero, data, sizeof data) == sizeof data && data[63] == 0);
    close(zero);
    int null = open("/dev/null", O_RDWR);
    CHECK(null >= 0 && write(null, data, 64) == 64 && read(null, data, 64) == 0);
    CHECK(!isatty(null));
    close(null);
    int random = open("/dev/urandom", O_RDONLY);
    CHECK(random >= 0 && read(random, data, sizeof data) == sizeof data);
    close(random);
}

int main(void) {
    char folder[] = "files-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    CHECK(chdir(folder) == 0);
    contents();
    descriptors();
    names();
    folders();
    devices();
    CHECK(unlink("renamed") == 0);
    CHECK(chdir("..") == 0 && rmdir(folder) == 0);
    return check_end();
}
