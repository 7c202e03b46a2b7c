/* The predefined datatypes. A handle's low byte is its place in the table. */
#include <stddef.h>

#include "datatype.h"

#define FIRST ((uintptr_t)MPI_DATATYPE_NULL)
#define SLOTS 256u

/* handle, its low byte, class, basic, bytes, bytes in external32 */
#define ELEMENTS(X)                                                            \
    X(MPI_AINT, 0x01, SIGNED, I64, 8, 8)                                       \
    X(MPI_COUNT, 0x02, SIGNED, I64, 8, 8)                                      \
    X(MPI_OFFSET, 0x03, SIGNED, I64, 8, 8)                                     \
    X(MPI_PACKED, 0x07, BYTE, U8, 1, 1)                                        \
    X(MPI_SHORT, 0x08, SIGNED, I16, 2, 2)                                      \
    X(MPI_INT, 0x09, SIGNED, I32, 4, 4)                                        \
    X(MPI_LONG, 0x0a, SIGNED, I64, 8, 4)                                       \
    X(MPI_LONG_LONG_INT, 0x0b, SIGNED, I64, 8, 8)                              \
    X(MPI_UNSIGNED_SHORT, 0x0c, UNSIGNED, U16, 2, 2)                           \
    X(MPI_UNSIGNED, 0x0d, UNSIGNED, U32, 4, 4)                                 \
    X(MPI_UNSIGNED_LONG, 0x0e, UNSIGNED, U64, 8, 4)                            \
    X(MPI_UNSIGNED_LONG_LONG, 0x0f, UNSIGNED, U64, 8, 8)                       \
    X(MPI_FLOAT, 0x10, FLOAT, F32, 4, 4)                                       \
    X(MPI_C_COMPLEX, 0x12, COMPLEX, COMPLEX_F32, 8, 8)                         \
    X(MPI_CXX_FLOAT_COMPLEX, 0x13, COMPLEX, COMPLEX_F32, 8, 8)                 \
    X(MPI_DOUBLE, 0x14, FLOAT, F64, 8, 8)                                      \
    X(MPI_C_DOUBLE_COMPLEX, 0x16, COMPLEX, COMPLEX_F64, 16, 16)                \
    X(MPI_CXX_DOUBLE_COMPLEX, 0x17, COMPLEX, COMPLEX_F64, 16, 16)              \
    X(MPI_LOGICAL, 0x18, LOGICAL, I32, 4, 4)                                   \
    X(MPI_INTEGER, 0x19, SIGNED, I32, 4, 4)                                    \
    X(MPI_REAL, 0x1a, FLOAT, F32, 4, 4)                                        \
    X(MPI_COMPLEX, 0x1b, COMPLEX, COMPLEX_F32, 8, 8)                           \
    X(MPI_DOUBLE_PRECISION, 0x1c, FLOAT, F64, 8, 8)                            \
    X(MPI_DOUBLE_COMPLEX, 0x1d, COMPLEX, COMPLEX_F64, 16, 16)                  \
    X(MPI_CHARACTER, 0x1e, CHARACTER, I8, 1, 1)                                \
    X(MPI_LONG_DOUBLE, 0x20, FLOAT, LONG_DOUBLE, 16, 16)                       \
    X(MPI_C_LONG_DOUBLE_COMPLEX, 0x24, COMPLEX, COMPLEX_LONG_DOUBLE, 32, 32)   \
    X(MPI_CXX_LONG_DOUBLE_COMPLEX, 0x25, COMPLEX, COMPLEX_LONG_DOUBLE, 32, 32) \
    X(MPI_C_BOOL, 0x38, LOGICAL, U8, 1, 1)                                     \
    X(MPI_CXX_BOOL, 0x39, LOGICAL, U8, 1, 1)                                   \
    X(MPI_WCHAR, 0x3c, CHARACTER, I32, 4, 2)                                   \
    X(MPI_INT8_T, 0x40, SIGNED, I8, 1, 1)                                      \
    X(MPI_UINT8_T, 0x41, UNSIGNED, U8, 1, 1)                                   \
    X(MPI_CHAR, 0x43, CHARACTER, I8, 1, 1)                                     \
    X(MPI_SIGNED_CHAR, 0x44, SIGNED, I8, 1, 1)                                 \
    X(MPI_UNSIGNED_CHAR, 0x45, UNSIGNED, U8, 1, 1)                             \
    X(MPI_BYTE, 0x47, BYTE, U8, 1, 1)                                          \
    X(MPI_INT16_T, 0x48, SIGNED, I16, 2, 2)                                    \
    X(MPI_UINT16_T, 0x49, UNSIGNED, U16, 2, 2)                                 \
    X(MPI_INT32_T, 0x50, SIGNED, I32, 4, 4)                                    \
    X(MPI_UINT32_T, 0x51, UNSIGNED, U32, 4, 4)                                 \
    X(MPI_INT64_T, 0x58, SIGNED, I64, 8, 8)                                    \
    X(MPI_UINT64_T, 0x59, UNSIGNED, U64, 8, 8)                                 \
    X(MPI_LOGICAL1, 0xc0, LOGICAL, I8, 1, 1)                                   \
    X(MPI_INTEGER1, 0xc1, SIGNED, I8, 1, 1)                                    \
    X(MPI_LOGICAL2, 0xc8, LOGICAL, I16, 2, 2)                                  \
    X(MPI_INTEGER2, 0xc9, SIGNED, I16, 2, 2)                                   \
    X(MPI_REAL2, 0xca, FLOAT, F16, 2, 2)                                       \
    X(MPI_LOGICAL4, 0xd0, LOGICAL, I32, 4, 4)                                  \
    X(MPI_INTEGER4, 0xd1, SIGNED, I32, 4, 4)                                   \
    X(MPI_REAL4, 0xd2, FLOAT, F32, 4, 4)                                       \
    X(MPI_COMPLEX4, 0xd3, COMPLEX, COMPLEX_F16, 4, 4)                          \
    X(MPI_LOGICAL8, 0xd8, LOGICAL, I64, 8, 8)                                  \
    X(MPI_INTEGER8, 0xd9, SIGNED, I64, 8, 8)                                   \
    X(MPI_REAL8, 0xda, FLOAT, F64, 8, 8)                                       \
    X(MPI_COMPLEX8, 0xdb, COMPLEX, COMPLEX_F32, 8, 8)                          \
    X(MPI_LOGICAL16, 0xe0, LOGICAL, I128, 16, 16)                              \
    X(MPI_INTEGER16, 0xe1, SIGNED, I128, 16, 16)                               \
    X(MPI_REAL16, 0xe2, FLOAT, F128, 16, 16)                                   \
    X(MPI_COMPLEX16, 0xe3, COMPLEX, COMPLEX_F64, 16, 16)                       \
    X(MPI_COMPLEX32, 0xeb, COMPLEX, COMPLEX_F128, 32, 32)

