// Files mapped to be shared: what is written to memory is in the file, and how far that goes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096 };

static sigjmp_buf back;
static volatile int signaled;
static void on_signal(int number) {
    signaled = number;
    siglongjmp(back, 1);
}

static char byte_at(int file, off_t offset) {
    char byte = 0;
    CHECK(pread(file, &byte, 1, offset) == 1);
    return byte;
}

int main(void) {
    char name[] = "mapped-XXXXXX";
    const int file = mkstemp(name);
    CHECK(file >= 0 && ftruncate(file, 10 * kPage + 100) == 0);
    char* memory = mmap(NULL, 12 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(memory[5] == 0);
    memory[5] = 'a';
    CHECK(byte_at(file, 5) == 'a');  // read(2) sees it at once
    memory[3 * kPage + 1] = 'b';
    CHECK(msync(memory, 4 * kPage, MS_SYNC) == 0 && byte_at(file, 3 * kPage + 1) == 'b');
    memory[3 * kPage + 2] = 'c';  // again, after it was clean
    CHECK(byte_at(file, 3 * kPage + 2) == 'c');

    // Behind the end: to the page's end it is memory, and the file does not grow; behind that, SIGBUS.
    memory[10 * kPage + 200] = 'x';
    CHECK(msync(memory, 11 * kPage, MS_ASYNC) == 0);
    struct stat status;
    CHECK(fstat(file, &status) == 0 && status.st_size == 10 * kPage + 100);
    signal(SIGBUS, on_signal);
    signal(SIGSEGV, on_signal);
    if (sigsetjmp(back, 1) == 0) memory[11 * kPage] = 'y';
    CHECK(signaled == SIGBUS);
    CHECK(ftruncate(file, 12 * kPage) == 0);
    memory[11 * kPage] = 'y';
    CHECK(byte_at(file, 11 * kPage) == 'y');

    // Rights: taken away and given back, nothing is lost.
    memory[7 * kPage] = 'd';
    CHECK(mprotect(memory + 7 * kPage, kPage, PROT_READ) == 0 && memory[7 * kPage] == 'd');
    signaled = 0;
    if (sigsetjmp(back, 1) == 0) memory[7 * kPage] = 'e';
    CHECK(signaled == SIGSEGV);
    CHECK(mprotect(memory + 7 * kPage, kPage, PROT_READ | PROT_WRITE) == 0);
    memory[7 * kPage + 1] = 'f';
    CHECK(munmap(memory + 7 * kPage, kPage) == 0);
    CHECK(byte_at(file, 7 * kPage) == 'd' && byte_at(file, 7 * kPage + 1) == 'f');

    // Given up and looked at again; moved.
    memory[2 * kPage] = 'g';
    CHECK(madvise(memory + 2 * kPage, kPage, MADV_DONTNEED) == 0 && memory[2 * kPage] == 'g');
    char* moved = mremap(memory, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved[5] == 'a');
    moved[kPage] = 'h';
    CHECK(munmap(moved, 4 * kPage) == 0 && byte_at(file, kPage) == 'h');

    // The kernel's own writes to it count, too; a page that was only read is never written back.
    char* second = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 8 * kPage);
    CHECK(second != MAP_FAILED && pwrite(file, "fromfile", 8, 0) == 8 && pread(file, second + 10, 8, 0) == 8);
    CHECK(second[kPage] == 0 && pwrite(file, "Z", 1, 9 * kPage) == 1);
    CHECK(munmap(second, 2 * kPage) == 0 && byte_at(file, 8 * kPage + 10) == 'f' && byte_at(file, 9 * kPage) == 'Z');

    // Private ones keep it to themselves.
    char* own = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(own != MAP_FAILED);
    own[0] = '!';
    CHECK(msync(own, kPage, MS_SYNC) == 0 && byte_at(file, 0) == 'f' && munmap(own, kPage) == 0);

    const int reader = open(name, O_RDONLY);
    CHECK(mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED && errno == EACCES);
    char* shown = mmap(NULL, kPage, PROT_READ, MAP_SHARED, reader, 0);
    CHECK(shown != MAP_FAILED && shown[0] == 'f');
    CHECK_ERRNO(mprotect(shown, kPage, PROT_READ | PROT_WRITE), EACCES);
    CHECK_ERRNO(msync(shown + 1, kPage, MS_SYNC), EINVAL);
    CHECK_ERRNO(msync(shown, kPage, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERRNO(msync((void*)(16UL << 20), kPage, MS_SYNC), ENOMEM);
    CHECK(munmap(shown, kPage) == 0 && close(reader) == 0);
    CHECK(close(file) == 0 && unlink(name) == 0);
    return check_end();
}
