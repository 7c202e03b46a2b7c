#include "type_make.h"

#include <stdlib.h>
#include <string.h>

int dvm_type_known(MPI_Datatype handle, struct dvm_type** type) {
    *type = dvm_type_of(handle);
    if (*type != NULL) return MPI_SUCCESS;
    if (handle == MPI_DATATYPE_NULL) return dvm_fail(MPI_ERR_TYPE, "the datatype is MPI_DATATYPE_NULL");
    return dvm_fail(MPI_ERR_TYPE, "the datatype is none: it was freed, or never made");
}

int64_t* dvm_widened(const int* values, int64_t count) {
    if (count > 0 && values == NULL) return NULL;
    int64_t* const wide = malloc((size_t)(count + 1) * sizeof *wide);
    for (int64_t i = 0; wide != NULL && i < count; ++i) wide[i] = values[i];
    return wide;
}

static void note(struct dvm_noting* noting, struct dvm_numbers* numbers, const int64_t* values, int64_t count) {
    if (count == 0 || !noting->good) return;
    int64_t* const more = realloc(numbers->values, (size_t)(numbers->count + count) * sizeof *more);
    noting->good = more != NULL;
    if (more == NULL) return;
    memcpy(more + numbers->count, values, (size_t)count * sizeof *values);
    numbers->values = more;
    numbers->count += count;
}

void dvm_note_integers(struct dvm_noting* noting, const int* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        const int64_t value = values[i];
        note(noting, &noting->type->envelope.integers, &value, 1);
    }
}

void dvm_note_counts(struct dvm_noting* noting, const int64_t* values, int64_t count) {
    struct dvm_envelope* const envelope = &noting->type->envelope;
    note(noting, envelope->large ? &envelope->counts : &envelope->integers, values, count);
}

void dvm_note_addresses(struct dvm_noting* noting, const int64_t* values, int64_t count) {
    struct dvm_envelope* const envelope = &noting->type->envelope;
    note(noting, envelope->large ? &envelope->counts : &envelope->addresses, values, count);
}

void dvm_note_type(struct dvm_noting* noting, struct dvm_type* type) {
    struct dvm_envelope* const envelope = &noting->type->envelope;
    if (!noting->good) return;
    struct dvm_type** const more =
        realloc(envelope->types, (size_t)(envelope->type_count + 1) * sizeof(struct dvm_type*));
    noting->good = more != NULL;
    if (more == NULL) return;
    more[envelope->type_count++] = type;
    envelope->types = more;
    dvm_type_retain(type);
}

int dvm_type_hand_out(const struct dvm_noting* noting, MPI_Datatype* handle) {
    if (!noting->good) {
        dvm_type_release(noting->type);
        return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    }
    *handle = noting->type->handle;
    return MPI_SUCCESS;
}
