/* Groups out of groups. */
#include <stdlib.h>

#include "engine.h"

/* Collects the world ranks of a group that is being made; each once. */
struct draft {
    uint32_t* world;
    int size;
};

static bool begin(struct draft* draft) {
    draft->size = 0;
    draft->world = malloc(dvm.size * sizeof *draft->world);
    return draft->world != NULL;
}

static int finish(struct draft* draft, const struct dvm_group* parent, MPI_Group* newgroup, const char* call) {
    struct dvm_group* const group =
        draft->size == 0 ? dvm_group_of(MPI_GROUP_EMPTY) : dvm_group_new(draft->size, draft->world);
    free(draft->world);
    if (group == NULL) return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for a group");
    if (draft->size != 0) group->session = parent->session;
    *newgroup = dvm_group_handle(group);
    return MPI_SUCCESS;
}

enum set { UNION, INTERSECTION, DIFFERENCE };

static int combine(enum set set, MPI_Group group1, MPI_Group group2, MPI_Group* newgroup, const char* call) {
    const struct dvm_group* const a = dvm_group_of(group1);
    const struct dvm_group* const b = dvm_group_of(group2);
    struct draft draft;
    if (a == NULL || b == NULL) return dvm_error(NULL, MPI_ERR_GROUP, call, "a group is none");
    if (!begin(&draft)) return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for a group");
    for (int rank = 0; rank < a->size; ++rank) {
        const bool in_both = dvm_group_rank(b, a->world[rank]) != MPI_UNDEFINED;
        if (set == UNION || in_both == (set == INTERSECTION)) draft.world[draft.size++] = a->world[rank];
    }
    for (int rank = 0; set == UNION && rank < b->size; ++rank)
        if (dvm_group_rank(a, b->world[rank]) == MPI_UNDEFINED) draft.world[draft.size++] = b->world[rank];
    return finish(&draft, a, newgroup, call);
}

int PMPI_Group_union(MPI_Group group1, MPI_Group group2, MPI_Group* newgroup) {
    return combine(UNION, group1, group2, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_union);

int PMPI_Group_intersection(MPI_Group group1, MPI_Group group2, MPI_Group* newgroup) {
    return combine(INTERSECTION, group1, group2, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_intersection);

int PMPI_Group_difference(MPI_Group group1, MPI_Group group2, MPI_Group* newgroup) {
    return combine(DIFFERENCE, group1, group2, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_difference);

/* ---- by ranks ---- */

/* Which ranks were named; NULL: no memory. */
static bool* new_marks(const struct dvm_group* group) {
    return calloc((size_t)group->size + 1, sizeof(bool));
}

/* An MPI error class; the call is named by who raises it. */
static int mark(const struct dvm_group* group, bool* marks, int rank) {
    if (rank < 0 || rank >= group->size)
        return dvm_fail(MPI_ERR_RANK, "rank %d, the group has %d ranks", rank, group->size);
    if (marks[rank]) return dvm_fail(MPI_ERR_RANK, "rank %d is named twice", rank);
    marks[rank] = true;
    return MPI_SUCCESS;
}

/* Ranks as they are named (`included`), or all the others. */
static int pick(MPI_Group group, int n, const int ranks[], bool included, MPI_Group* newgroup, const char* call) {
    const struct dvm_group* const object = dvm_group_of(group);
    struct draft draft;
    if (object == NULL) return dvm_error(NULL, MPI_ERR_GROUP, call, "the group is none");
    if (n < 0) return dvm_error(NULL, MPI_ERR_ARG, call, "%d ranks", n);
    bool* const marks = new_marks(object);
    if (marks == NULL || !begin(&draft)) {
        free(marks);
        return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for a group");
    }
    int error = MPI_SUCCESS;
    for (int i = 0; i < n && error == MPI_SUCCESS; ++i) {
        error = mark(object, marks, ranks[i]);
        if (error == MPI_SUCCESS && included) draft.world[draft.size++] = object->world[ranks[i]];
    }
    for (int rank = 0; !included && rank < object->size; ++rank)
        if (!marks[rank]) draft.world[draft.size++] = object->world[rank];
    free(marks);
    if (error == MPI_SUCCESS) return finish(&draft, object, newgroup, call);
    free(draft.world);
    return dvm_raise(NULL, error, call);
}

int PMPI_Group_incl(MPI_Group group, int n, const int ranks[], MPI_Group* newgroup) {
    return pick(group, n, ranks, true, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_incl);

int PMPI_Group_excl(MPI_Group group, int n, const int ranks[], MPI_Group* newgroup) {
    return pick(group, n, ranks, false, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_excl);

/* ---- by ranges ---- */

/* How many ranks a range names; -1: it cannot be meant. */
static int64_t range_length(const int range[3]) {
    const int64_t distance = (int64_t)range[1] - range[0];
    if (range[2] == 0) return -1;
    return distance / range[2] < 0 ? 0 : distance / range[2] + 1;
}

/* The ranks that the ranges name, `*count` of them; NULL with `*error`. At most one more than the group has: so many
 * are enough to find that one is named twice. */
static int* spread(const struct dvm_group* group, int n, int ranges[][3], int* count, int* error) {
    int* const ranks = malloc(((size_t)group->size + 1) * sizeof *ranks);
    *count = 0;
    *error = MPI_SUCCESS;
    if (ranks == NULL) *error = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a group");
    for (int i = 0; i < n && *error == MPI_SUCCESS; ++i) {
        const int64_t length = range_length(ranges[i]);
        const bool backwards = (ranges[i][1] < ranges[i][0]) != (ranges[i][2] < 0) && ranges[i][1] != ranges[i][0];
        if (length < 0 || backwards)
            *error = dvm_fail(MPI_ERR_ARG, "range %d from %d to %d by %d", i, ranges[i][0], ranges[i][1], ranges[i][2]);
        for (int64_t k = 0; k < length && *error == MPI_SUCCESS && *count <= group->size; ++k)
            ranks[(*count)++] = (int)(ranges[i][0] + k * ranges[i][2]);
    }
    if (*error == MPI_SUCCESS) return ranks;
    free(ranks);
    return NULL;
}

static int pick_ranges(MPI_Group group, int n, int ranges[][3], bool included, MPI_Group* newgroup, const char* call) {
    const struct dvm_group* const object = dvm_group_of(group);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_GROUP, call, "the group is none");
    if (n < 0) return dvm_error(NULL, MPI_ERR_ARG, call, "%d ranges", n);
    int count = 0;
    int error = MPI_SUCCESS;
    int* const ranks = spread(object, n, ranges, &count, &error);
    if (ranks == NULL) return dvm_raise(NULL, error, call);
    error = pick(group, count, ranks, included, newgroup, call);
    free(ranks);
    return error;
}

int PMPI_Group_range_incl(MPI_Group group, int n, int ranges[][3], MPI_Group* newgroup) {
    return pick_ranges(group, n, ranges, true, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_range_incl);

int PMPI_Group_range_excl(MPI_Group group, int n, int ranges[][3], MPI_Group* newgroup) {
    return pick_ranges(group, n, ranges, false, newgroup, DVM_CALL);
}
DVM_ALIAS(Group_range_excl);
