/* Pi by numerical integration with OpenMP: an ordinary program, nothing of divisi in it.   pi_openmp [STEPS] */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
    const long steps = argc > 1 ? atol(argv[1]) : 100000000;
    const double width = 1.0 / (double)steps;
    int threads = 1;
    double sum = 0;
    const double begin = omp_get_wtime();
#pragma omp parallel reduction(+ : sum)
    {
#pragma omp single
        threads = omp_get_num_threads();
#pragma omp for
        for (long i = 0; i < steps; ++i) {
            const double x = ((double)i + 0.5) * width;
            sum += 4.0 / (1.0 + x * x);
        }
    }
    printf("pi is about %.9f, by %d threads on %d CPUs\n", sum * width, threads, omp_get_num_procs());
    fprintf(stderr, "%.3f s\n", omp_get_wtime() - begin);
    return 0;
}
