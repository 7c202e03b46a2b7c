// More spinning threads than CPUs: a thread that never calls the system is preempted, so that all come to their turn.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "check.h"

#define THREADS 10

static atomic_int turn;

static void* spin(void* number) {
    for (int round = 0; round < 3; ++round) {
        const int mine = round * THREADS + (int)(intptr_t)number;
        while (atomic_load(&turn) != mine) {
        }
        atomic_store(&turn, mine + 1);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, spin, (void*)i);
    for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
    CHECK(turn == 3 * THREADS);
    return check_end();
}
