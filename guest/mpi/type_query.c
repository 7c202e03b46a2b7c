/* What can be asked about a datatype: sizes, bounds, names; and its commit and free. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "attribute.h"
#include "type_make.h"

int PMPI_Type_commit(MPI_Datatype* datatype) {
    struct dvm_type* type = NULL;
    int result =
        datatype == NULL ? dvm_fail(MPI_ERR_ARG, "argument datatype is NULL") : dvm_type_known(*datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    type->committed = 1;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_commit);

int PMPI_Type_free(MPI_Datatype* datatype) {
    struct dvm_type* type = NULL;
    int result =
        datatype == NULL ? dvm_fail(MPI_ERR_ARG, "argument datatype is NULL") : dvm_type_known(*datatype, &type);
    if (result == MPI_SUCCESS && type->predefined)
        result = dvm_fail(MPI_ERR_TYPE, "%s is predefined: it cannot be freed", type->name);
    if (result == MPI_SUCCESS && type->handles == 1) result = dvm_attributes_delete(&type->attributes, type->handle);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    /* What still uses it keeps it; only the handle is none any more. */
    if (--type->handles == 0) type->object.kind = DVM_FREED;
    dvm_type_release(type);
    *datatype = MPI_DATATYPE_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_free);

/* ---- numbers ---- */

static int saturated(int64_t value) {
    return value > INT_MAX ? MPI_UNDEFINED : (int)value;
}

static int tell_size(MPI_Datatype datatype, MPI_Count* size, const char* call) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, call);
    *size = type->size;
    return MPI_SUCCESS;
}

int PMPI_Type_size_c(MPI_Datatype datatype, MPI_Count* size) {
    return tell_size(datatype, size, DVM_CALL);
}
DVM_ALIAS(Type_size_c);

int PMPI_Type_size_x(MPI_Datatype datatype, MPI_Count* size) {
    return tell_size(datatype, size, DVM_CALL);
}
DVM_ALIAS(Type_size_x);

int PMPI_Type_size(MPI_Datatype datatype, int* size) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    *size = saturated(type->size);
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_size);

/* MPI_Aint and MPI_Count are one here; so one function answers for all of a question's forms. */
static int tell_extent(MPI_Datatype datatype, int64_t* lb, int64_t* extent, bool of_bytes, const char* call) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, call);
    *lb = of_bytes ? type->true_lb : type->lb;
    *extent = of_bytes ? type->true_extent : type->extent;
    return MPI_SUCCESS;
}

#define EXTENT(NAME, NUMBER, OF_BYTES)                                   \
    int PMPI_##NAME(MPI_Datatype datatype, NUMBER* lb, NUMBER* extent) { \
        return tell_extent(datatype, lb, extent, OF_BYTES, DVM_CALL);    \
    }                                                                    \
    DVM_ALIAS(NAME)

EXTENT(Type_get_extent, MPI_Aint, false);
EXTENT(Type_get_extent_c, MPI_Count, false);
EXTENT(Type_get_extent_x, MPI_Count, false);
EXTENT(Type_get_true_extent, MPI_Aint, true);
EXTENT(Type_get_true_extent_c, MPI_Count, true);
EXTENT(Type_get_true_extent_x, MPI_Count, true);

/* Of MPI 1: one number each. */
int PMPI_Type_extent(MPI_Datatype datatype, MPI_Aint* extent) {
    MPI_Aint lb = 0;
    return tell_extent(datatype, &lb, extent, false, DVM_CALL);
}
DVM_ALIAS(Type_extent);

int PMPI_Type_lb(MPI_Datatype datatype, MPI_Aint* displacement) {
    MPI_Aint extent = 0;
    return tell_extent(datatype, displacement, &extent, false, DVM_CALL);
}
DVM_ALIAS(Type_lb);

int PMPI_Type_ub(MPI_Datatype datatype, MPI_Aint* displacement) {
    MPI_Aint lb = 0;
    MPI_Aint extent = 0;
    const int result = tell_extent(datatype, &lb, &extent, false, DVM_CALL);
    *displacement = lb + extent;
    return result;
}
DVM_ALIAS(Type_ub);

/* ---- names ---- */

int PMPI_Type_set_name(MPI_Datatype datatype, const char* type_name) {
    struct dvm_type* type = NULL;
    int result = dvm_type_known(datatype, &type);
    if (result == MPI_SUCCESS && (type_name == NULL || strlen(type_name) >= MPI_MAX_OBJECT_NAME))
        result =
            dvm_fail(MPI_ERR_ARG, "argument type_name is NULL, or longer than %d characters", MPI_MAX_OBJECT_NAME - 1);
    char* const copy = result == MPI_SUCCESS ? malloc(strlen(type_name) + 1) : NULL;
    if (result == MPI_SUCCESS && copy == NULL) result = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a name");
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    memcpy(copy, type_name, strlen(type_name) + 1);
    free(type->given_name);
    type->given_name = copy;
    type->name = copy;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_set_name);

