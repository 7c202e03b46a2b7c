// The futex call itself, below any library.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

// As in <linux/futex.h>, which musl's headers do not bring along.
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAIT_PRIVATE = 128,
    FUTEX_WAKE_PRIVATE = 129,
    FUTEX_CMP_REQUEUE_PRIVATE = 132,
    FUTEX_WAIT_BITSET_PRIVATE = 137,
    FUTEX_CLOCK_REALTIME = 256,
};
#define FUTEX_BITSET_MATCH_ANY 0xffffffffU

static _Atomic uint32_t word, other, woken;

static long futex(_Atomic uint32_t* address, int operation, uint32_t value, const void* time, void* second,
                  uint32_t last) {
    return syscall(SYS_futex, address, operation, value, time, second, last);
}

static void* sleeper(void* unused) {
    (void)unused;
    while (atomic_load(&word) == 1)
        if (futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == 0) break;
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static void wake_until(uint32_t count, _Atomic uint32_t* address) {
    while (atomic_load(&woken) < count) {
        futex(address, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        usleep(200);
    }
}

static void run_sleepers(int count, pthread_t* threads) {
    atomic_store(&word, 1);
    atomic_store(&woken, 0);
    for (int i = 0; i < count; ++i) pthread_create(&threads[i], NULL, sleeper, NULL);
}

static _Atomic uint32_t turn;

static void rally(uint32_t mine) {
    for (int i = 0; i < 2000; ++i) {
        while (atomic_load(&turn) != mine) futex(&turn, FUTEX_WAIT_PRIVATE, 1 - mine, NULL, NULL, 0);
        atomic_store(&turn, 1 - mine);
        futex(&turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void* second_player(void* unused) {
    rally(1);
    return unused;
}

int main(void) {
    const struct timespec short_time = {0, 3000000}, wrong = {0, -1};
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &short_time, NULL, 0), ETIMEDOUT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &short_time, NULL, 0), ETIMEDOUT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, &wrong, NULL, 0), EINVAL);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &until);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &until, NULL, 1), ETIMEDOUT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL, 0), EINVAL);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 0);
    CHECK_ERRNO(futex((void*)((uintptr_t)&word + 1), FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((void*)0x8000, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
    CHECK(atomic_load(&word) == 0);

    pthread_t threads[6];
    run_sleepers(6, threads);
    wake_until(6, &word);
    for (int i = 0; i < 6; ++i) pthread_join(threads[i], NULL);
    CHECK(atomic_load(&word) == 1);  // waking changes no word

    // Requeued sleepers wake at the other word.
    run_sleepers(4, threads);
    long moved = 0;
    while (moved < 4) {
        const long now = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void*)(uintptr_t)10, &other, 1);
        CHECK(now >= 0);
        moved += now < 0 ? 4 : now;
        usleep(200);
    }
    wake_until(4, &other);
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
    CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void*)(uintptr_t)10, &other, 77), EAGAIN);

    // Two that wake each other without end in sight: no wake is lost, whether somebody slept already or not.
    pthread_t partner;
    pthread_create(&partner, NULL, second_player, NULL);
    rally(0);
    pthread_join(partner, NULL);
    CHECK(atomic_load(&turn) == 0);

    // A word in shared anonymous memory, by its shared name.
    _Atomic uint32_t* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_ERRNO(futex(shared, FUTEX_WAIT, 0, &short_time, NULL, 0), ETIMEDOUT);
    return check_end();
}
