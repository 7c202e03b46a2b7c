/* Constructors that name their blocks one by one: the indexed family and struct. */
#include <stdlib.h>

#include "type_make.h"

struct blocks {
    int combiner;
    bool large;
    bool in_items; /* displacements count extents of the old type, not bytes */
    int64_t count;
    const int64_t* lengths; /* NULL: all blocks have `length` */
    int64_t length;
    const int64_t* displacements;
    const MPI_Datatype* types; /* NULL: all are of `old` */
    MPI_Datatype old;
};

static int check_block(const struct blocks* blocks, int64_t i, struct dvm_part* part) {
    part->count = blocks->lengths != NULL ? blocks->lengths[i] : blocks->length;
    part->at = blocks->displacements[i];
    if (part->count < 0)
        return dvm_fail(MPI_ERR_ARG, "the length of block %lld is %lld: it must not be negative", (long long)i,
                        (long long)part->count);
    const int result = dvm_type_known(blocks->types != NULL ? blocks->types[i] : blocks->old, &part->type);
    if (result != MPI_SUCCESS) return result;
    if (blocks->in_items && __builtin_mul_overflow(part->at, part->type->extent, &part->at))
        return dvm_fail(MPI_ERR_ARG, "the displacement of block %lld leads out of the address space", (long long)i);
    return MPI_SUCCESS;
}

