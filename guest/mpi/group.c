/* Groups as objects, and what is asked of them. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static struct dvm_group* empty;

struct dvm_group* dvm_group_of(MPI_Group group) {
    if (dvm_is(group, DVM_GROUP)) return (struct dvm_group*)group;
    if (group != MPI_GROUP_EMPTY) return NULL;
    if (empty == NULL) empty = dvm_group_new(0, NULL);
    return empty;
}

MPI_Group dvm_group_handle(struct dvm_group* group) {
    return group == empty ? MPI_GROUP_EMPTY : (MPI_Group)group;
}

struct dvm_group* dvm_group_new(int size, const uint32_t* world) {
    struct dvm_group* const group = dvm_new(DVM_GROUP, sizeof *group);
    if (group == NULL) return NULL;
    group->size = size;
    group->rank = MPI_UNDEFINED;
    group->world = malloc(((size_t)size + 1) * sizeof *group->world);
    group->rank_of = malloc(dvm.size * sizeof *group->rank_of);
    if (group->world == NULL || group->rank_of == NULL) {
        dvm_group_release(group);
        return NULL;
    }
    for (uint32_t rank = 0; rank < dvm.size; ++rank) group->rank_of[rank] = MPI_UNDEFINED;
    for (int rank = 0; rank < size; ++rank) {
        group->world[rank] = world[rank];
        group->rank_of[world[rank]] = rank;
    }
    group->rank = group->rank_of[dvm.rank];
    return group;
}

void dvm_group_release(struct dvm_group* group) {
    if (!dvm_release(group)) return;
    free(group->world);
    free(group->rank_of);
    dvm_delete(group);
}

int PMPI_Group_size(MPI_Group group, int* size) {
    const struct dvm_group* const object = dvm_group_of(group);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "the group is none");
    *size = object->size;
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_size);

int PMPI_Group_rank(MPI_Group group, int* rank) {
    const struct dvm_group* const object = dvm_group_of(group);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "the group is none");
    *rank = object->rank;
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_rank);

int PMPI_Group_translate_ranks(MPI_Group group1, int n, const int ranks1[], MPI_Group group2, int ranks2[]) {
    const struct dvm_group* const from = dvm_group_of(group1);
    const struct dvm_group* const to = dvm_group_of(group2);
    if (from == NULL || to == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "a group is none");
    if (n < 0) return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "%d ranks", n);
    for (int i = 0; i < n; ++i) {
        if (ranks1[i] != MPI_PROC_NULL && (ranks1[i] < 0 || ranks1[i] >= from->size))
            return dvm_error(NULL, MPI_ERR_RANK, DVM_CALL, "ranks1[%d] is %d, the group has %d ranks", i, ranks1[i],
                             from->size);
        ranks2[i] = ranks1[i] == MPI_PROC_NULL ? MPI_PROC_NULL : dvm_group_rank(to, from->world[ranks1[i]]);
    }
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_translate_ranks);

int dvm_group_compare(const struct dvm_group* a, const struct dvm_group* b) {
    if (a->size != b->size) return MPI_UNEQUAL;
    if (memcmp(a->world, b->world, (size_t)a->size * sizeof *a->world) == 0) return MPI_IDENT;
    for (int rank = 0; rank < a->size; ++rank)
        if (dvm_group_rank(b, a->world[rank]) == MPI_UNDEFINED) return MPI_UNEQUAL;
    return MPI_SIMILAR;
}

int PMPI_Group_compare(MPI_Group group1, MPI_Group group2, int* result) {
    const struct dvm_group* const a = dvm_group_of(group1);
    const struct dvm_group* const b = dvm_group_of(group2);
    if (a == NULL || b == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "a group is none");
    *result = dvm_group_compare(a, b);
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_compare);

int PMPI_Group_free(MPI_Group* group) {
    struct dvm_group* const object = dvm_group_of(*group);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "the group is none");
    if (object != empty) dvm_group_release(object);
    *group = MPI_GROUP_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Group_free);
