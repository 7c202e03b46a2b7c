/* Constructors of evenly spaced items: contiguous, vector, hvector, resized, dup. */
#include "attribute.h"
#include "type_make.h"

struct vector {
    int combiner;
    bool large;
    int64_t count;
    int64_t length;
    int64_t stride;
    bool in_bytes;
    MPI_Datatype old;
};

static int check_vector(const struct vector* vector, const MPI_Datatype* made) {
    if (vector->count < 0)
        return dvm_fail(MPI_ERR_COUNT, "argument 1 (count) is %lld: it must not be negative", (long long)vector->count);
    if (vector->length < 0)
        return dvm_fail(MPI_ERR_ARG, "argument 2 (blocklength) is %lld: it must not be negative",
                        (long long)vector->length);
    if (made == NULL) return dvm_fail(MPI_ERR_ARG, "argument newtype is NULL");
    return MPI_SUCCESS;
}

static int make_vector(const struct vector* vector, MPI_Datatype* made) {
    struct dvm_type* old = NULL;
    struct dvm_noting noting = {NULL, true};
    struct dvm_blueprint blueprint;
    int64_t stride = vector->stride;
    int result = check_vector(vector, made);
    if (result == MPI_SUCCESS) result = dvm_type_known(vector->old, &old);
    if (result != MPI_SUCCESS) return result;
    if (!vector->in_bytes && __builtin_mul_overflow(stride, old->extent, &stride))
        return dvm_fail(MPI_ERR_ARG, "argument 3 (stride) leads out of the address space");
    if (!dvm_blueprint_of_one(&blueprint, vector->combiner, vector->count, stride,
                              (struct dvm_part){0, vector->length, old}))
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    blueprint.large = vector->large;
    result = dvm_type_build(&blueprint, &noting.type);
    if (result != MPI_SUCCESS) return result;
    dvm_note_counts(&noting, &vector->count, 1);
    if (vector->combiner != MPI_COMBINER_CONTIGUOUS) {
        dvm_note_counts(&noting, &vector->length, 1);
        if (vector->in_bytes)
            dvm_note_addresses(&noting, &vector->stride, 1);
        else
            dvm_note_counts(&noting, &vector->stride, 1);
    }
    dvm_note_type(&noting, old);
    return dvm_type_hand_out(&noting, made);
}

static int make_contiguous(bool large, int64_t count, MPI_Datatype old, MPI_Datatype* made) {
    return make_vector(&(struct vector){MPI_COMBINER_CONTIGUOUS, large, count, 1, 1, false, old}, made);
}

int PMPI_Type_contiguous(int count, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    return dvm_type_done(make_contiguous(false, count, oldtype, newtype), DVM_CALL);
}
DVM_ALIAS(Type_contiguous);

int PMPI_Type_contiguous_c(MPI_Count count, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    return dvm_type_done(make_contiguous(true, count, oldtype, newtype), DVM_CALL);
}
DVM_ALIAS(Type_contiguous_c);

int PMPI_Type_vector(int count, int blocklength, int stride, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct vector vector = {MPI_COMBINER_VECTOR, false, count, blocklength, stride, false, oldtype};
    return dvm_type_done(make_vector(&vector, newtype), DVM_CALL);
}
DVM_ALIAS(Type_vector);

int PMPI_Type_vector_c(MPI_Count count, MPI_Count blocklength, MPI_Count stride, MPI_Datatype oldtype,
                       MPI_Datatype* newtype) {
    const struct vector vector = {MPI_COMBINER_VECTOR, true, count, blocklength, stride, false, oldtype};
    return dvm_type_done(make_vector(&vector, newtype), DVM_CALL);
}
DVM_ALIAS(Type_vector_c);