static int build_blocks(const struct blocks* blocks, struct dvm_type** built) {
    struct dvm_part* const parts = malloc((size_t)(blocks->count + 1) * sizeof *parts);
    if (parts == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for %lld blocks", (long long)blocks->count);
    int result = MPI_SUCCESS;
    for (int64_t i = 0; i < blocks->count && result == MPI_SUCCESS; ++i) result = check_block(blocks, i, &parts[i]);
    if (result != MPI_SUCCESS) {
        free(parts);
        return result;
    }
    const struct dvm_blueprint blueprint = {.combiner = blocks->combiner,
                                            .large = blocks->large,
                                            .padded = blocks->types != NULL,
                                            .repeat = 1,
                                            .part_count = blocks->count,
                                            .parts = parts};
    return dvm_type_build(&blueprint, built);
}

static int make_blocks(const struct blocks* blocks, MPI_Datatype* made) {
    struct dvm_noting noting = {NULL, true};
    struct dvm_type* old = NULL;
    if (made == NULL) return dvm_fail(MPI_ERR_ARG, "argument newtype is NULL");
    if (blocks->types == NULL) {
        const int known = dvm_type_known(blocks->old, &old);
        if (known != MPI_SUCCESS) return known;
    }
    const int result = build_blocks(blocks, &noting.type);
    if (result != MPI_SUCCESS) return result;
    dvm_note_counts(&noting, &blocks->count, 1);
    if (blocks->lengths != NULL)
        dvm_note_counts(&noting, blocks->lengths, blocks->count);
    else
        dvm_note_counts(&noting, &blocks->length, 1);
    if (blocks->in_items)
        dvm_note_counts(&noting, blocks->displacements, blocks->count);
    else
        dvm_note_addresses(&noting, blocks->displacements, blocks->count);
    if (old != NULL) dvm_note_type(&noting, old);
    for (int64_t i = 0; old == NULL && i < blocks->count; ++i) dvm_note_type(&noting, noting.type->parts[i].type);
    return dvm_type_hand_out(&noting, made);
}

/* What comes as ints is widened; `lengths` NULL where all have one length. */
static int make(struct blocks blocks, const int* lengths, const int* displacements, MPI_Datatype* made) {
    int64_t* const wide_lengths = lengths == NULL ? NULL : dvm_widened(lengths, blocks.count);
    int64_t* const wide_displacements = displacements == NULL ? NULL : dvm_widened(displacements, blocks.count);
    int result = MPI_SUCCESS;
    if (wide_lengths != NULL) blocks.lengths = wide_lengths;
    if (wide_displacements != NULL) blocks.displacements = wide_displacements;
    if (blocks.count < 0)
        result =
            dvm_fail(MPI_ERR_COUNT, "argument 1 (count) is %lld: it must not be negative", (long long)blocks.count);
    else if ((blocks.lengths == NULL && blocks.length == INT64_MIN && blocks.count > 0) ||
             (blocks.displacements == NULL && blocks.count > 0))
        result = dvm_fail(MPI_ERR_ARG, "an array of block lengths or displacements is NULL");
    else
        result = make_blocks(&blocks, made);
    free(wide_lengths);
    free(wide_displacements);
    return result;
}

/* Each block has a length of its own. */
#define OWN_LENGTHS INT64_MIN

int PMPI_Type_indexed(int count, const int lengths[], const int displacements[], MPI_Datatype oldtype,
                      MPI_Datatype* newtype) {
    const struct blocks blocks = {
        .combiner = MPI_COMBINER_INDEXED, .in_items = true, .count = count, .length = OWN_LENGTHS, .old = oldtype};
    return dvm_type_done(make(blocks, lengths, displacements, newtype), DVM_CALL);
}
DVM_ALIAS(Type_indexed);

int PMPI_Type_indexed_c(MPI_Count count, const MPI_Count lengths[], const MPI_Count displacements[],
                        MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct blocks blocks = {MPI_COMBINER_INDEXED, true,          true, count,  lengths,
                                  OWN_LENGTHS,          displacements, NULL, oldtype};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_indexed_c);

static int make_hindexed(int count, const int lengths[], const MPI_Aint displacements[], MPI_Datatype old,
                         MPI_Datatype* made) {
    const struct blocks blocks = {MPI_COMBINER_HINDEXED, false,         false, count, NULL,
                                  OWN_LENGTHS,           displacements, NULL,  old};
    return make(blocks, lengths, NULL, made);
}

int PMPI_Type_create_hindexed(int count, const int lengths[], const MPI_Aint displacements[], MPI_Datatype oldtype,
                              MPI_Datatype* newtype) {
    return dvm_type_done(make_hindexed(count, lengths, displacements, oldtype, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hindexed);

/* Of MPI 1. */
int PMPI_Type_hindexed(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype oldtype,
                       MPI_Datatype* newtype) {
    return dvm_type_done(make_hindexed(count, lengths, displacements, oldtype, newtype), DVM_CALL);
}
DVM_ALIAS(Type_hindexed);

int PMPI_Type_create_hindexed_c(MPI_Count count, const MPI_Count lengths[], const MPI_Count displacements[],
                                MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct blocks blocks = {MPI_COMBINER_HINDEXED, true,          false, count,  lengths,
                                  OWN_LENGTHS,           displacements, NULL,  oldtype};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hindexed_c);

int PMPI_Type_create_indexed_block(int count, int length, const int displacements[], MPI_Datatype oldtype,
                                   MPI_Datatype* newtype) {
    const struct blocks blocks = {
        .combiner = MPI_COMBINER_INDEXED_BLOCK, .in_items = true, .count = count, .length = length, .old = oldtype};
    return dvm_type_done(make(blocks, NULL, displacements, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_indexed_block);

int PMPI_Type_create_indexed_block_c(MPI_Count count, MPI_Count length, const MPI_Count displacements[],
                                     MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct blocks blocks = {
        MPI_COMBINER_INDEXED_BLOCK, true, true, count, NULL, length, displacements, NULL, oldtype};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_indexed_block_c);

int PMPI_Type_create_hindexed_block(int count, int length, const MPI_Aint displacements[], MPI_Datatype oldtype,
                                    MPI_Datatype* newtype) {
    const struct blocks blocks = {
        MPI_COMBINER_HINDEXED_BLOCK, false, false, count, NULL, length, displacements, NULL, oldtype};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hindexed_block);

int PMPI_Type_create_hindexed_block_c(MPI_Count count, MPI_Count length, const MPI_Count displacements[],
                                      MPI_Datatype oldtype, MPI_Datatype* newtype) {
    const struct blocks blocks = {
        MPI_COMBINER_HINDEXED_BLOCK, true, false, count, NULL, length, displacements, NULL, oldtype};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_hindexed_block_c);

/* An empty struct has no array of types, and still is one. */
static const MPI_Datatype kNoTypes[1];

static int make_struct(int count, const int lengths[], const MPI_Aint displacements[], const MPI_Datatype types[],
                       MPI_Datatype* made) {
    const struct blocks blocks = {.combiner = MPI_COMBINER_STRUCT,
                                  .count = count,
                                  .length = OWN_LENGTHS,
                                  .displacements = displacements,
                                  .types = types != NULL ? types : kNoTypes};
    return make(blocks, lengths, NULL, made);
}

int PMPI_Type_create_struct(int count, const int lengths[], const MPI_Aint displacements[], const MPI_Datatype types[],
                            MPI_Datatype* newtype) {
    return dvm_type_done(make_struct(count, lengths, displacements, types, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_struct);

/* Of MPI 1. */
int PMPI_Type_struct(int count, int lengths[], MPI_Aint displacements[], MPI_Datatype types[], MPI_Datatype* newtype) {
    return dvm_type_done(make_struct(count, lengths, displacements, types, newtype), DVM_CALL);
}
DVM_ALIAS(Type_struct);

int PMPI_Type_create_struct_c(MPI_Count count, const MPI_Count lengths[], const MPI_Count displacements[],
                              const MPI_Datatype types[], MPI_Datatype* newtype) {
    const struct blocks blocks = {.combiner = MPI_COMBINER_STRUCT,
                                  .large = true,
                                  .count = count,
                                  .lengths = lengths,
                                  .length = OWN_LENGTHS,
                                  .displacements = displacements,
                                  .types = types != NULL ? types : kNoTypes};
    return dvm_type_done(make(blocks, NULL, NULL, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_struct_c);
