// brk, mmap and its kin, with their errors.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096UL
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static void* map(size_t size, int prot) { return mmap(NULL, size, prot, ANONYMOUS, -1, 0); }

static int all_zero(const unsigned char* at, size_t size) {
    for (size_t i = 0; i < size; ++i)
        if (at[i] != 0) return 0;
    return 1;
}

static void program_break(void) {
    // The raw call, below any allocator.
    const uintptr_t start = (uintptr_t)syscall(SYS_brk, 0);
    CHECK(start != 0);
    CHECK((uintptr_t)syscall(SYS_brk, start + 40 * PAGE) == start + 40 * PAGE);
    unsigned char* heap = (unsigned char*)((start + PAGE - 1) & ~(PAGE - 1));
    CHECK(all_zero(heap, 38 * PAGE));
    memset(heap, 7, 38 * PAGE);
    CHECK((uintptr_t)syscall(SYS_brk, start + 2 * PAGE) == start + 2 * PAGE);
    CHECK((uintptr_t)syscall(SYS_brk, start + 40 * PAGE) == start + 40 * PAGE);
    CHECK(heap[0] == 7 && all_zero(heap + 4 * PAGE, 34 * PAGE));         // what was given back comes again as zeros
    CHECK((uintptr_t)syscall(SYS_brk, 1UL << 47) == start + 40 * PAGE);  // refused: the break stays
    CHECK((uintptr_t)syscall(SYS_brk, start) == start);
}

