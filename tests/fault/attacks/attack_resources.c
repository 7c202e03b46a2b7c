/* Attacks that take all there is: memory, mappings, descriptors, threads, time, the channels. */
#define _GNU_SOURCE
#include <divisi.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

static int memory(char** arguments) {
    (void)arguments;
    size_t taken = 0;
    for (size_t size = 1UL << 40; size >= 4096; size /= 2)
        for (int i = 0; i < 64; ++i) {
            char* const piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (piece == MAP_FAILED) break;
            if (size > 1 << 28) continue;
            memset(piece, 1, size);
            taken += size;
        }
    (void)sbrk(1 << 30);
    return taken > 0 ? 0 : broken("no memory at all");
}

/* More mappings than the host lets a process have. */
static int mappings(char** arguments) {
    (void)arguments;
    const long pages = 70000;
    char* const area = mmap(NULL, (size_t)pages * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return 0;
    for (long page = 0; page < pages; page += 2)
        if (mprotect(area + page * 4096, 4096, PROT_READ | PROT_WRITE) != 0) break;
    for (long page = 0; page < pages; page += 7) (void)*(volatile char*)(area + page * 4096);
    return 0;
}

static int descriptors(char** arguments) {
    (void)arguments;
    int pipes[2];
    for (int i = 0; i < 1 << 20; ++i)
        if (open("/dev/null", O_RDONLY) < 0) break;
    for (int i = 0; i < 1 << 20; ++i)
        if (pipe(pipes) != 0) break;
    for (int i = 0; i < 1 << 20; ++i)
        if (eventfd(0, 0) < 0 || dup(0) < 0) break;
    usleep(100000);
    return 0;
}

static void* sleeper(void* unused) {
    for (;;) pause();
    return unused;
}

static int threads(char** arguments) {
    (void)arguments;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    pthread_t thread;
    for (int i = 0; i < 100000; ++i)
        if (pthread_create(&thread, &attributes, sleeper, NULL) != 0) break;
    return 0;
}

/* Deaf to all signals, in a loop: whoever started it has to kill it. */
static int deaf(char** arguments) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (number_of(arguments, 0, 0) == 0)
        for (;;) __asm__ volatile("pause");
    while (getppid() >= 0) continue;
    return 0;
}

/* Overwrites all of its windows again and again; what is read-only says so. */
static unsigned char* volatile at;
static unsigned char* volatile end;
static void scribble(void* pattern) {
    for (; at < end; at += 4096) memset(at, *(unsigned char*)pattern, 4096);
}
static int windows(char** arguments) {
    unsigned char* const page = (unsigned char*)getauxval(0x44495649);
    if (page == NULL) return broken("no window");
    uint64_t bytes = 0;
    memcpy(&bytes, page + 0x10, sizeof bytes);
    unsigned char pattern = (unsigned char)number_of(arguments, 0, 0xff);
    end = page + bytes;
    for (int round = 0; round < 8; ++round, pattern = (unsigned char)(pattern * 7 + round)) {
        at = page;
        if (attempt(scribble, &pattern) == 0 || at != page) return broken("the node page can be written");
        for (at += 4096; at < end; at += 4096) (void)attempt(scribble, &pattern);
    }
    for (long word = 0; word < 64; ++word)
        (void)raw_call(SYS_futex, (long)(page + 4096 + word * 4), 1, INT32_MAX, 0, 0, 0);
    return 0;
}

const struct attack kResourceAttacks[] = {{"memory", memory},   {"mappings", mappings}, {"descriptors", descriptors},
                                          {"threads", threads}, {"deaf", deaf},         {"windows", windows},
                                          {NULL, NULL}};
