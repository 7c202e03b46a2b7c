/* Compute-bound loops of five kinds over all CPUs, by OpenMP: prints the best time of each in ns, as JSON. What nodes
 * cost a program that asks them for nothing. The checks keep the work from being left out, and must be the same
 * everywhere.
 */
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kPasses = 5, kMatrix = 384, kBodies = 4096, kGrid = 1024, kSweeps = 20, kSamples = 1 << 24, kPicture = 512 };

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static double a[kMatrix][kMatrix], b[kMatrix][kMatrix], c[kMatrix][kMatrix];
static double grids[2][kGrid][kGrid];
static double bodies[kBodies][3], forces[kBodies][3];

static double matrix(void) {
    memset(c, 0, sizeof c);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < kMatrix; ++i) {
        for (int k = 0; k < kMatrix; ++k) {
            for (int j = 0; j < kMatrix; ++j) c[i][j] += a[i][k] * b[k][j];
        }
    }
    return c[kMatrix / 2][kMatrix / 3];
}

static double stencil(void) {
    memset(grids, 0, sizeof grids);
    for (int j = 0; j < kGrid; ++j) grids[0][0][j] = grids[1][0][j] = 1.0;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
        double(*from)[kGrid] = grids[sweep % 2];
        double(*to)[kGrid] = grids[1 - sweep % 2];
#pragma omp parallel for schedule(static)
        for (int i = 1; i < kGrid - 1; ++i) {
            for (int j = 1; j < kGrid - 1; ++j)
                to[i][j] = 0.25 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
        }
    }
    return grids[0][3][kGrid / 2];
}

static double gravity(void) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < kBodies; ++i) {
        double sum[3] = {0, 0, 0};
        for (int j = 0; j < kBodies; ++j) {
            const double x = bodies[j][0] - bodies[i][0];
            const double y = bodies[j][1] - bodies[i][1];
            const double z = bodies[j][2] - bodies[i][2];
            const double square = x * x + y * y + z * z + 1e-3;
            const double pull = 1.0 / (square * sqrt(square));
            sum[0] += x * pull;
            sum[1] += y * pull;
            sum[2] += z * pull;
        }
        memcpy(forces[i], sum, sizeof sum);
    }
    return forces[7][0];
}

static double sampling(void) {
    long inside = 0;
#pragma omp parallel for schedule(static) reduction(+ : inside)
    for (int block = 0; block < 256; ++block) {
        uint64_t random = 88172645463325252U + (uint64_t)block;
        for (int i = 0; i < kSamples / 256; ++i) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            const double x = (double)(random & 0xffffffU) / 0x1000000;
            const double y = (double)(random >> 40) / 0x1000000;
            inside += x * x + y * y < 1.0;
        }
    }
    return 4.0 * (double)inside / kSamples;
}

static double mandelbrot(void) {
    long steps = 0;
#pragma omp parallel for schedule(dynamic, 8) reduction(+ : steps)
    for (int row = 0; row < kPicture; ++row) {
        for (int column = 0; column < kPicture; ++column) {
            const double x0 = 3.0 * column / kPicture - 2.0;
            const double y0 = 2.0 * row / kPicture - 1.0;
            double x = 0;
            double y = 0;
            for (int i = 0; i < 200 && x * x + y * y < 4.0; ++i, ++steps) {
                const double next = x * x - y * y + x0;
                y = 2 * x * y + y0;
                x = next;
            }
        }
    }
    return (double)steps;
}

static void set_up(void) {
    for (int i = 0; i < kMatrix; ++i) {
        for (int j = 0; j < kMatrix; ++j) {
            a[i][j] = (i * 7 + j) % 11;
            b[i][j] = (i + j * 5) % 13;
        }
    }
    for (int i = 0; i < kBodies; ++i) {
        for (int axis = 0; axis < 3; ++axis) bodies[i][axis] = (double)((i * 37 + axis * 101) % 4096) / 4096;
    }
}

int main(void) {
    static const struct {
        const char* name;
        double (*run)(void);
    } kernels[] = {{"matrix", matrix},
                   {"stencil", stencil},
                   {"gravity", gravity},
                   {"sampling", sampling},
                   {"mandelbrot", mandelbrot}};
    set_up();
    printf("{\"threads\": %d", omp_get_max_threads());
    for (size_t kernel = 0; kernel < sizeof kernels / sizeof kernels[0]; ++kernel) {
        uint64_t best = UINT64_MAX;
        double check = 0;
        for (int pass = 0; pass < kPasses; ++pass) {
            const uint64_t begin = now_ns();
            check = kernels[kernel].run();
            const uint64_t took = now_ns() - begin;
            if (took < best) best = took;
        }
        printf(", \"%s\": {\"ns\": %llu, \"check\": %.12g}", kernels[kernel].name, (unsigned long long)best, check);
    }
    puts("}");
    return 0;
}
