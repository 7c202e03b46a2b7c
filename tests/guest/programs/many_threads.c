// many_threads TOGETHER IN_TURN: that many threads alive at once, and that many one after another.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"

static pthread_barrier_t all_here;
static atomic_long sum;

static void* together(void* number) {
    pthread_barrier_wait(&all_here);
    atomic_fetch_add(&sum, (long)(intptr_t)number);
    return NULL;
}

static void* alone(void* number) {
    atomic_fetch_add(&sum, 1);
    return number;
}

int main(int argc, char** argv) {
    const long count = argc > 1 ? atol(argv[1]) : 64, in_turn = argc > 2 ? atol(argv[2]) : 1000;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    pthread_t* threads = calloc((size_t)count, sizeof *threads);
    pthread_barrier_init(&all_here, NULL, (unsigned)count);
    for (intptr_t i = 0; i < count; ++i) CHECK(pthread_create(&threads[i], &small, together, (void*)i) == 0);
    for (long i = 0; i < count; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(sum == count * (count - 1) / 2);
    sum = 0;
    for (intptr_t i = 0; i < in_turn; ++i) {
        pthread_t one;
        void* result = NULL;
        CHECK(pthread_create(&one, NULL, alone, (void*)i) == 0);
        CHECK(pthread_join(one, &result) == 0 && (intptr_t)result == i);
    }
    CHECK(sum == in_turn);
    free(threads);
    return check_end();
}
