// Locks whose owner the kernel knows: priority inheritance, robust ones, shared between programs, and both at once.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { kThreads = 4, kRounds = 300 };

static pthread_mutex_t mutex;
static long counter;

static void make(int protocol, int robust, int shared, int type) {
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
    CHECK(pthread_mutexattr_setpshared(&attributes, shared) == 0);
    CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
}

static void* count_up(void* unused) {
    (void)unused;
    for (int i = 0; i < kRounds; ++i) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        const long before = counter;
        if (i % 64 == 0) sched_yield();
        counter = before + 1;
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
    return NULL;
}

static void excludes(int protocol, int robust, int shared) {
    make(protocol, robust, shared, PTHREAD_MUTEX_NORMAL);
    pthread_t threads[kThreads];
    counter = 0;
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], NULL, count_up, NULL) == 0);
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(counter == (long)kThreads * kRounds);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
}

static volatile int held;
static void* hold_and_die(void* seconds) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    held = 1;
    usleep((useconds_t)(intptr_t)seconds);
    return NULL;
}

// A robust lock whose owner died says so to the next, be it waiting already or not.
static void owner_dies(int protocol, int shared, int delay) {
    make(protocol, PTHREAD_MUTEX_ROBUST, shared, PTHREAD_MUTEX_NORMAL);
    pthread_t thread;
    held = 0;
    CHECK(pthread_create(&thread, NULL, hold_and_die, (void*)(intptr_t)delay) == 0);
    if (delay == 0) CHECK(pthread_join(thread, NULL) == 0);
    while (!held) usleep(1000);
    const int locked = pthread_mutex_lock(&mutex);
    CHECK(locked == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    if (delay != 0) CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, hold_and_die, (void*)0) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_lock(&mutex) == ENOTRECOVERABLE);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
}

static void* try_it(void* unused) {
    (void)unused;
    CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000) ++soon.tv_sec, soon.tv_nsec -= 1000000000;
    CHECK(pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
    return NULL;
}

static void inheriting(void) {
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, 0, PTHREAD_MUTEX_ERRORCHECK);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_lock(&mutex) == EDEADLK);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, try_it, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == EPERM);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, 0, PTHREAD_MUTEX_RECURSIVE);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
}

static volatile int handled;
static void handler(int number) {
    (void)number;
    ++handled;
}

static volatile int at_lock;
static void* lock_slowly(void* unused) {
    (void)unused;
    at_lock = 1;
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}

// A signal's handler runs while its thread waits for the lock, and the wait goes on.
static void interrupted(void) {
    const struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, 0, PTHREAD_MUTEX_NORMAL);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, lock_slowly, NULL) == 0);
    while (!at_lock) usleep(1000);
    usleep(20000);
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    for (int i = 0; i < 2000 && handled == 0; ++i) usleep(1000);
    CHECK(handled == 1 && pthread_mutex_unlock(&mutex) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
}

static long futex(uint32_t* word, int operation, uint32_t value) {
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void by_hand(void) {
    uint32_t word = 0;
    const uint32_t self = (uint32_t)syscall(SYS_gettid);
    CHECK(futex(&word, FUTEX_LOCK_PI, 0) == 0 && word == self);
    CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI, 0), EDEADLK);
    CHECK(futex(&word, FUTEX_UNLOCK_PI, 0) == 0 && word == 0);
    CHECK_ERRNO(futex(&word, FUTEX_UNLOCK_PI, 0), EPERM);
    CHECK(futex(&word, FUTEX_TRYLOCK_PI, 0) == 0 && word == self && futex(&word, FUTEX_UNLOCK_PI, 0) == 0);
    word = 0x3ffffff0;  // nobody
    CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI, 0), ESRCH);
    CHECK_ERRNO(futex((uint32_t*)16, FUTEX_LOCK_PI, 0), EFAULT);
    void* head = NULL;
    size_t bytes = 0;
    CHECK(syscall(SYS_get_robust_list, 0, &head, &bytes) == 0 && bytes == 24);
    CHECK_ERRNO(syscall(SYS_get_robust_list, 0x7ffffff0, &head, &bytes), ESRCH);
    CHECK_ERRNO(syscall(SYS_set_robust_list, head, 23L), EINVAL);
}