static void mappings(void) {
    unsigned char* area = map(16 * PAGE, PROT_READ | PROT_WRITE);
    CHECK(area != MAP_FAILED && ((uintptr_t)area & (PAGE - 1)) == 0);
    CHECK(all_zero(area, 16 * PAGE));
    memset(area, 1, 16 * PAGE);
    CHECK(munmap(area + 4 * PAGE, 4 * PAGE) == 0);
    CHECK(area[0] == 1 && area[8 * PAGE] == 1);
    CHECK(munmap(area + 4 * PAGE, 4 * PAGE) == 0);  // nothing there: no error
    unsigned char* again = mmap(area + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(again == area + 4 * PAGE && all_zero(again, 4 * PAGE));
    CHECK(mmap(area, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == area && area[0] == 0);
    CHECK_ERRNO(mmap(area, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK(munmap(area, 16 * PAGE) == 0);

    CHECK_ERRNO(mmap(NULL, 0, PROT_READ, ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap((void*)1, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(mmap(NULL, 1UL << 60, PROT_READ, ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(mmap(NULL, SIZE_MAX, PROT_READ, ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(munmap((void*)1, PAGE), EINVAL);
    CHECK_ERRNO(munmap(NULL, 0), EINVAL);
}

static void protections(void) {
    unsigned char* area = map(4 * PAGE, PROT_NONE);
    CHECK(area != MAP_FAILED);
    CHECK(mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    area[PAGE] = 9;
    CHECK(mprotect(area, 4 * PAGE, PROT_READ) == 0);
    CHECK(area[PAGE] == 9 && area[0] == 0);
    CHECK(mprotect(area, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
    memset(area, 5, 4 * PAGE);
    CHECK_ERRNO(syscall(SYS_mprotect, area + 1, PAGE, PROT_READ), EINVAL);  // musl would align it
    CHECK(munmap(area + 2 * PAGE, 2 * PAGE) == 0);
    CHECK_ERRNO(mprotect(area, 4 * PAGE, PROT_READ), ENOMEM);
    // Code may be written, made executable and run.
    static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};  // mov eax, 42; ret
    CHECK(mprotect(area, PAGE, PROT_READ | PROT_WRITE) == 0);
    memcpy(area, code, sizeof code);
    CHECK(mprotect(area, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(((int (*)(void))(uintptr_t)area)() == 42);
    CHECK(munmap(area, 2 * PAGE) == 0);
    // Address space without memory, far more than there is memory.
    unsigned char* reserved = mmap(NULL, 1UL << 34, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(reserved != MAP_FAILED);
    if (reserved != MAP_FAILED) {
        CHECK(mprotect(reserved + (1UL << 33), 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
        reserved[1UL << 33] = 3;
        CHECK(munmap(reserved, 1UL << 34) == 0);
    }
}

static void moving(void) {
    unsigned char* area = map(4 * PAGE, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < 4 * PAGE; ++i) area[i] = (unsigned char)(i % 251);
    unsigned char* grown = mremap(area, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED);
    int same = 1;
    for (size_t i = 0; i < 4 * PAGE; ++i) same &= grown[i] == (unsigned char)(i % 251);
    CHECK(same && all_zero(grown + 4 * PAGE, 60 * PAGE));
    CHECK(mremap(grown, 64 * PAGE, 2 * PAGE, 0) == grown);
    CHECK(grown[2 * PAGE - 1] == (unsigned char)((2 * PAGE - 1) % 251));
    unsigned char* target = map(8 * PAGE, PROT_READ | PROT_WRITE);
    CHECK(mremap(grown, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
    CHECK(target[1] == 1);
    CHECK_ERRNO(mremap(target + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
    CHECK(munmap(target, 8 * PAGE) == 0);
}

static void advice(void) {
    unsigned char* area = map(8 * PAGE, PROT_READ | PROT_WRITE);
    memset(area, 4, 8 * PAGE);
    CHECK(madvise(area + 2 * PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(area[0] == 4 && all_zero(area + 2 * PAGE, 2 * PAGE) && area[4 * PAGE] == 4);
    CHECK(madvise(area, 8 * PAGE, MADV_WILLNEED) == 0);
    CHECK_ERRNO(madvise(area + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK(munmap(area, 8 * PAGE) == 0);
}

static void file_mappings(void) {
    char name[] = "map-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 3 * PAGE) == 0);
    CHECK(pwrite(fd, "in the file", 11, PAGE) == 11);
    char* private_map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    CHECK(private_map != MAP_FAILED && memcmp(private_map, "in the file", 11) == 0);
    private_map[0] = 'X';
    char back[12] = {0};
    CHECK(pread(fd, back, 11, PAGE) == 11 && back[0] == 'i');
    char* shared_map = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(shared_map != MAP_FAILED && memcmp(shared_map + PAGE, "in the file", 11) == 0);
    CHECK(munmap(shared_map, 3 * PAGE) == 0);
    CHECK(munmap(private_map, PAGE) == 0);
    close(fd);
    unlink(name);
}

static void allocator(void) {
    static void* blocks[500];
    unsigned seed = 1;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 500; ++i) {
            seed = seed * 1103515245 + 12345;
            free(blocks[i]);
            const size_t size = (seed >> 8) % 20000;
            blocks[i] = malloc(size + 1);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], i & 255, size + 1);
        }
    }
    for (int i = 0; i < 500; ++i) free(blocks[i]);
    unsigned char* large = calloc(1, 48UL << 20);
    CHECK(large != NULL && large[0] == 0 && large[(48UL << 20) - 1] == 0);
    large = realloc(large, 64UL << 20);
    CHECK(large != NULL);
    memset(large, 1, 64UL << 20);
    free(large);
    CHECK(aligned_alloc(1 << 16, 1 << 16) != NULL);
    CHECK(malloc((size_t)1 << 50) == NULL);
}

static void residency(void) {
    unsigned char here[2] = {7, 7};
    char* const pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages[0] = 1;
    CHECK(mincore(pages, 8192, here) == 0 && (here[0] & 1) == 1);
    CHECK(mincore(pages, 0, here) == 0);
    CHECK_ERRNO(mincore(pages + 1, 1, here), EINVAL);
    CHECK(munmap(pages, 8192) == 0);
    CHECK_ERRNO(mincore(pages, 8192, here), ENOMEM);
}

int main(void) {
    program_break();
    mappings();
    protections();
    moving();
    advice();
    file_mappings();
    allocator();
    residency();
    return check_end();
}
