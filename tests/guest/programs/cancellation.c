// Thread cancellation: at cancellation points, disabled, asynchronous, with its clean-up handlers.
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

static atomic_int cleaned, ready, passed;

static void clean(void* unused) {
    (void)unused;
    atomic_fetch_add(&cleaned, 1);
}

static void* sleeps(void* unused) {
    (void)unused;
    pthread_cleanup_push(clean, NULL);
    atomic_store(&ready, 1);
    while (atomic_load(&ready)) sleep(1000);
    pthread_cleanup_pop(0);
    return NULL;
}

static void* spins(void* unused) {
    (void)unused;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store(&ready, 1);
    while (atomic_load(&ready)) {
    }
    return NULL;
}

static void* disabled(void* unused) {
    (void)unused;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    atomic_store(&ready, 1);
    while (!atomic_load(&passed)) usleep(500);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    return NULL;
}

static void cancel(void* (*body)(void*), int pass_later) {
    pthread_t thread;
    void* result = NULL;
    pthread_create(&thread, NULL, body, NULL);
    while (!atomic_load(&ready)) usleep(200);
    CHECK(pthread_cancel(thread) == 0);
    if (pass_later) atomic_store(&passed, 1);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    atomic_store(&ready, 0);
}

int main(void) {
    cancel(sleeps, 0);
    CHECK(cleaned == 1);
    cancel(disabled, 1);
    cancel(spins, 0);
    return check_end();
}
