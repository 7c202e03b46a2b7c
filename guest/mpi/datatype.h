/* Datatypes: what the calls of MPI know about them, and how data of a type is copied.
 *
 * A type is the parts it was constructed of (`repeat` times `parts`), which say all that MPI can ask, and a layout,
 * which says where its bytes lie (layout.h). Handles of predefined types are small numbers; all others point to the
 * type. */
#ifndef DIVISI_MPI_DATATYPE_OBJECTS_H
#define DIVISI_MPI_DATATYPE_OBJECTS_H

#include "include/mpi.h"
#include "layout.h"
#include "object.h"

/* What the bits of a predefined element mean: what operations and external32 need to know. */
enum dvm_class {
    DVM_CLASS_NONE, /* derived */
    DVM_CLASS_BYTE,
    DVM_CLASS_CHARACTER,
    DVM_CLASS_SIGNED,
    DVM_CLASS_UNSIGNED,
    DVM_CLASS_FLOAT,
    DVM_CLASS_COMPLEX,
    DVM_CLASS_LOGICAL,
    DVM_CLASS_PAIR,
};

/* How a predefined element is represented. */
enum dvm_basic {
    DVM_BASIC_NONE,
    DVM_I8,
    DVM_U8,
    DVM_I16,
    DVM_U16,
    DVM_I32,
    DVM_U32,
    DVM_I64,
    DVM_U64,
    DVM_I128,
    DVM_F16,
    DVM_F32,
    DVM_F64,
    DVM_LONG_DOUBLE,
    DVM_F128,
    DVM_COMPLEX_F16,
    DVM_COMPLEX_F32,
    DVM_COMPLEX_F64,
    DVM_COMPLEX_LONG_DOUBLE,
    DVM_COMPLEX_F128,
    DVM_PAIR_FLOAT_INT,
    DVM_PAIR_DOUBLE_INT,
    DVM_PAIR_LONG_INT,
    DVM_PAIR_INT_INT,
    DVM_PAIR_SHORT_INT,
    DVM_PAIR_LONG_DOUBLE_INT,
    DVM_PAIR_FLOAT_FLOAT,
    DVM_PAIR_DOUBLE_DOUBLE,
    DVM_BASICS,
};

/* `count` items of `type`, one after another, the first at `at`. */
struct dvm_part {
    int64_t at;
    int64_t count;
    struct dvm_type* type;
};

/* What the user called the constructor with, as MPI_Type_get_contents gives it back. */
struct dvm_numbers {
    int64_t count;
    int64_t* values;
};

struct dvm_envelope {
    int combiner;
    int large; /* by a _c constructor */
    struct dvm_numbers integers;
    struct dvm_numbers addresses;
    struct dvm_numbers counts;
    int64_t type_count;
    struct dvm_type** types; /* each with a reference */
};

struct dvm_attribute;

struct dvm_type {
    struct dvm_object object; /* referred to by the user's handles, types built upon it, operations under way */
    int handles;              /* the user's; without any, its handle is none any more */
    MPI_Datatype handle;
    const char* name;
    char* given_name;   /* by MPI_Type_set_name; owned */
    uint8_t predefined; /* cannot be freed */
    uint8_t committed;
    uint8_t contiguous; /* `n` items are n * size bytes in a row, from the buffer's address on */
    uint8_t bounded;    /* lb and ub were set by MPI_Type_create_resized, here or further in */
    uint8_t class;      /* enum dvm_class */
    uint8_t basic;      /* enum dvm_basic */
    uint8_t external;   /* bytes of the element in external32 */
    int alignment;
    int depth;
    int64_t size; /* packed bytes */
    int64_t lb;
    int64_t extent;
    int64_t true_lb;
    int64_t true_extent;
    int64_t elements;         /* predefined elements in it */
    struct dvm_type* uniform; /* the one predefined type that all elements have; NULL: there are several, or none */
    struct dvm_run layout;
    int64_t repeat; /* of all parts */
    int64_t repeat_stride;
    int64_t part_count;
    struct dvm_part* parts; /* each with a reference; NULL: predefined */
    struct dvm_envelope envelope;
    struct dvm_attribute* attributes;
};

/* The type of a handle; NULL for MPI_DATATYPE_NULL, a freed handle and anything else that is none. */
struct dvm_type* dvm_type_of(MPI_Datatype handle);
/* The same of predefined handles only. */
struct dvm_type* dvm_predefined(MPI_Datatype handle);
/* A pending operation holds a type, so that the user may free it meanwhile. Predefined types are not counted. */
void dvm_type_retain(struct dvm_type* type);
void dvm_type_release(struct dvm_type* type);

/* Copies at most `max_bytes` of the packed stream of `count` items, from its byte `skip_bytes` on, out of or into a
 * buffer. How many bytes were copied: fewer than `max_bytes` only where the stream ends. */
int64_t dvm_pack(const struct dvm_type* type, int64_t count, const void* buffer, int64_t skip_bytes, void* out,
                 int64_t max_bytes);
int64_t dvm_unpack(const struct dvm_type* type, int64_t count, void* buffer, int64_t skip_bytes, const void* in,
                   int64_t max_bytes);

/* What a constructor makes a type of. `parts` come from malloc and are taken over; their types are retained. */
struct dvm_blueprint {
    int combiner;
    bool large;
    bool padded;  /* the extent is rounded up to the alignment, as the compiler does with a struct */
    bool bounded; /* these are lb and extent */
    int64_t lb;
    int64_t extent;
    int64_t repeat;
    int64_t repeat_stride;
    int64_t part_count;
    struct dvm_part* parts;
};

/* Yields an MPI error class. */
int dvm_type_build(const struct dvm_blueprint* blueprint, struct dvm_type** built);
/* A blueprint of `repeat` times one part. 0: no memory. */
int dvm_blueprint_of_one(struct dvm_blueprint* blueprint, int combiner, int64_t repeat, int64_t stride,
                         struct dvm_part part);

/* Where `count` items lie in a row: the first byte's distance from the buffer's address in `*offset`. 0: they do not.
 */
int dvm_type_dense(const struct dvm_type* type, int64_t count, int64_t* offset);
/* Copies between two buffers of different types; at most as many bytes as both have. */
void dvm_type_copy(const void* from, int64_t from_count, const struct dvm_type* from_type, void* to, int64_t to_count,
                   const struct dvm_type* to_type);

#endif
