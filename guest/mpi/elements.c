/* How many items, or predefined elements, so many bytes are. */
#include <limits.h>

#include "type_make.h"

static int64_t part_elements(const struct dvm_part* parts, int64_t count, int64_t* bytes);

/* Elements that `*bytes` begin, of at most `items` of a type; takes what they have from `*bytes`. */
static int64_t count_elements(const struct dvm_type* type, int64_t items, int64_t* bytes) {
    if (type->size == 0 || items == 0) return 0;
    int64_t whole = *bytes / type->size;
    if (whole > items) whole = items;
    *bytes -= whole * type->size;
    int64_t elements = whole * type->elements;
    if (whole == items || *bytes == 0 || type->part_count == 0) return elements;
    for (int64_t i = 0; i<type->repeat&& * bytes> 0; ++i) {
        const int64_t before = elements;
        elements += part_elements(type->parts, type->part_count, bytes);
        if (elements == before) break;
    }
    return elements;
}

static int64_t part_elements(const struct dvm_part* parts, int64_t count, int64_t* bytes) {
    int64_t elements = 0;
    for (int64_t i = 0; i<count&& * bytes> 0; ++i) {
        const int64_t size = parts[i].count * parts[i].type->size;
        const bool partial = size > *bytes;
        elements += count_elements(parts[i].type, parts[i].count, bytes);
        if (partial) break;
    }
    return elements;
}

static int told_elements(const MPI_Status* status, MPI_Datatype datatype, int64_t* elements) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return result;
    int64_t bytes = dvm_status_bytes(status);
    *elements = count_elements(type, INT64_MAX, &bytes);
    if (bytes != 0) *elements = MPI_UNDEFINED;
    return MPI_SUCCESS;
}

int PMPI_Get_elements(const MPI_Status* status, MPI_Datatype datatype, int* count) {
    int64_t elements = 0;
    const int result = told_elements(status, datatype, &elements);
    *count = elements > INT_MAX ? MPI_UNDEFINED : (int)elements;
    return dvm_type_done(result, DVM_CALL);
}
DVM_ALIAS(Get_elements);

int PMPI_Get_elements_c(const MPI_Status* status, MPI_Datatype datatype, MPI_Count* count) {
    return dvm_type_done(told_elements(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Get_elements_c);

int PMPI_Get_elements_x(const MPI_Status* status, MPI_Datatype datatype, MPI_Count* count) {
    return dvm_type_done(told_elements(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Get_elements_x);

static int told_count(const MPI_Status* status, MPI_Datatype datatype, int64_t* count) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return result;
    const int64_t bytes = dvm_status_bytes(status);
    if (type->size == 0)
        *count = bytes == 0 ? 0 : MPI_UNDEFINED;
    else
        *count = bytes % type->size == 0 ? bytes / type->size : MPI_UNDEFINED;
    return MPI_SUCCESS;
}

int PMPI_Get_count(const MPI_Status* status, MPI_Datatype datatype, int* count) {
    int64_t items = 0;
    const int result = told_count(status, datatype, &items);
    *count = items > INT_MAX ? MPI_UNDEFINED : (int)items;
    return dvm_type_done(result, DVM_CALL);
}
DVM_ALIAS(Get_count);

int PMPI_Get_count_c(const MPI_Status* status, MPI_Datatype datatype, MPI_Count* count) {
    return dvm_type_done(told_count(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Get_count_c);

/* The packed bytes of the first `elements` predefined elements of the stream of a type. */
static int64_t bytes_of(const struct dvm_type* type, int64_t elements) {
    if (type->elements == 0) return 0;
    int64_t bytes = elements / type->elements * type->size;
    elements %= type->elements;
    const int64_t one = type->part_count == 0 ? 0 : type->elements / (type->repeat == 0 ? 1 : type->repeat);
    if (elements == 0 || one == 0) return bytes;
    bytes += elements / one * (type->size / type->repeat);
    elements %= one;
    for (int64_t i = 0; i < type->part_count && elements > 0; ++i) {
        const struct dvm_part* const part = &type->parts[i];
        const int64_t all = part->count * part->type->elements;
        bytes += bytes_of(part->type, elements < all ? elements : all);
        elements -= elements < all ? elements : all;
    }
    return bytes;
}

static int set_elements(MPI_Status* status, MPI_Datatype datatype, int64_t count) {
    struct dvm_type* type = NULL;
    const int result = dvm_type_known(datatype, &type);
    if (result != MPI_SUCCESS) return result;
    if (count < 0) return dvm_fail(MPI_ERR_COUNT, "argument 3 (count) is %lld", (long long)count);
    dvm_status_set_bytes(status, bytes_of(type, count));
    return MPI_SUCCESS;
}

int PMPI_Status_set_elements(MPI_Status* status, MPI_Datatype datatype, int count) {
    return dvm_type_done(set_elements(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Status_set_elements);

int PMPI_Status_set_elements_c(MPI_Status* status, MPI_Datatype datatype, MPI_Count count) {
    return dvm_type_done(set_elements(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Status_set_elements_c);

int PMPI_Status_set_elements_x(MPI_Status* status, MPI_Datatype datatype, MPI_Count count) {
    return dvm_type_done(set_elements(status, datatype, count), DVM_CALL);
}
DVM_ALIAS(Status_set_elements_x);
