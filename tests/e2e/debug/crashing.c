// Crashes as its first argument says; in a second thread where there is another one.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile uintptr_t zero;

__attribute__((noinline)) static int inner(volatile int* at) {
    *at = 1;
    return *at + 1;
}

static inline __attribute__((always_inline)) int middle(volatile int* at) {
    return 2 * inner(at);
}

__attribute__((noinline)) static int outer(const char* how) {
    volatile int room[64];
    room[zero] = 1;
    if (strcmp(how, "null") == 0) return middle((int*)zero);
    if (strcmp(how, "call") == 0) return ((int (*)(void))zero)() + room[0];
    if (strcmp(how, "abort") == 0) abort();
    if (strcmp(how, "recurse") == 0) return outer(how) + room[0];
    if (strcmp(how, "stack") == 0) memset((char*)room, 0x41, 4096);
    return room[0];
}

static void on_signal(int signo) {
    (void)signo;
    outer("null");
}

static void* run(void* how) {
    pthread_setname_np(pthread_self(), "worker");
    return (void*)(intptr_t)(outer(how) + 1);
}

int main(int argc, char** argv) {
    pthread_t thread;
    if (argc > 2) {
        pthread_create(&thread, NULL, run, argv[1]);
        pthread_join(thread, NULL);
    } else if (strcmp(argv[1], "handler") == 0) {
        signal(SIGUSR1, on_signal);
        raise(SIGUSR1);
    } else if (strcmp(argv[1], "sleep") == 0) {
        puts("begun");
        fflush(stdout);
        for (;;) pause();
    }
    return outer(argv[1]) & 1;
}
