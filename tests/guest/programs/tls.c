// Thread-local storage: the initial image, zeroes, alignment, and one copy a thread.
#include <pthread.h>
#include <stdint.h>

#include "check.h"

static _Thread_local int counter = 41;
static _Thread_local char zeroes[5000];
static _Thread_local _Alignas(64) char aligned[64] = "aligned";

static void use(int by) {
    CHECK(counter == 41);
    for (unsigned i = 0; i < sizeof zeroes; ++i) CHECK(zeroes[i] == 0);
    CHECK(((uintptr_t)aligned & 63) == 0 && strcmp(aligned, "aligned") == 0);
    counter += by;
    memset(zeroes, by, sizeof zeroes);
    errno = by;
}

static void* body(void* by) {
    use((int)(intptr_t)by);
    CHECK(counter == 41 + (int)(intptr_t)by && errno == (int)(intptr_t)by);
    return &counter;
}

int main(void) {
    uintptr_t self = 0;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    CHECK(self != 0 && self == (uintptr_t)pthread_self());
    use(1);
    void* addresses[8];
    pthread_t threads[8];
    for (intptr_t i = 0; i < 8; ++i) pthread_create(&threads[i], NULL, body, (void*)(i + 2));
    for (int i = 0; i < 8; ++i) {
        pthread_join(threads[i], &addresses[i]);
        CHECK(addresses[i] != &counter);
    }
    CHECK(counter == 42 && zeroes[77] == 1);
    return check_end();
}