int PMPI_Type_get_name(MPI_Datatype datatype, char* type_name, int* resultlen) {
    struct dvm_type* type = NULL;
    int result = MPI_SUCCESS;
    const char* name = "MPI_DATATYPE_NULL";
    if (datatype != MPI_DATATYPE_NULL) result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    if (type != NULL) name = type->name;
    *resultlen = (int)strlen(name);
    memcpy(type_name, name, strlen(name) + 1);
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_get_name);

/* ---- how it was made ---- */

int PMPI_Type_get_envelope_c(MPI_Datatype datatype, MPI_Count* num_integers, MPI_Count* num_addresses,
                             MPI_Count* num_large_counts, MPI_Count* num_datatypes, int* combiner) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    *num_integers = type->envelope.integers.count;
    *num_addresses = type->envelope.addresses.count;
    *num_large_counts = type->envelope.counts.count;
    *num_datatypes = type->envelope.type_count;
    *combiner = type->envelope.combiner;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_get_envelope_c);

int PMPI_Type_get_envelope(MPI_Datatype datatype, int* num_integers, int* num_addresses, int* num_datatypes,
                           int* combiner) {
    struct dvm_type* type = NULL;
    int result = dvm_type_known(datatype, &type);
    if (result == MPI_SUCCESS && type->envelope.counts.count != 0)
        result = dvm_fail(MPI_ERR_TYPE, "the datatype has large counts: ask MPI_Type_get_envelope_c");
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, DVM_CALL);
    *num_integers = (int)type->envelope.integers.count;
    *num_addresses = (int)type->envelope.addresses.count;
    *num_datatypes = (int)type->envelope.type_count;
    *combiner = type->envelope.combiner;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_get_envelope);

struct room {
    int64_t integers;
    int64_t addresses;
    int64_t counts;
    int64_t types;
};

static int check_contents(MPI_Datatype datatype, const struct room* room, struct dvm_type** type) {
    const int result = dvm_type_known(datatype, type);
    if (result != MPI_SUCCESS) return result;
    const struct dvm_envelope* const envelope = &(*type)->envelope;
    if (envelope->combiner == MPI_COMBINER_NAMED)
        return dvm_fail(MPI_ERR_TYPE, "%s is predefined: it has no contents", (*type)->name);
    if (room->integers < envelope->integers.count || room->addresses < envelope->addresses.count ||
        room->counts < envelope->counts.count || room->types < envelope->type_count)
        return dvm_fail(MPI_ERR_ARG, "an array is too small: MPI_Type_get_envelope tells the sizes");
    return MPI_SUCCESS;
}

/* A handle more of the user's, even where the former ones were freed. */
static MPI_Datatype hand_out_again(struct dvm_type* type) {
    if (type->predefined) return type->handle;
    type->object.kind = DVM_TYPE;
    ++type->handles;
    dvm_type_retain(type);
    return type->handle;
}

static int tell_contents(MPI_Datatype datatype, const struct room* room, int integers[], MPI_Aint addresses[],
                         MPI_Count large_counts[], MPI_Datatype datatypes[], const char* call) {
    struct dvm_type* type = NULL;
    const int result = check_contents(datatype, room, &type);
    if (result != MPI_SUCCESS) return dvm_raise(NULL, result, call);
    const struct dvm_envelope* const envelope = &type->envelope;
    for (int64_t i = 0; i < envelope->integers.count; ++i) integers[i] = (int)envelope->integers.values[i];
    for (int64_t i = 0; i < envelope->addresses.count; ++i) addresses[i] = envelope->addresses.values[i];
    for (int64_t i = 0; i < envelope->counts.count; ++i) large_counts[i] = envelope->counts.values[i];
    for (int64_t i = 0; i < envelope->type_count; ++i) datatypes[i] = hand_out_again(envelope->types[i]);
    return MPI_SUCCESS;
}

int PMPI_Type_get_contents_c(MPI_Datatype datatype, MPI_Count max_integers, MPI_Count max_addresses,
                             MPI_Count max_large_counts, MPI_Count max_datatypes, int integers[], MPI_Aint addresses[],
                             MPI_Count large_counts[], MPI_Datatype datatypes[]) {
    const struct room room = {max_integers, max_addresses, max_large_counts, max_datatypes};
    return tell_contents(datatype, &room, integers, addresses, large_counts, datatypes, DVM_CALL);
}
DVM_ALIAS(Type_get_contents_c);

int PMPI_Type_get_contents(MPI_Datatype datatype, int max_integers, int max_addresses, int max_datatypes,
                           int integers[], MPI_Aint addresses[], MPI_Datatype datatypes[]) {
    const struct room room = {max_integers, max_addresses, 0, max_datatypes};
    return tell_contents(datatype, &room, integers, addresses, NULL, datatypes, DVM_CALL);
}
DVM_ALIAS(Type_get_contents);
