/* Constructors of parts of arrays: subarray and darray. Dimension after dimension, the fastest first, the part is a
 * vector of what was made of the dimensions before; in the end it gets the extent of the whole array. */
#include <stdlib.h>

#include "type_make.h"

struct array {
    int combiner;
    bool large;
    int dimensions;
    int order;
    MPI_Datatype old;
};

/* What a rank has of a dimension: blocks of `length` every `period`, `count` of them, and a last one of `rest`. */
struct share {
    int64_t size;
    int64_t start;
    int64_t count;
    int64_t length;
    int64_t period;
    int64_t rest;
};

static int build_one(int64_t repeat, int64_t stride, struct dvm_part part, struct dvm_type** built) {
    struct dvm_blueprint blueprint;
    if (!dvm_blueprint_of_one(&blueprint, MPI_COMBINER_DUP, repeat, stride, part))
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    return dvm_type_build(&blueprint, built);
}

/* The two kinds of blocks of a share, `stride` bytes between indices, as one type. */
static int build_share(const struct share* share, int64_t stride, struct dvm_type* item, struct dvm_type** built) {
    struct dvm_type* pieces[3] = {NULL, NULL, NULL};
    struct dvm_part* const parts = malloc(2 * sizeof *parts);
    if (parts == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    int result = build_one(share->length, stride, (struct dvm_part){0, 1, item}, &pieces[0]);
    if (result == MPI_SUCCESS)
        result = build_one(share->count, share->period * stride, (struct dvm_part){0, 1, pieces[0]}, &pieces[1]);
    if (result == MPI_SUCCESS) result = build_one(share->rest, stride, (struct dvm_part){0, 1, item}, &pieces[2]);
    if (result == MPI_SUCCESS) {
        parts[0] = (struct dvm_part){share->start * stride, 1, pieces[1]};
        parts[1] = (struct dvm_part){(share->start + share->count * share->period) * stride, 1, pieces[2]};
        const struct dvm_blueprint both = {
            .combiner = MPI_COMBINER_DUP, .repeat = 1, .part_count = share->rest == 0 ? 1 : 2, .parts = parts};
        result = dvm_type_build(&both, built);
    } else {
        free(parts);
    }
    for (int i = 0; i < 3; ++i)
        if (pieces[i] != NULL) dvm_type_release(pieces[i]);
    return result;
}

static int finish(const struct array* array, struct dvm_type* inner, int64_t extent, struct dvm_type** built) {
    struct dvm_blueprint blueprint;
    if (!dvm_blueprint_of_one(&blueprint, array->combiner, 1, 0, (struct dvm_part){0, 1, inner}))
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    blueprint.large = array->large;
    blueprint.bounded = true;
    blueprint.lb = 0;
    blueprint.extent = extent;
    return dvm_type_build(&blueprint, built);
}

static int build_array(const struct array* array, const struct share* shares, struct dvm_type* old,
                       struct dvm_type** built) {
    struct dvm_type* inner = old;
    int64_t stride = old->extent;
    int result = MPI_SUCCESS;
    dvm_type_retain(inner);
    for (int i = 0; i < array->dimensions && result == MPI_SUCCESS; ++i) {
        const struct share* const share = &shares[array->order == MPI_ORDER_C ? array->dimensions - 1 - i : i];
        struct dvm_type* outer = NULL;
        int64_t next = 0;
        if (__builtin_mul_overflow(stride, share->size, &next))
            result = dvm_fail(MPI_ERR_ARG, "the array is larger than the address space");
        else
            result = build_share(share, stride, inner, &outer);
        if (result != MPI_SUCCESS) break;
        dvm_type_release(inner);
        inner = outer;
        stride = next;
    }
    if (result == MPI_SUCCESS) result = finish(array, inner, stride, built);
    dvm_type_release(inner);
    return result;
}

static int check_array(const struct array* array, const MPI_Datatype* made, struct dvm_type** old) {
    if (array->dimensions < 1)
        return dvm_fail(MPI_ERR_ARG, "argument ndims is %d: it must be positive", array->dimensions);
    if (array->order != MPI_ORDER_C && array->order != MPI_ORDER_FORTRAN)
        return dvm_fail(MPI_ERR_ARG, "argument order is %d: it must be MPI_ORDER_C or MPI_ORDER_FORTRAN", array->order);
    if (made == NULL) return dvm_fail(MPI_ERR_ARG, "argument newtype is NULL");
    return dvm_type_known(array->old, old);
}

/* ---- subarray ---- */

static int share_of_subarray(int64_t size, int64_t part, int64_t start, int dimension, struct share* share) {
    if (size < 1 || part < 1 || part > size || start < 0 || start > size - part)
        return dvm_fail(MPI_ERR_ARG, "in dimension %d, %lld items from %lld on are no part of %lld", dimension,
                        (long long)part, (long long)start, (long long)size);
    *share = (struct share){size, start, 1, part, 0, 0};
    return MPI_SUCCESS;
}

static int make_subarray(const struct array* array, const int64_t* sizes, const int64_t* parts, const int64_t* starts,
                         MPI_Datatype* made) {
    struct dvm_type* old = NULL;
    struct dvm_noting noting = {NULL, true};
    int result = check_array(array, made, &old);
    if (result != MPI_SUCCESS) return result;
    if (sizes == NULL || parts == NULL || starts == NULL) return dvm_fail(MPI_ERR_ARG, "an array of sizes is NULL");
    struct share* const shares = malloc((size_t)array->dimensions * sizeof *shares);
    if (shares == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    for (int i = 0; i < array->dimensions && result == MPI_SUCCESS; ++i)
        result = share_of_subarray(sizes[i], parts[i], starts[i], i, &shares[i]);
    if (result == MPI_SUCCESS) result = build_array(array, shares, old, &noting.type);
    free(shares);
    if (result != MPI_SUCCESS) return result;
    dvm_note_integers(&noting, &array->dimensions, 1);
    dvm_note_counts(&noting, sizes, array->dimensions);
    dvm_note_counts(&noting, parts, array->dimensions);
    dvm_note_counts(&noting, starts, array->dimensions);
    dvm_note_integers(&noting, &array->order, 1);
    dvm_note_type(&noting, old);
    return dvm_type_hand_out(&noting, made);
}

int PMPI_Type_create_subarray_c(int ndims, const MPI_Count sizes[], const MPI_Count subsizes[],
                                const MPI_Count starts[], int order, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct array array = {MPI_COMBINER_SUBARRAY, true, ndims, order, oldtype};
    return dvm_type_done(make_subarray(&array, sizes, subsizes, starts, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_subarray_c);

int PMPI_Type_create_subarray(int ndims, const int sizes[], const int subsizes[], const int starts[], int order,
                              MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct array array = {MPI_COMBINER_SUBARRAY, false, ndims, order, oldtype};
    int64_t* const wide_sizes = dvm_widened(sizes, ndims);
    int64_t* const wide_parts = dvm_widened(subsizes, ndims);
    int64_t* const wide_starts = dvm_widened(starts, ndims);
    const int result = make_subarray(&array, wide_sizes, wide_parts, wide_starts, newtype);
    free(wide_sizes);
    free(wide_parts);
    free(wide_starts);
    return dvm_type_done(result, DVM_CALL);
}
DVM_ALIAS(Type_create_subarray);

/* ---- darray ---- */

struct grid {
    int size;
    int rank;
    const int* distributions;
    const int* arguments;
    const int* processes;
};

static int share_by_block(int64_t size, int64_t block, int64_t processes, int64_t place, int dimension,
                          struct share* share) {
    if (block == MPI_DISTRIBUTE_DFLT_DARG) block = (size + processes - 1) / processes;
    if (block < 1 || block * processes < size)
        return dvm_fail(MPI_ERR_ARG, "in dimension %d, blocks of %lld for %lld processes do not make %lld items",
                        dimension, (long long)block, (long long)processes, (long long)size);
    int64_t length = size - place * block;
    if (length > block) length = block;
    if (length < 0) length = 0;
    *share = (struct share){size, place * block, 1, length, 0, 0};
    return MPI_SUCCESS;
}

static int share_by_cycle(int64_t size, int64_t block, int64_t processes, int64_t place, int dimension,
                          struct share* share) {
    if (block == MPI_DISTRIBUTE_DFLT_DARG) block = 1;
    if (block < 1) return dvm_fail(MPI_ERR_ARG, "in dimension %d, the block is not positive", dimension);
    const int64_t start = place * block;
    const int64_t period = processes * block;
    const int64_t from_start = size > start ? size - start : 0;
    const int64_t left = from_start % period;
    *share =
        (struct share){size, start, from_start / period + (left >= block), block, period, left >= block ? 0 : left};
    return MPI_SUCCESS;
}

static int share_of_darray(const struct grid* grid, int64_t size, int64_t place, int i, struct share* share) {
    const int64_t processes = grid->processes[i];
    if (size < 1 || processes < 1)
        return dvm_fail(MPI_ERR_ARG, "in dimension %d, %lld items for %lld processes", i, (long long)size,
                        (long long)processes);
    if (grid->distributions[i] == MPI_DISTRIBUTE_BLOCK)
        return share_by_block(size, grid->arguments[i], processes, place, i, share);
    if (grid->distributions[i] == MPI_DISTRIBUTE_CYCLIC)
        return share_by_cycle(size, grid->arguments[i], processes, place, i, share);
    if (grid->distributions[i] != MPI_DISTRIBUTE_NONE || processes != 1)
        return dvm_fail(MPI_ERR_ARG, "in dimension %d, the distribution is none, or not for one process", i);
    *share = (struct share){size, 0, 1, size, 0, 0};
    return MPI_SUCCESS;
}

/* Places in the grid of processes count as those of MPI_Cart_create do, whatever the order of the array. */
static int shares_of_darray(const struct array* array, const struct grid* grid, const int64_t* sizes,
                            struct share* shares) {
    int64_t rank = grid->rank;
    int64_t all = 1;
    int result = MPI_SUCCESS;
    for (int i = array->dimensions - 1; i >= 0 && result == MPI_SUCCESS; --i) {
        const int64_t processes = grid->processes[i] < 1 ? 1 : grid->processes[i];
        result = share_of_darray(grid, sizes[i], rank % processes, i, &shares[i]);
        rank /= processes;
        if (all <= grid->size) all *= processes;
    }
    if (result == MPI_SUCCESS && all != grid->size)
        result = dvm_fail(MPI_ERR_ARG, "the grid of processes does not have %d places", grid->size);
    return result;
}

static int make_darray(const struct array* array, const struct grid* grid, const int64_t* sizes, MPI_Datatype* made) {
    struct dvm_type* old = NULL;
    struct dvm_noting noting = {NULL, true};
    int result = check_array(array, made, &old);
    if (result != MPI_SUCCESS) return result;
    if (grid->rank < 0 || grid->rank >= grid->size)
        return dvm_fail(MPI_ERR_ARG, "argument rank is %d: it must be in 0 … %d", grid->rank, grid->size - 1);
    if (sizes == NULL || grid->distributions == NULL || grid->arguments == NULL || grid->processes == NULL)
        return dvm_fail(MPI_ERR_ARG, "an array of sizes or distributions is NULL");
    struct share* const shares = malloc((size_t)array->dimensions * sizeof *shares);
    if (shares == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    result = shares_of_darray(array, grid, sizes, shares);
    if (result == MPI_SUCCESS) result = build_array(array, shares, old, &noting.type);
    free(shares);
    if (result != MPI_SUCCESS) return result;
    dvm_note_integers(&noting, (const int[]){grid->size, grid->rank, array->dimensions}, 3);
    dvm_note_counts(&noting, sizes, array->dimensions);
    dvm_note_integers(&noting, grid->distributions, array->dimensions);
    dvm_note_integers(&noting, grid->arguments, array->dimensions);
    dvm_note_integers(&noting, grid->processes, array->dimensions);
    dvm_note_integers(&noting, &array->order, 1);
    dvm_note_type(&noting, old);
    return dvm_type_hand_out(&noting, made);
}

int PMPI_Type_create_darray_c(int size, int rank, int ndims, const MPI_Count gsizes[], const int distribs[],
                              const int dargs[], const int psizes[], int order, MPI_Datatype oldtype,
                              MPI_Datatype* newtype) {
    const struct array array = {MPI_COMBINER_DARRAY, true, ndims, order, oldtype};
    const struct grid grid = {size, rank, distribs, dargs, psizes};
    return dvm_type_done(make_darray(&array, &grid, gsizes, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_darray_c);

int PMPI_Type_create_darray(int size, int rank, int ndims, const int gsizes[], const int distribs[], const int dargs[],
                            const int psizes[], int order, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct array array = {MPI_COMBINER_DARRAY, false, ndims, order, oldtype};
    const struct grid grid = {size, rank, distribs, dargs, psizes};
    int64_t* const sizes = dvm_widened(gsizes, ndims);
    const int result = make_darray(&array, &grid, sizes, newtype);
    free(sizes);
    return dvm_type_done(result, DVM_CALL);
}
DVM_ALIAS(Type_create_darray);
