// The call of divisi's own that wakes many sleepers and then sleeps itself (shm/abi/node_page.h). Not of Linux.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { SYS_WAKE_AND_WAIT = 510, MOST = 128, MOST_WAITERS = 2048, SLEEPERS = 8, FUTEX_WAIT = 0, FUTEX_32 = 2 };

// As in <linux/futex.h>.
struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static _Atomic uint32_t words[SLEEPERS], woken;
static _Atomic uint32_t own;

static long wake_and_wait(const void* addresses, uint64_t count, const void* waiters, uint64_t waiter_count,
                          const struct timespec* deadline) {
    return syscall(SYS_WAKE_AND_WAIT, addresses, count, waiters, waiter_count, deadline);
}

static struct waiter on(_Atomic uint32_t* word, uint32_t value) {
    const struct waiter waiter = {value, (uintptr_t)word, FUTEX_32, 0};
    return waiter;
}

// The last to be woken wakes the waker.
static void* sleeper(void* argument) {
    _Atomic uint32_t* const word = argument;
    const uint64_t address = (uintptr_t)&own;
    while (syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0) != 0) continue;
    if (atomic_fetch_add(&woken, 1) + 1 == SLEEPERS) {
        atomic_store(&own, 1);
        wake_and_wait(&address, 1, NULL, 0, NULL);
    }
    return NULL;
}

// Sleepers who came late are woken by the next call.
static void wakes_all_and_waits(void) {
    pthread_t threads[SLEEPERS];
    uint64_t addresses[SLEEPERS];
    for (int i = 0; i < SLEEPERS; ++i) {
        atomic_store(&words[i], 1);
        addresses[i] = (uintptr_t)&words[i];
        pthread_create(&threads[i], NULL, sleeper, &words[i]);
    }
    while (atomic_load(&own) == 0) {
        struct timespec soon;
        clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_sec += soon.tv_nsec >= 990000000;
        soon.tv_nsec = (soon.tv_nsec + 10000000) % 1000000000;
        const struct waiter waiters[2] = {on(&words[0], 1), on(&own, 0)};
        errno = 0;
        const long result = wake_and_wait(addresses, SLEEPERS, waiters, 2, &soon);
        CHECK(result == 1 || (result == -1 && (errno == ETIMEDOUT || errno == EAGAIN)));
    }
    for (int i = 0; i < SLEEPERS; ++i) pthread_join(threads[i], NULL);
    CHECK(atomic_load(&woken) == SLEEPERS);
}

static void refuses(void) {
    uint64_t addresses[MOST + 1];
    static struct waiter waiters[MOST_WAITERS + 1];
    for (int i = 0; i <= MOST; ++i) addresses[i] = (uintptr_t)&words[0];
    for (int i = 0; i <= MOST_WAITERS; ++i) waiters[i] = on(&words[0], 77);
    CHECK(wake_and_wait(NULL, 0, NULL, 0, NULL) == 0);
    CHECK(wake_and_wait(addresses, MOST, NULL, 0, NULL) == 0);
    CHECK_ERRNO(wake_and_wait(addresses, MOST + 1, NULL, 0, NULL), EINVAL);
    CHECK_ERRNO(wake_and_wait(addresses, UINT64_MAX / 8, NULL, 0, NULL), EINVAL);
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, MOST_WAITERS, NULL), EAGAIN);
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, MOST_WAITERS + 1, NULL), EINVAL);
    CHECK_ERRNO(wake_and_wait((void*)8, 1, NULL, 0, NULL), EFAULT);
    CHECK_ERRNO(wake_and_wait(addresses, 1, (void*)8, 1, NULL), EFAULT);
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, 1, (void*)8), EFAULT);
    const struct timespec wrong = {0, -1}, past = {0, 0};
    waiters[0] = on(&words[0], atomic_load(&words[0]));
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, 1, &wrong), EINVAL);
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, 1, &past), ETIMEDOUT);
    waiters[0].address = 4;
    CHECK_ERRNO(wake_and_wait(addresses, 1, waiters, 1, NULL), EFAULT);
    addresses[1] += 2;
    CHECK_ERRNO(wake_and_wait(addresses, 2, NULL, 0, NULL), EINVAL);
    // Words that nobody can sleep on wake nobody.
    addresses[0] = 4;
    CHECK(wake_and_wait(addresses, 1, NULL, 0, NULL) == 0);
}

int main(void) {
    refuses();
    wakes_all_and_waits();
    return check_end();
}