/* handle, its low byte, basic, type and low byte of the value, of the index */
#define PAIRS(X)                                                                \
    X(MPI_FLOAT_INT, 0x28, FLOAT_INT, float, 0x10, int, 0x09)                   \
    X(MPI_DOUBLE_INT, 0x29, DOUBLE_INT, double, 0x14, int, 0x09)                \
    X(MPI_LONG_INT, 0x2a, LONG_INT, long, 0x0a, int, 0x09)                      \
    X(MPI_2INT, 0x2b, INT_INT, int, 0x09, int, 0x09)                            \
    X(MPI_SHORT_INT, 0x2c, SHORT_INT, short, 0x08, int, 0x09)                   \
    X(MPI_LONG_DOUBLE_INT, 0x2d, LONG_DOUBLE_INT, long double, 0x20, int, 0x09) \
    X(MPI_2REAL, 0x30, FLOAT_FLOAT, float, 0x1a, float, 0x1a)                   \
    X(MPI_2DOUBLE_PRECISION, 0x31, DOUBLE_DOUBLE, double, 0x1c, double, 0x1c)   \
    X(MPI_2INTEGER, 0x32, INT_INT, int, 0x19, int, 0x19)

static struct dvm_type table[SLOTS];

/* The index follows the value where the compiler puts it: only after a short and before an int is there a gap. */
#define PAIR_PARTS(HANDLE, SLOT, BASIC, VALUE, VALUE_SLOT, INDEX, INDEX_SLOT) \
    struct layout_of_##HANDLE {                                               \
        VALUE value;                                                          \
        INDEX index;                                                          \
    };                                                                        \
    static struct dvm_part parts_of_##HANDLE[] = {                            \
        {0, 1, &table[VALUE_SLOT]}, {offsetof(struct layout_of_##HANDLE, index), 1, &table[INDEX_SLOT]}};
PAIRS(PAIR_PARTS)

static struct dvm_run short_int_runs[] = {
    {0, 0, 1, 0, sizeof(short), NULL},
    {offsetof(struct layout_of_MPI_SHORT_INT, index), sizeof(short), 1, 0, sizeof(int), NULL}};
static struct dvm_list short_int_list = {1, 1, sizeof(short) + sizeof(int), 2, short_int_runs};

#define COMMON(HANDLE, NAME)                                                                                          \
    .object = {.kind = DVM_TYPE, .references = 1}, .handle = (HANDLE), .name = (NAME), .handles = 1, .predefined = 1, \
    .committed = 1, .repeat = 1, .envelope = {.combiner = MPI_COMBINER_NAMED}

#define ELEMENT(HANDLE, SLOT, CLASS, BASIC, BYTES, EXTERNAL)                               \
    [SLOT] = {COMMON(HANDLE, #HANDLE),                                                     \
              .contiguous = 1,                                                             \
              .class = DVM_CLASS_##CLASS,                                                  \
              .basic = DVM_##BASIC,                                                        \
              .external = (EXTERNAL),                                                      \
              .alignment = DVM_CLASS_##CLASS == DVM_CLASS_COMPLEX ? (BYTES) / 2 : (BYTES), \
              .size = (BYTES),                                                             \
              .extent = (BYTES),                                                           \
              .true_extent = (BYTES),                                                      \
              .elements = 1,                                                               \
              .uniform = &table[SLOT],                                                     \
              .layout = {.count = 1, .length = (BYTES)}},

#define PAIR(HANDLE, SLOT, BASIC, VALUE, VALUE_SLOT, INDEX, INDEX_SLOT)                         \
    [SLOT] = {COMMON(HANDLE, #HANDLE),                                                          \
              .contiguous = sizeof(struct layout_of_##HANDLE) == sizeof(VALUE) + sizeof(INDEX), \
              .class = DVM_CLASS_PAIR,                                                          \
              .basic = DVM_PAIR_##BASIC,                                                        \
              .alignment = _Alignof(struct layout_of_##HANDLE),                                 \
              .depth = 1,                                                                       \
              .size = sizeof(VALUE) + sizeof(INDEX),                                            \
              .extent = sizeof(struct layout_of_##HANDLE),                                      \
              .true_extent = offsetof(struct layout_of_##HANDLE, index) + sizeof(INDEX),        \
              .elements = 2,                                                                    \
              .uniform = &table[SLOT],                                                          \
              .part_count = 2,                                                                  \
              .parts = parts_of_##HANDLE,                                                       \
              .layout = {.count = 1,                                                            \
                         .length = sizeof(VALUE) + sizeof(INDEX),                               \
                         .each = DVM_PAIR_##BASIC == DVM_PAIR_SHORT_INT ? &short_int_list : NULL}},

static struct dvm_type table[SLOTS] = {ELEMENTS(ELEMENT) PAIRS(PAIR)};

struct dvm_type* dvm_predefined(MPI_Datatype handle) {
    const uintptr_t slot = (uintptr_t)handle - FIRST;
    return slot - 1u < SLOTS - 1u && table[slot].handle == handle ? &table[slot] : NULL;
}
