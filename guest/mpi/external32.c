/* The representation external32: elements one after another, big-endian, some of them narrower than here.
 *
 * Source: MPI 5.0, 14.5.2. */
#include <string.h>

#include "type_make.h"

__extension__ typedef __float128 quad;

/* Where the walk stands; the size is what is left when nothing is copied (stream NULL). */
struct walk {
    char* stream;
    int64_t bytes;
    bool into_memory;
};

static void reverse(char* to, const char* from, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) to[i] = from[bytes - 1 - i];
}

/* One component: of a complex element, each part. */
static void convert_one(char* memory, char* stream, size_t native, size_t external, bool is_long_double, bool is_signed,
                        bool into_memory) {
    char bytes[16] = {0};
    long double number = 0;
    quad wide = 0;
    if (!into_memory) {
        memcpy(bytes, memory, native);
        if (is_long_double) {
            memcpy(&number, memory, sizeof number);
            wide = number;
            memcpy(bytes, &wide, sizeof wide);
        }
        reverse(stream, bytes, external);
        return;
    }
    reverse(bytes, stream, external);
    if (is_long_double) {
        memcpy(&wide, bytes, sizeof wide);
        number = (long double)wide;
        memcpy(bytes, &number, sizeof number);
    } else if (native > external && is_signed && (bytes[external - 1] & 0x80) != 0) {
        memset(bytes + external, 0xff, native - external);
    }
    memcpy(memory, bytes, native);
}

static void convert(const struct dvm_type* type, char* memory, struct walk* walk) {
    const size_t parts = type->class == DVM_CLASS_COMPLEX ? 2 : 1;
    const size_t native = (size_t)type->size / parts;
    const size_t external = type->external / parts;
    const bool is_long_double = type->basic == DVM_LONG_DOUBLE || type->basic == DVM_COMPLEX_LONG_DOUBLE;
    const bool is_signed = type->class == DVM_CLASS_SIGNED;
    for (size_t i = 0; i < parts && walk->stream != NULL; ++i)
        convert_one(memory + i * native, walk->stream + walk->bytes + (int64_t)(i * external), native, external,
                    is_long_double, is_signed, walk->into_memory);
    walk->bytes += type->external;
}

static void walk_items(const struct dvm_type* type, int64_t count, char* memory, struct walk* walk) {
    if (type->elements == 0) return;
    for (int64_t item = 0; item < count; ++item, memory += type->extent) {
        if (type->part_count == 0) {
            convert(type, memory, walk);
            continue;
        }
        for (int64_t i = 0; i < type->repeat; ++i)
            for (int64_t k = 0; k < type->part_count; ++k)
                walk_items(type->parts[k].type, type->parts[k].count,
                           memory + i * type->repeat_stride + type->parts[k].at, walk);
    }
}

/* The bytes of one item. */
static int64_t external_size(const struct dvm_type* type) {
    if (type->part_count == 0) return type->external;
    if (type->uniform != NULL && type->uniform->part_count == 0) return type->elements * type->uniform->external;
    int64_t size = 0;
    for (int64_t k = 0; k < type->part_count; ++k) size += type->parts[k].count * external_size(type->parts[k].type);
    return type->repeat * size;
}

static int checked(const char* datarep, MPI_Datatype datatype, int64_t count, struct dvm_type** type) {
    const int result = dvm_type_known(datatype, type);
    if (result != MPI_SUCCESS) return result;
    if (datarep == NULL || strcmp(datarep, "external32") != 0)
        return dvm_fail(MPI_ERR_ARG, "argument datarep is not \"external32\", which is the only one");
    if (count < 0) return dvm_fail(MPI_ERR_COUNT, "the count is %lld: it must not be negative", (long long)count);
    return MPI_SUCCESS;
}

struct transfer {
    const char* datarep;
    void* memory;
    int64_t count;
    MPI_Datatype datatype;
    void* stream;
    int64_t size;
    bool into_memory;
};

static int transfer(const struct transfer* what, int64_t* position) {
    struct dvm_type* type = NULL;
    const int result = checked(what->datarep, what->datatype, what->count, &type);
    if (result != MPI_SUCCESS) return result;
    const int64_t bytes = what->count * external_size(type);
    if (*position < 0 || *position > what->size || bytes > what->size - *position)
        return dvm_fail(MPI_ERR_TRUNCATE, "%lld bytes from position %lld on are more than a buffer of %lld bytes has",
                        (long long)bytes, (long long)*position, (long long)what->size);
    struct walk walk = {(char*)what->stream + *position, 0, what->into_memory};
    walk_items(type, what->count, what->memory, &walk);
    *position += bytes;
    return MPI_SUCCESS;
}

static int size_of(const char* datarep, int64_t count, MPI_Datatype datatype, int64_t* size) {
    struct dvm_type* type = NULL;
    const int result = checked(datarep, datatype, count, &type);
    if (result == MPI_SUCCESS) *size = count * external_size(type);
    return result;
}

/* SAFETY: what is read of memory or stream is only read, whatever the pointers could do. */
#define PACK(SUFFIX, COUNT, SIZE)                                                                                   \
    int PMPI_Pack_external##SUFFIX(const char* datarep, const void* inbuf, COUNT incount, MPI_Datatype datatype,    \
                                   void* outbuf, SIZE outsize, SIZE* position) {                                    \
        const struct transfer what = {datarep, (void*)(uintptr_t)inbuf, incount, datatype, outbuf, outsize, false}; \
        return dvm_type_done(transfer(&what, position), DVM_CALL);                                                  \
    }                                                                                                               \
    DVM_ALIAS(Pack_external##SUFFIX);                                                                               \
    int PMPI_Unpack_external##SUFFIX(const char* datarep, const void* inbuf, SIZE insize, SIZE* position,           \
                                     void* outbuf, COUNT outcount, MPI_Datatype datatype) {                         \
        const struct transfer what = {datarep, outbuf, outcount, datatype, (void*)(uintptr_t)inbuf, insize, true};  \
        return dvm_type_done(transfer(&what, position), DVM_CALL);                                                  \
    }                                                                                                               \
    DVM_ALIAS(Unpack_external##SUFFIX);                                                                             \
    int PMPI_Pack_external_size##SUFFIX(const char* datarep, COUNT incount, MPI_Datatype datatype, SIZE* size) {    \
        return dvm_type_done(size_of(datarep, incount, datatype, size), DVM_CALL);                                  \
    }                                                                                                               \
    DVM_ALIAS(Pack_external_size##SUFFIX)

PACK(, int, MPI_Aint);
PACK(_c, MPI_Count, MPI_Count);
