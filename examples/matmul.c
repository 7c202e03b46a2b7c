/* Multiplies two square matrices, rows dealt out over the ranks: compute that hardly talks.   matmul [N]
 *
 * Every rank makes the same input by itself, works on its rows, and sends a checksum to rank 0; so every rank needs a
 * link to rank 0 and no other. The checksum does not depend on the number of ranks. */
#include <divisi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int result) {
    if (result == DIVISI_OK) return;
    fprintf(stderr, "matmul: %s\n", divisi_error());
    exit(1);
}

/* Small whole numbers: sums are exact in any order. */
static double element(size_t row, size_t column, size_t seed) {
    return (double)((row * 31 + column * 17 + seed) % 13) - 6.0;
}

static void fill(double* matrix, size_t n, size_t seed) {
    for (size_t row = 0; row < n; ++row)
        for (size_t column = 0; column < n; ++column) matrix[row * n + column] = element(row, column, seed);
}

/* Adds up row `row` of a * b; `sums` has room for it. */
static double multiply_row(const double* a, const double* b, double* sums, size_t n, size_t row) {
    double checksum = 0;
    for (size_t column = 0; column < n; ++column) sums[column] = 0;
    for (size_t k = 0; k < n; ++k) {
        const double factor = a[row * n + k];
        for (size_t column = 0; column < n; ++column) sums[column] += factor * b[k * n + column];
    }
    for (size_t column = 0; column < n; ++column) checksum += sums[column] * (double)(1 + column % 3);
    return checksum;
}

int main(int argc, char** argv) {
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 512;
    const size_t rank = (size_t)divisi_rank();
    const size_t size = (size_t)divisi_size();
    double* const a = malloc(n * n * sizeof *a);
    double* const b = malloc(n * n * sizeof *b);
    double* const sums = malloc(n * sizeof *sums);
    if (a == NULL || b == NULL || sums == NULL) {
        fprintf(stderr, "matmul: rank %zu: no memory for two matrices of %zu by %zu\n", rank, n, n);
        return 1;
    }
    fill(a, n, 1);
    fill(b, n, 2);

    check(divisi_barrier());
    const double begin = divisi_time();
    double checksum = 0;
    for (size_t row = rank; row < n; row += size) checksum += multiply_row(a, b, sums, n, row);
    if (rank != 0) {
        check(divisi_send(0, 0, &checksum, sizeof checksum));
        return 0;
    }
    for (size_t other = 1; other < size; ++other) {
        double part = 0;
        check(divisi_recv((int)other, &part, sizeof part, NULL));
        checksum += part;
    }
    const double seconds = divisi_time() - begin;
    printf("%zu x %zu on %zu ranks: checksum %.0f\n", n, n, size, checksum);
    fprintf(stderr, "%.3f s, %.2f Gflop/s\n", seconds, 2e-9 * (double)n * (double)n * (double)n / seconds);
    return 0;
}
