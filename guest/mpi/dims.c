/* MPI_Dims_create: factors as close to each other as can be, the largest first. */
#include "engine.h"

#define MOST_DIVISORS 1600 /* no number of 31 bits has more than 1536 */

struct divisors {
    int count;
    int list[MOST_DIVISORS]; /* ascending */
};

static void find_divisors(int number, struct divisors* divisors) {
    divisors->count = 0;
    int root = 1;
    while ((long long)(root + 1) * (root + 1) <= number) ++root;
    for (int i = 1; i <= root; ++i)
        if (number % i == 0) divisors->list[divisors->count++] = i;
    for (int i = divisors->count - 1; i >= 0; --i)
        if (number / divisors->list[i] > root) divisors->list[divisors->count++] = number / divisors->list[i];
}

/* Writes `left` as a product of `count` factors, none above `most`, of which the first, the largest, is as small as can
 * be, then the second, and so on. Whether there is such a product. */
static bool divide(const struct divisors* divisors, int left, int count, int most, int* factors) {
    if (count == 1) {
        factors[0] = left;
        return left <= most;
    }
    for (int next = 0; next < divisors->count && divisors->list[next] <= most; ++next) {
        const int factor = divisors->list[next];
        if (left % factor != 0) continue;
        long long power = 1;
        for (int i = 0; i < count && power < left; ++i) power *= factor;
        if (power < left) continue; /* below the root: the largest it cannot be */
        factors[0] = factor;
        if (divide(divisors, left / factor, count - 1, factor, factors + 1)) return true;
    }
    return false;
}

static int refuse(const char* call, const char* what, int value) {
    return dvm_error(NULL, MPI_ERR_DIMS, call, "%s %d", what, value);
}

int PMPI_Dims_create(int nnodes, int ndims, int dims[]) {
    if (nnodes <= 0) return refuse(DVM_CALL, "a number of nodes that is not positive:", nnodes);
    if (ndims < 0) return refuse(DVM_CALL, "a negative number of dimensions:", ndims);
    if (ndims == 0) return MPI_SUCCESS;
    int open = 0;
    int left = nnodes;
    for (int i = 0; i < ndims; ++i) {
        if (dims[i] < 0) return refuse(DVM_CALL, "a negative size:", dims[i]);
        if (dims[i] == 0) {
            ++open;
            continue;
        }
        if (left % dims[i] != 0) return refuse(DVM_CALL, "the number of nodes cannot be divided by the size", dims[i]);
        left /= dims[i];
    }
    if (open == 0)
        return left == 1 ? MPI_SUCCESS : refuse(DVM_CALL, "the sizes given do not make up the number of nodes", nnodes);
    /* A number of nodes has no more than 30 factors; what is beyond them is 1. */
    int factors[32];
    const int used = open < 31 ? open : 31;
    struct divisors divisors;
    find_divisors(left, &divisors);
    (void)divide(&divisors, left, used, left, factors);
    for (int i = 0, next = 0; i < ndims; ++i)
        if (dims[i] == 0) dims[i] = next < used ? factors[next++] : 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Dims_create);
