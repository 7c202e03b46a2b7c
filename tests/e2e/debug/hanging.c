// Two threads in a deadlock, one that computes, and the first in read(2).
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static volatile unsigned long count;

__attribute__((noinline)) static void lock_both(pthread_mutex_t* one, pthread_mutex_t* other) {
    pthread_mutex_lock(one);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(other);
    pthread_mutex_unlock(other);
}

static void* forwards(void* nothing) {
    lock_both(&first, &second);
    return nothing;
}

static void* backwards(void* nothing) {
    lock_both(&second, &first);
    return nothing;
}

static void* compute(void* nothing) {
    pthread_setname_np(pthread_self(), "computing");
    for (;;) ++count;
    return nothing;
}

int main(void) {
    pthread_t threads[3];
    char byte;
    pthread_barrier_init(&both, NULL, 2);
    pthread_create(&threads[0], NULL, forwards, NULL);
    pthread_create(&threads[1], NULL, backwards, NULL);
    pthread_create(&threads[2], NULL, compute, NULL);
    puts("begun");
    fflush(stdout);
    return read(STDIN_FILENO, &byte, 1) < 0 || pthread_join(threads[0], NULL) != 0;
}
