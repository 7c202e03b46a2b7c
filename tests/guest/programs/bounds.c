// What a program can make the host keep for it has bounds, and what is given back can be had again.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096, kMany = 10000 };

int main(void) {
    const off_t huge = (off_t)1 << 40;
    const off_t large = (off_t)1 << 20;
    int file = memfd_create("bounded", 0);
    CHECK(file >= 0);
    CHECK_ERRNO(ftruncate(file, huge), ENOMEM);
    CHECK_ERRNO(pwrite(file, "x", 1, huge), ENOMEM);
    CHECK_ERRNO(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, huge), ENOMEM);
    char again[32];
    snprintf(again, sizeof again, "/proc/self/fd/%d", file);
    const int other = open(again, O_RDWR);
    CHECK(other >= 0);
    CHECK_ERRNO(ftruncate(other, huge), ENOMEM);
    CHECK(close(other) == 0 && close(file) == 0);
    for (int i = 0; i < 2000; ++i) {
        file = memfd_create("bounded", 0);
        CHECK(file >= 0 && ftruncate(file, large) == 0 && close(file) == 0);
    }

    // Files that are open only because they are mapped.
    static void* maps[kMany];
    int mapped = 0;
    for (; mapped < kMany; ++mapped) {
        file = memfd_create("mapped", 0);
        if (file < 0) break;
        CHECK(ftruncate(file, kPage) == 0);
        maps[mapped] = mmap(NULL, kPage, PROT_READ, MAP_SHARED, file, 0);
        close(file);
        if (maps[mapped] == MAP_FAILED) break;
    }
    CHECK(mapped > 100 && mapped < kMany);
    while (mapped > 0) CHECK(munmap(maps[--mapped], kPage) == 0);
    file = memfd_create("again", 0);
    CHECK(file >= 0 && close(file) == 0);

    // Pipes: all that there may be, each as large as it may be.
    int pipes = 0;
    int ends[2];
    while (pipe(ends) == 0) ++pipes;
    CHECK(pipes > 100);
    int large_ones = 0;
    for (int fd = 3; fd < 3 + 2 * pipes; fd += 2) large_ones += fcntl(fd, F_SETPIPE_SZ, (int)large) > 0;
    CHECK(large_ones <= pipes);
    for (int fd = 3; fd < 3 + 2 * pipes; ++fd) close(fd);
    CHECK(pipe(ends) == 0);
    return check_end();
}
