// Plain computing over some memory: results to the last digit.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 120

static void matrices(void) {
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) {
            a[i][j] = sin(i + 2 * j);
            b[i][j] = cos(3 * i - j);
        }
    for (int i = 0; i < N; ++i)
        for (int k = 0; k < N; ++k)
            for (int j = 0; j < N; ++j) c[i][j] += a[i][k] * b[k][j];
    double trace = 0;
    for (int i = 0; i < N; ++i) trace += c[i][i];
    printf("trace %.15g\n", trace);
}

static void sieve(void) {
    const unsigned limit = 2000000;
    unsigned char* composite = calloc(limit + 1, 1);
    unsigned count = 0;
    for (unsigned i = 2; i <= limit; ++i) {
        if (composite[i]) continue;
        ++count;
        for (uint64_t j = (uint64_t)i * i; j <= limit; j += i) composite[j] = 1;
    }
    printf("%u primes\n", count);
    free(composite);
}

static int compare(const void* left, const void* right) {
    const uint32_t a = *(const uint32_t*)left, b = *(const uint32_t*)right;
    return a < b ? -1 : a > b;
}

static void sorting(void) {
    const size_t count = 300000;
    uint32_t* numbers = malloc(count * sizeof *numbers);
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < count; ++i) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        numbers[i] = state;
    }
    qsort(numbers, count, sizeof *numbers, compare);
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; ++i) hash = (hash ^ numbers[i]) * 1099511628211u;
    printf("sorted %llx\n", (unsigned long long)hash);
    free(numbers);
}

int main(void) {
    matrices();
    sieve();
    sorting();
    return 0;
}
