// Files mapped to be shared: what is written to memory is in the file, and how far that goes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096, kFutexWait = 0, kFutexWake = 1 };

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

// However often a file is mapped, its pages are the same ones, and those that read(2) and write(2) mean.
static void is_one(void) {
    char name[] = "mapped-XXXXXX";
    const int file = mkstemp(name);
    const int other = open(name, O_RDWR | O_APPEND);
    CHECK(file >= 0 && other >= 0 && ftruncate(file, 3 * kPage) == 0);
    volatile char* first = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    volatile char* second = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, other, kPage);
    volatile char* shown = mmap(NULL, 3 * kPage, PROT_READ, MAP_SHARED, file, 0);
    CHECK(first != MAP_FAILED && second != MAP_FAILED && shown != MAP_FAILED);
    for (int i = 0; i < 3; ++i) {
        first[kPage + i] = (char)('a' + i);
        CHECK(second[i] == 'a' + i && shown[kPage + i] == 'a' + i);
        second[i] = (char)('A' + i);
        CHECK(first[kPage + i] == 'A' + i && byte_at(file, kPage + i) == 'A' + i);
        CHECK(pwrite(file, "w", 1, kPage + 100 + i) == 1);
        CHECK(first[kPage + 100 + i] == 'w' && second[100 + i] == 'w' && shown[kPage + 100 + i] == 'w');
    }
    CHECK(lseek(file, 2 * kPage - 2, SEEK_SET) > 0 && write(file, "1234", 4) == 4);
    CHECK(second[kPage - 1] == '2' && second[kPage] == '3' && first[2 * kPage + 1] == '4');
    char* own = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(own != MAP_FAILED && own[kPage] == 'A' && own[2 * kPage] == '3');

    // The dirty page outlives the mapping that wrote to it, and what is cut off does not come back.
    second[kPage + 5] = 'x';
    CHECK(munmap((void*)second, 2 * kPage) == 0 && first[2 * kPage + 5] == 'x' && shown[2 * kPage + 5] == 'x');
    first[2 * kPage + 6] = 'y';
    CHECK(write(other, "end", 3) == 3 && byte_at(file, 3 * kPage + 2) == 'd' && byte_at(file, 2 * kPage + 6) == 'y');
    CHECK(ftruncate(file, 2 * kPage + 6) == 0 && first[2 * kPage + 5] == 'x' && first[2 * kPage + 6] == 0);
    signaled = 0;
    CHECK(ftruncate(file, kPage) == 0);
    if (sigsetjmp(back, 1) == 0) first[2 * kPage] = '!';
    CHECK(signaled == SIGBUS);
    CHECK(ftruncate(file, 3 * kPage) == 0 && first[2 * kPage + 5] == 0 && shown[kPage] == 0);
    close(open(name, O_RDWR | O_TRUNC));
    signaled = 0;
    if (sigsetjmp(back, 1) == 0) first[0] = '!';
    CHECK(signaled == SIGBUS);
    CHECK(munmap((void*)first, 3 * kPage) == 0 && munmap((void*)shown, 3 * kPage) == 0 && munmap(own, 3 * kPage) == 0);
    CHECK(close(file) == 0 && close(other) == 0 && unlink(name) == 0);
}

static volatile uint32_t* word[2];
static void* wake(void* argument) {
    // Through the other mapping, until somebody was woken.
    *word[1] = 1;
    while (syscall(SYS_futex, word[1], kFutexWake, 1, NULL, NULL, 0) == 0) usleep(1000);
    return argument;
}

// A futex is where it is in the file, not where it is mapped.
static void has_futexes(void) {
    const int file = memfd_create("words", 0);
    CHECK(file >= 0 && ftruncate(file, kPage) == 0);
    for (int i = 0; i < 2; ++i) word[i] = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(word[0] != MAP_FAILED && word[1] != MAP_FAILED && word[0] != word[1]);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wake, NULL) == 0);
    const long woken = syscall(SYS_futex, word[0], kFutexWait, 0, NULL, NULL, 0);
    if (woken != 0) {  // it came too late to sleep: somebody must be woken for the other to end
        CHECK(errno == EAGAIN);
        syscall(SYS_futex, word[0], kFutexWait, 1, NULL, NULL, 0);
    }
    CHECK(*word[0] == 1 && pthread_join(thread, NULL) == 0);
    CHECK(munmap((void*)word[0], kPage) == 0 && munmap((void*)word[1], kPage) == 0 && close(file) == 0);
}

enum { kRounds = 2000 };
static char* racing;
static void* store(void* argument) {
    for (int i = 1; i <= kRounds; ++i) {
        *(volatile int*)racing = i;
        if (i % 50 == 0) CHECK(msync(racing, kPage, MS_ASYNC) == 0);
    }
    return argument;
}

static int pipe_ends[2];

// By write(2) and by splice(2) in turn.
static void put(int file, int value) {
    if (value % 2 != 0) {
        CHECK(pwrite(file, &value, sizeof value, 2048) == sizeof value);
        return;
    }
    loff_t at = 2048;
    CHECK(write(pipe_ends[1], &value, sizeof value) == sizeof value);
    CHECK(splice(pipe_ends[0], NULL, file, &at, sizeof value, 0) == sizeof value && at == 2048 + sizeof value);
}

// What one thread stores and what another writes to the same page both stay.
static void loses_nothing(void) {
    CHECK(pipe(pipe_ends) == 0);
    const int file = memfd_create("racing", 0);
    CHECK(file >= 0 && ftruncate(file, kPage) == 0);
    racing = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(racing != MAP_FAILED);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, store, NULL) == 0);
    int stored = 0;
    for (int i = 1; i <= kRounds; ++i) {
        const int before = stored;
        put(file, i);
        CHECK(*(volatile int*)(racing + 2048) == i);
        CHECK(pread(file, &stored, sizeof stored, 0) == sizeof stored && stored >= before);
    }
    CHECK(pthread_join(thread, NULL) == 0 && munmap(racing, kPage) == 0);
    int last[2] = {0, 0};
    CHECK(pread(file, &last[0], sizeof(int), 0) == sizeof(int) && last[0] == kRounds);
    CHECK(pread(file, &last[1], sizeof(int), 2048) == sizeof(int) && last[1] == kRounds && close(file) == 0);
}

int main(void) {
    loses_nothing();
    signal(SIGBUS, on_signal);
    is_one();
    has_futexes();
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
