// openmp COUNT: an OpenMP program finds COUNT processors and computes over all of them.
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "check.h"

int main(int argc, char** argv) {
    const int count = argc > 1 ? atoi(argv[1]) : 0;
    CHECK(omp_get_num_procs() == count);
    int seen = 0;
#pragma omp parallel
#pragma omp single
    seen = omp_get_num_threads();
    CHECK(seen == count);
    double sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 100) num_threads(4)
    for (int i = 1; i <= 100000; ++i) sum += 1.0 / (double)i;
    printf("%.9f\n", sum);
    atomic_int tasks = 0;
#pragma omp parallel num_threads(4)
#pragma omp single
    for (int i = 0; i < 200; ++i)
#pragma omp task
        atomic_fetch_add(&tasks, i);
    CHECK(tasks == 19900);
    long ordered = 0;
#pragma omp parallel for ordered num_threads(3)
    for (int i = 0; i < 30; ++i)
#pragma omp ordered
        ordered = ordered * 3 % 1000003 + i;
    printf("%ld\n", ordered);
    int locked = 0;
#pragma omp parallel num_threads(8)
    for (int i = 0; i < 500; ++i)
#pragma omp critical
        ++locked;
    CHECK(locked == 4000);
#pragma omp parallel num_threads(8)
    for (int i = 0; i < 50; ++i) {
#pragma omp barrier
    }
    return check_end();
}
