// Threads that map, protect and unmap at once disturb each other in nothing but the address space's order.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "check.h"

#define THREADS 6

static void* churn(void* number) {
    const unsigned char mark = (unsigned char)(1 + (uintptr_t)number);
    for (int i = 0; i < 50; ++i) {
        const size_t pages = 1 + (size_t)(i * 7 + mark) % 32;
        unsigned char* area = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(area != MAP_FAILED);
        if (area == MAP_FAILED) return NULL;
        for (size_t page = 0; page < pages; ++page) {
            CHECK(area[page * 4096] == 0);
            area[page * 4096] = mark;
        }
        CHECK(mprotect(area, pages * 4096, PROT_READ) == 0);
        for (size_t page = 0; page < pages; ++page) CHECK(area[page * 4096] == mark);
        CHECK(mprotect(area, pages * 4096, PROT_READ | PROT_WRITE) == 0);
        area[0] = mark;
        CHECK(munmap(area, pages * 4096) == 0);
        void* block = malloc(200000);
        CHECK(block != NULL);
        memset(block, mark, 200000);
        free(block);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, churn, (void*)i);
    for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
    return check_end();
}
