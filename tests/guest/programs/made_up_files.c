// made_up_files COUNT: /proc, /sys and /dev as a program finds them on a machine with that many CPUs.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static int count;
static char text[1 << 20];

static int contents(const char* path) {
    const int fd = open(path, O_RDONLY);
    if (fd < 0) return -1;
    int length = 0;
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += (int)got;
    text[length] = '\0';
    close(fd);
    return length;
}

static void self(const char* program) {
    char target[PATH_MAX] = {0}, expected[PATH_MAX];
    CHECK(readlink("/proc/self/exe", target, sizeof target) > 0 && realpath(program, expected));
    CHECK(strcmp(target, expected) == 0);
    CHECK(readlink("/proc/self", target, sizeof target) > 0 && atoi(target) == getpid());
    memset(target, 0, sizeof target);
    CHECK(readlink("/proc/self/cwd", target, sizeof target) > 0 && getcwd(expected, sizeof expected));
    CHECK(strcmp(target, expected) == 0);
    int magic = 0;
    const int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0 && read(fd, &magic, 4) == 4 && memcmp(&magic, "\177ELF", 4) == 0);
    CHECK(close(fd) == 0);
    CHECK(contents("/proc/self/maps") > 0 && strstr(text, "r-xp") && strstr(text, "[stack]"));
    CHECK(contents("/proc/self/status") > 0 && strstr(text, "\nTgid:") && strstr(text, "\nVmRSS:"));
    CHECK(contents("/proc/thread-self/status") > 0 && strstr(text, "\nPid:") &&
          atoi(strstr(text, "\nPid:") + 5) == getpid());
    int pid = 0;
    char state = 0;
    CHECK(contents("/proc/self/stat") > 0 && sscanf(text, "%d (made_up_files.%*[^)]) %c", &pid, &state) == 2);
    CHECK(pid == getpid() && state == 'R');
    CHECK(contents("/proc/self/cmdline") > 0 && strcmp(text, program) == 0);
    CHECK(contents("/proc/self/comm") > 0 && strncmp(text, "made_up_files", 13) == 0);
    snprintf(target, sizeof target, "/proc/%d/task/%d/comm", getpid(), getpid());
    CHECK(contents(target) > 0 && strncmp(text, "made_up_files", 13) == 0);
    CHECK_ERRNO(open("/proc/self/comm/below", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("/proc/self/absent", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/0", O_RDONLY), ENOENT);
    CHECK_ERRNO(readlink("/proc/self/comm", target, 10), EINVAL);
}

static void descriptors(void) {
    CHECK(access("/proc/self/fd/0", F_OK) == 0 && access("/dev/stdout", F_OK) == 0);
    const int fd = open("/etc/passwd", O_RDONLY);
    char name[64], target[PATH_MAX] = {0};
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    CHECK(readlink(name, target, sizeof target) > 0 && strcmp(target, "/etc/passwd") == 0);
    struct stat link, file, same;
    CHECK(lstat(name, &link) == 0 && S_ISLNK(link.st_mode));
    CHECK(stat(name, &file) == 0 && fstat(fd, &same) == 0 && file.st_ino == same.st_ino);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    const int again = open(name, O_RDONLY);
    CHECK(again > fd && fstat(again, &same) == 0 && file.st_ino == same.st_ino);
    close(again);
    close(fd);
    CHECK_ERRNO(open(name, O_RDONLY), ENOENT);
}

static void processors(void) {
    int processors = 0;
    CHECK(contents("/proc/cpuinfo") > 0);
    for (char* at = text; (at = strstr(at, "processor\t: ")) != NULL; ++at) {
        CHECK(at == text || at[-1] == '\n');
        CHECK(atoi(strchr(at, ':') + 1) == processors);
        ++processors;
    }
    CHECK(processors == count);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) == count && sysconf(_SC_NPROCESSORS_CONF) == count);
    char list[32];
    snprintf(list, sizeof list, count == 1 ? "0\n" : "0-%d\n", count - 1);
    CHECK(contents("/sys/devices/system/cpu/online") > 0 && strcmp(text, list) == 0);
    CHECK(contents("/sys/devices/system/cpu/possible") > 0 && strcmp(text, list) == 0);
    DIR* folder = opendir("/sys/devices/system/cpu");
    CHECK(folder != NULL);
    int found = 0, number = 0;
    char more = 0;
    for (struct dirent* entry; folder && (entry = readdir(folder)) != NULL;)
        found += sscanf(entry->d_name, "cpu%d%c", &number, &more) == 1;
    CHECK(found == count);
    if (folder) {
        rewinddir(folder);
        CHECK(readdir(folder) != NULL);
        const int core = openat(dirfd(folder), "cpu0/topology/physical_package_id", O_RDONLY);
        CHECK(core >= 0 && read(core, text, 10) == 2 && text[0] == '0');
        close(core);
        closedir(folder);
    }
    int lines = 0;
    CHECK(contents("/proc/stat") > 0);
    for (char* at = text; (at = strstr(at, "\ncpu")) != NULL; ++at) ++lines;
    CHECK(lines == count);
    CHECK(contents("/proc/meminfo") > 0 && strstr(text, "MemTotal:") == text && strstr(text, "\nMemAvailable:"));
}

static void kinds(void) {
    struct stat status;
    CHECK(stat("/proc/cpuinfo", &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0222) == 0);
    const int fd = open("/proc/cpuinfo", O_RDONLY);
    struct stat same;
    CHECK(fstat(fd, &same) == 0 && same.st_ino == status.st_ino && same.st_mode == status.st_mode);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    CHECK(lseek(fd, 4, SEEK_SET) == 4 && read(fd, text, 5) == 5 && memcmp(text, "essor", 5) == 0);
    close(fd);
    CHECK(stat("/sys/devices/system/cpu/cpu0", &status) == 0 && S_ISDIR(status.st_mode));
    CHECK_ERRNO(open("/proc/cpuinfo", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open("/proc/self", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERRNO(mkdir("/proc/self", 0755), EEXIST);
    CHECK(access("/proc/self/../self/./maps", R_OK) == 0);
}

int main(int argc, char** argv) {
    count = argc > 1 ? atoi(argv[1]) : 0;
    self(argv[0]);
    descriptors();
    processors();
    kinds();
    return check_end();
}
