// thread_ends WAY: how threads and the program end each other.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int never;

static void* spin(void* unused) {
    while (!never) __asm__ volatile("pause");
    return unused;
}

static void* sleep_long(void* unused) {
    while (!never) sleep(1000);
    return unused;
}

static void* last_word(void* main_thread) {
    pthread_join(*(pthread_t*)main_thread, NULL);
    puts("main has ended, its program has not");
    exit(5);
}

static void* leave_all(void* unused) {
    (void)unused;
    syscall(SYS_exit_group, 6);
    return NULL;
}

int main(int argc, char** argv) {
    const char* way = argc > 1 ? argv[1] : "";
    static pthread_t own, thread;
    own = pthread_self();
    if (strcmp(way, "main-returns") == 0) {
        for (int i = 0; i < 3; ++i) pthread_create(&thread, NULL, i ? spin : sleep_long, NULL);
        puts("main returns while others spin and sleep");
        return 4;
    }
    if (strcmp(way, "main-exits-first") == 0) {
        pthread_create(&thread, NULL, last_word, &own);
        pthread_exit(NULL);
    }
    if (strcmp(way, "exit-group") == 0) {
        pthread_create(&thread, NULL, sleep_long, NULL);
        pthread_create(&thread, NULL, leave_all, NULL);
        spin(NULL);
    }
    return 99;
}