int PMPI_Type_create_hvector(int count, int blocklength, MPI_Aint stride, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct vector vector = {MPI_COMBINER_HVECTOR, false, count, blocklength, stride, true, oldtype};
    return dvm_type_done(make_vector(&vector, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hvector);

/* Of MPI 1. */
int PMPI_Type_hvector(int count, int blocklength, MPI_Aint stride, MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct vector vector = {MPI_COMBINER_HVECTOR, false, count, blocklength, stride, true, oldtype};
    return dvm_type_done(make_vector(&vector, newtype), DVM_CALL);
}
DVM_ALIAS(Type_hvector);

int PMPI_Type_create_hvector_c(MPI_Count count, MPI_Count blocklength, MPI_Count stride, MPI_Datatype oldtype,
                               MPI_Datatype* newtype) {
    const struct vector vector = {MPI_COMBINER_HVECTOR, true, count, blocklength, stride, true, oldtype};
    return dvm_type_done(make_vector(&vector, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hvector_c);

/* ---- one item, seen otherwise ---- */

static int make_one(int combiner, struct dvm_type* old, struct dvm_blueprint* blueprint) {
    if (dvm_blueprint_of_one(blueprint, combiner, 1, 0, (struct dvm_part){0, 1, old})) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
}

static int make_resized(bool large, MPI_Datatype handle, int64_t lb, int64_t extent, MPI_Datatype* made) {
    struct dvm_type* old = NULL;
    struct dvm_noting noting = {NULL, true};
    struct dvm_blueprint blueprint;
    int result = dvm_type_known(handle, &old);
    if (result == MPI_SUCCESS && made == NULL) result = dvm_fail(MPI_ERR_ARG, "argument newtype is NULL");
    if (result == MPI_SUCCESS) result = make_one(MPI_COMBINER_RESIZED, old, &blueprint);
    if (result != MPI_SUCCESS) return result;
    blueprint.large = large;
    blueprint.bounded = true;
    blueprint.lb = lb;
    blueprint.extent = extent;
    result = dvm_type_build(&blueprint, &noting.type);
    if (result != MPI_SUCCESS) return result;
    dvm_note_addresses(&noting, &lb, 1);
    dvm_note_addresses(&noting, &extent, 1);
    dvm_note_type(&noting, old);
    return dvm_type_hand_out(&noting, made);
}

int PMPI_Type_create_resized(MPI_Datatype oldtype, MPI_Aint lb, MPI_Aint extent, MPI_Datatype* newtype) {
    return dvm_type_done(make_resized(false, oldtype, lb, extent, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_resized);

int PMPI_Type_create_resized_c(MPI_Datatype oldtype, MPI_Count lb, MPI_Count extent, MPI_Datatype* newtype) {
    return dvm_type_done(make_resized(true, oldtype, lb, extent, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_resized_c);

static int make_dup(MPI_Datatype handle, MPI_Datatype* made) {
    struct dvm_type* old = NULL;
    struct dvm_noting noting = {NULL, true};
    struct dvm_blueprint blueprint;
    int result = dvm_type_known(handle, &old);
    if (result == MPI_SUCCESS && made == NULL) result = dvm_fail(MPI_ERR_ARG, "argument newtype is NULL");
    if (result == MPI_SUCCESS) result = make_one(MPI_COMBINER_DUP, old, &blueprint);
    if (result != MPI_SUCCESS) return result;
    result = dvm_type_build(&blueprint, &noting.type);
    if (result != MPI_SUCCESS) return result;
    noting.type->committed = old->committed;
    noting.type->bounded = old->bounded;
    dvm_note_type(&noting, old);
    result = dvm_attributes_copy(old->attributes, &noting.type->attributes, old->handle);
    if (result != MPI_SUCCESS) {
        dvm_type_release(noting.type);
        return result;
    }
    return dvm_type_hand_out(&noting, made);
}

int PMPI_Type_dup(MPI_Datatype oldtype, MPI_Datatype* newtype) {
    return dvm_type_done(make_dup(oldtype, newtype), DVM_CALL);
}
DVM_ALIAS(Type_dup);