// As condition variables use it whose mutex inherits priority: who is to be woken waits for the mutex instead.
static uint32_t condition, target;
static atomic_int own_it;
static void* wait_for_condition(void* expected) {
    const uint32_t self = (uint32_t)syscall(SYS_gettid);
    const long waited =
        syscall(SYS_futex, &condition, FUTEX_WAIT_REQUEUE_PI, (uint32_t)(uintptr_t)expected, NULL, &target, 0);
    CHECK(waited == 0 && (target & FUTEX_TID_MASK) == self);
    ++own_it;
    CHECK(futex(&target, FUTEX_UNLOCK_PI, 0) == 0);
    return NULL;
}

static long requeue(uint32_t wake, long move, uint32_t expected) {
    return syscall(SYS_futex, &condition, FUTEX_CMP_REQUEUE_PI, wake, move, &target, expected);
}

// All that wait have come when none is left to be moved.
static void move_all(int threads) {
    for (long moved = 0; moved < threads;) {
        const long now = requeue(1, 100, 0);
        CHECK(now >= 0);
        moved += now > 0 ? now : 0;
        if (moved < threads) usleep(1000);
    }
}

static void moved_to_a_lock(void) {
    pthread_t threads[kThreads];
    const struct timespec past = {0, 1};
    CHECK(futex(&target, FUTEX_LOCK_PI, 0) == 0);
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], NULL, wait_for_condition, NULL) == 0);
    move_all(kThreads);
    usleep(5000);
    CHECK(own_it == 0 && (target & FUTEX_WAITERS) != 0);
    CHECK(futex(&target, FUTEX_UNLOCK_PI, 0) == 0);
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(own_it == kThreads && target == 0);
    // One that finds it free has it at once.
    CHECK(pthread_create(&threads[0], NULL, wait_for_condition, NULL) == 0);
    move_all(1);
    CHECK(pthread_join(threads[0], NULL) == 0 && target == 0);
    CHECK_ERRNO(requeue(1, 1, 7), EAGAIN);
    CHECK_ERRNO(requeue(2, 1, 0), EINVAL);
    CHECK(requeue(1, 1, 0) == 0);
    CHECK_ERRNO(syscall(SYS_futex, &condition, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &target, 0), EAGAIN);
    CHECK_ERRNO(syscall(SYS_futex, &condition, FUTEX_WAIT_REQUEUE_PI, 0, &past, &target, 0), ETIMEDOUT);
    CHECK_ERRNO(syscall(SYS_futex, &condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &condition, 0), EINVAL);
}

// In a file that is mapped to be shared, the lock is known by its place there, and its owner's end is seen all the
// same.
static uint32_t* mapped;
static void* hold_and_end(void* unused) {
    (void)unused;
    CHECK(futex(mapped, FUTEX_LOCK_PI, 0) == 0);
    held = 1;
    usleep(50000);
    syscall(SYS_exit, 0);
    return NULL;
}

static void in_a_mapped_file(void) {
    char name[] = "lock-XXXXXX";
    const int fd = mkstemp(name);
    CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 4096) == 0);
    mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(mapped != MAP_FAILED);
    pthread_t thread;
    held = 0;
    CHECK(pthread_create(&thread, NULL, hold_and_end, NULL) == 0);
    while (!held) usleep(1000);
    CHECK(futex(mapped, FUTEX_LOCK_PI, 0) == 0);
    CHECK((*mapped & ~FUTEX_WAITERS) == ((uint32_t)syscall(SYS_gettid) | FUTEX_OWNER_DIED));
    CHECK(futex(mapped, FUTEX_UNLOCK_PI, 0) == 0);
    CHECK(munmap(mapped, 4096) == 0 && close(fd) == 0);
}

int main(void) {
    excludes(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, 0);
    excludes(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, 1);
    excludes(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, 0);
    excludes(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, 1);
    owner_dies(PTHREAD_PRIO_NONE, 0, 0);
    owner_dies(PTHREAD_PRIO_NONE, 1, 20000);
    owner_dies(PTHREAD_PRIO_INHERIT, 0, 0);
    owner_dies(PTHREAD_PRIO_INHERIT, 0, 20000);
    inheriting();
    interrupted();
    by_hand();
    moved_to_a_lock();
    in_a_mapped_file();
    return check_end();
}
