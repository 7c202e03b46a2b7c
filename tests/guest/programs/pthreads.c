// POSIX threads: joining, detaching, locks of all kinds, barriers, keys, once, attributes.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define THREADS 8

static void* doubled(void* value) { return (void*)((intptr_t)value * 2); }

static void joining(void) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, doubled, (void*)i) == 0);
    for (intptr_t i = 0; i < THREADS; ++i) {
        void* result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0 && (intptr_t)result == i * 2);
    }
    for (int i = 0; i < 150; ++i) {
        pthread_t one;
        void* result = NULL;
        CHECK(pthread_create(&one, NULL, doubled, (void*)(intptr_t)i) == 0);
        CHECK(pthread_join(one, &result) == 0 && (intptr_t)result == i * 2);
    }
}

static sem_t detached_done;
static void* detached(void* unused) {
    (void)unused;
    sem_post(&detached_done);
    return NULL;
}

static void detaching(void) {
    sem_init(&detached_done, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 65536);
    for (int i = 0; i < 20; ++i) {
        pthread_t thread;
        CHECK(pthread_create(&thread, i % 2 ? &attributes : NULL, detached, NULL) == 0);
        if (i % 2 == 0) CHECK(pthread_detach(thread) == 0);
    }
    for (int i = 0; i < 20; ++i) CHECK(sem_wait(&detached_done) == 0);
    pthread_attr_destroy(&attributes);
}

static pthread_barrier_t barrier;
static atomic_int serial_threads;
static int steps[THREADS];
static void* stepper(void* number) {
    const int own = (int)(intptr_t)number;
    for (int i = 0; i < 30; ++i) {
        steps[own] = i;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) atomic_fetch_add(&serial_threads, 1);
        for (int other = 0; other < THREADS; ++other) CHECK(steps[other] == i);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void run_all(void* (*body)(void*)) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, body, (void*)i) == 0);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spinlock;
static pthread_mutex_t recursive;
static long guarded, spun, nested;
static void* locker(void* number) {
    for (int i = 0; i < 300; ++i) {
        if ((intptr_t)number < 2) {
            pthread_rwlock_wrlock(&rwlock);
            ++guarded;
        } else {
            pthread_rwlock_rdlock(&rwlock);
        }
        pthread_rwlock_unlock(&rwlock);
        pthread_spin_lock(&spinlock);
        ++spun;
        pthread_spin_unlock(&spinlock);
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        ++nested;
        pthread_mutex_unlock(&recursive);
        pthread_mutex_unlock(&recursive);
    }
    return NULL;
}

static void* lock_elsewhere(void* mutex) { return (void*)(intptr_t)pthread_mutex_trylock(mutex); }

static void locks(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
    pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
    run_all(locker);
    CHECK(guarded == 600 && spun == THREADS * 300 && nested == THREADS * 300);

    pthread_mutex_t checked;
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checked, &attributes);
    CHECK(pthread_mutex_lock(&checked) == 0 && pthread_mutex_lock(&checked) == EDEADLK);
    pthread_t other;
    void* result;
    pthread_create(&other, NULL, lock_elsewhere, &checked);
    pthread_join(other, &result);
    CHECK((intptr_t)result == EBUSY);
    CHECK(pthread_mutex_unlock(&checked) == 0 && pthread_mutex_unlock(&checked) == EPERM);

    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 5000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        ++soon.tv_sec;
    }
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&plain);
    CHECK(pthread_mutex_timedlock(&plain, &soon) == ETIMEDOUT);
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    CHECK(pthread_cond_timedwait(&never, &plain, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&plain);
}

static pthread_key_t key;
static atomic_int destroyed;
static void destroy(void* value) { atomic_fetch_add(&destroyed, (int)(intptr_t)value); }
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_calls;
static void only_once(void) { ++once_calls; }
static void* keeper(void* number) {
    pthread_once(&once, only_once);
    CHECK(pthread_getspecific(key) == NULL);
    pthread_setspecific(key, (void*)((intptr_t)number + 1));
    if ((intptr_t)number % 2) pthread_exit(NULL);
    return NULL;
}

static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static void* in_turn(void* number) {
    for (int i = 0; i < 50; ++i) {
        pthread_mutex_lock(&turn_mutex);
        while (turn % THREADS != (int)(intptr_t)number) pthread_cond_wait(&turn_changed, &turn_mutex);
        ++turn;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&turn_mutex);
    }
    return NULL;
}

int main(void) {
    joining();
    detaching();
    pthread_barrier_init(&barrier, NULL, THREADS);
    run_all(stepper);
    CHECK(serial_threads == 30);
    locks();
    pthread_key_create(&key, destroy);
    run_all(keeper);
    CHECK(destroyed == THREADS * (THREADS + 1) / 2 && once_calls == 1);
    run_all(in_turn);
    CHECK(turn == 50 * THREADS);
    return check_end();
}
