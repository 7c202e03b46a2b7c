/* Dining philosophers with pthreads: an ordinary program, nothing of divisi in it.   philosophers [COUNT [MEALS]]
 *
 * Each takes the lower-numbered fork first, so nobody starves; a waiter on a condition variable counts the meals. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
    int seats;
    int meals_each;
    pthread_mutex_t* forks;
    pthread_mutex_t counter_lock;
    pthread_cond_t all_fed;
    long meals;
    int fed;
};

struct seat {
    struct table* table;
    int number;
};

static void eat(struct table* table) {
    pthread_mutex_lock(&table->counter_lock);
    ++table->meals;
    pthread_mutex_unlock(&table->counter_lock);
}

static void* dine(void* argument) {
    const struct seat* const seat = argument;
    struct table* const table = seat->table;
    const int left = seat->number;
    const int right = (seat->number + 1) % table->seats;
    pthread_mutex_t* const first = &table->forks[left < right ? left : right];
    pthread_mutex_t* const second = &table->forks[left < right ? right : left];
    for (int meal = 0; meal < table->meals_each; ++meal) {
        pthread_mutex_lock(first);
        pthread_mutex_lock(second);
        eat(table);
        pthread_mutex_unlock(second);
        pthread_mutex_unlock(first);
    }
    pthread_mutex_lock(&table->counter_lock);
    ++table->fed;
    pthread_cond_signal(&table->all_fed);
    pthread_mutex_unlock(&table->counter_lock);
    return NULL;
}

static int serve(struct table* table, pthread_t* threads, struct seat* seats) {
    for (int i = 0; i < table->seats; ++i) {
        pthread_mutex_init(&table->forks[i], NULL);
        seats[i] = (struct seat){table, i};
    }
    for (int i = 0; i < table->seats; ++i)
        if (pthread_create(&threads[i], NULL, dine, &seats[i]) != 0) return 0;
    pthread_mutex_lock(&table->counter_lock);
    while (table->fed < table->seats) pthread_cond_wait(&table->all_fed, &table->counter_lock);
    pthread_mutex_unlock(&table->counter_lock);
    for (int i = 0; i < table->seats; ++i) pthread_join(threads[i], NULL);
    return 1;
}

int main(int argc, char** argv) {
    struct table table = {.seats = argc > 1 ? atoi(argv[1]) : 8,
                          .meals_each = argc > 2 ? atoi(argv[2]) : 10000,
                          .counter_lock = PTHREAD_MUTEX_INITIALIZER,
                          .all_fed = PTHREAD_COND_INITIALIZER};
    if (table.seats < 2 || table.meals_each < 1) {
        fprintf(stderr, "philosophers [COUNT [MEALS]]: at least two, and one\n");
        return 2;
    }
    const size_t seats = (size_t)table.seats;
    table.forks = calloc(seats, sizeof *table.forks);
    pthread_t* const threads = calloc(seats, sizeof *threads);
    struct seat* const chairs = calloc(seats, sizeof *chairs);
    if (table.forks == NULL || threads == NULL || chairs == NULL || !serve(&table, threads, chairs)) {
        fprintf(stderr, "philosophers: cannot start %d threads\n", table.seats);
        return 1;
    }
    printf("%d philosophers had %ld meals\n", table.seats, table.meals);
    return table.meals == (long)table.seats * table.meals_each ? 0 : 1;
}
