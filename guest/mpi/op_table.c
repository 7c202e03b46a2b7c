/* Every predefined operation on every representation that it is defined for.
 *
 * Sums, products and bitwise operations of signed integers are those of unsigned ones: the same bits, and no overflow
 * that the language leaves undefined. */
#include "op.h"

/* Not with every compiler: then MPI_REAL2 and MPI_COMPLEX4 have no operations. */
#ifdef __FLT16_MAX__
__extension__ typedef _Float16 half;
__extension__ typedef _Complex _Float16 complex_half;
#define HALVES(...) __VA_ARGS__
#else
#define HALVES(...)
#endif
__extension__ typedef __float128 quad;
__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;
typedef _Complex float complex_float;
typedef _Complex double complex_double;
typedef _Complex long double complex_long_double;
__extension__ typedef _Complex float complex_quad __attribute__((mode(TC)));

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses. */
#define FUNCTION(NAME, TYPE, EXPRESSION)                                    \
    static void NAME##_##TYPE(const void* in, void* inout, int64_t count) { \
        const TYPE* const a = in;                                           \
        TYPE* const b = inout;                                              \
        for (int64_t i = 0; i < count; ++i) b[i] = (TYPE)(EXPRESSION);      \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

#define UNSIGNED(X, NAME, EXPRESSION) \
    X(NAME, uint8_t, EXPRESSION)      \
    X(NAME, uint16_t, EXPRESSION)     \
    X(NAME, uint32_t, EXPRESSION)     \
    X(NAME, uint64_t, EXPRESSION)
#define BITS(X, NAME, EXPRESSION) \
    UNSIGNED(X, NAME, EXPRESSION) \
    X(NAME, uint128, EXPRESSION)
#define SIGNED(X, NAME, EXPRESSION) \
    X(NAME, int8_t, EXPRESSION)     \
    X(NAME, int16_t, EXPRESSION)    \
    X(NAME, int32_t, EXPRESSION)    \
    X(NAME, int64_t, EXPRESSION)    \
    X(NAME, int128, EXPRESSION)
#define FLOATS(X, NAME, EXPRESSION)   \
    HALVES(X(NAME, half, EXPRESSION)) \
    X(NAME, float, EXPRESSION)        \
    X(NAME, double, EXPRESSION)       \
    X(NAME, long_double, EXPRESSION)  \
    X(NAME, quad, EXPRESSION)
#define COMPLEX(X, NAME, EXPRESSION)          \
    HALVES(X(NAME, complex_half, EXPRESSION)) \
    X(NAME, complex_float, EXPRESSION)        \
    X(NAME, complex_double, EXPRESSION)       \
    X(NAME, complex_long_double, EXPRESSION)  \
    X(NAME, complex_quad, EXPRESSION)

typedef long double long_double;

/* clang-format off */
BITS(FUNCTION, sum, a[i] + b[i])
FLOATS(FUNCTION, sum, a[i] + b[i])
COMPLEX(FUNCTION, sum, a[i] + b[i])
/* An int that two shorts are promoted to can overflow; so they are multiplied as what cannot. */
BITS(FUNCTION, prod, 1u * a[i] * b[i])
FLOATS(FUNCTION, prod, a[i] * b[i])
COMPLEX(FUNCTION, prod, a[i] * b[i])
UNSIGNED(FUNCTION, min, a[i] < b[i] ? a[i] : b[i])
SIGNED(FUNCTION, min, a[i] < b[i] ? a[i] : b[i])
FLOATS(FUNCTION, min, a[i] < b[i] ? a[i] : b[i])
UNSIGNED(FUNCTION, max, a[i] > b[i] ? a[i] : b[i])
SIGNED(FUNCTION, max, a[i] > b[i] ? a[i] : b[i])
FLOATS(FUNCTION, max, a[i] > b[i] ? a[i] : b[i])
BITS(FUNCTION, land, a[i] != 0 && b[i] != 0)
FLOATS(FUNCTION, land, a[i] != 0 && b[i] != 0)
BITS(FUNCTION, lor, a[i] != 0 || b[i] != 0)
FLOATS(FUNCTION, lor, a[i] != 0 || b[i] != 0)
BITS(FUNCTION, lxor, (a[i] != 0) != (b[i] != 0))
FLOATS(FUNCTION, lxor, (a[i] != 0) != (b[i] != 0))
BITS(FUNCTION, band, a[i] & b[i])
BITS(FUNCTION, bor, a[i] | b[i])
BITS(FUNCTION, bxor, a[i] ^ b[i])
/* clang-format on */

#define PAIR(NAME, VALUE, INDEX)                                                                               \
    struct NAME {                                                                                              \
        VALUE value;                                                                                           \
        INDEX index;                                                                                           \
    };                                                                                                         \
    static void minloc_##NAME(const void* in, void* inout, int64_t count) {                                    \
        const struct NAME* const a = in;                                                                       \
        struct NAME* const b = inout;                                                                          \
        for (int64_t i = 0; i < count; ++i)                                                                    \
            if (a[i].value < b[i].value || (a[i].value == b[i].value && a[i].index < b[i].index)) b[i] = a[i]; \
    }                                                                                                          \
    static void maxloc_##NAME(const void* in, void* inout, int64_t count) {                                    \
        const struct NAME* const a = in;                                                                       \
        struct NAME* const b = inout;                                                                          \
        for (int64_t i = 0; i < count; ++i)                                                                    \
            if (a[i].value > b[i].value || (a[i].value == b[i].value && a[i].index < b[i].index)) b[i] = a[i]; \
    }

PAIR(float_int, float, int)
PAIR(double_int, double, int)
PAIR(long_int, long, int)
PAIR(int_int, int, int)
PAIR(short_int, short, int)
PAIR(long_double_int, long double, int)
PAIR(float_float, float, float)
PAIR(double_double, double, double)

#define ROW_BITS(NAME)                                                                                              \
    [DVM_I8] = NAME##_uint8_t, [DVM_U8] = NAME##_uint8_t, [DVM_I16] = NAME##_uint16_t, [DVM_U16] = NAME##_uint16_t, \
    [DVM_I32] = NAME##_uint32_t, [DVM_U32] = NAME##_uint32_t, [DVM_I64] = NAME##_uint64_t,                          \
    [DVM_U64] = NAME##_uint64_t, [DVM_I128] = NAME##_uint128
#define ROW_ORDERED(NAME)                                                                                             \
    [DVM_I8] = NAME##_int8_t, [DVM_U8] = NAME##_uint8_t, [DVM_I16] = NAME##_int16_t, [DVM_U16] = NAME##_uint16_t,     \
    [DVM_I32] = NAME##_int32_t, [DVM_U32] = NAME##_uint32_t, [DVM_I64] = NAME##_int64_t, [DVM_U64] = NAME##_uint64_t, \
    [DVM_I128] = NAME##_int128
#define ROW_FLOATS(NAME)                                                                         \
    HALVES([DVM_F16] = NAME##_half, )                                                            \
    [DVM_F32] = NAME##_float, [DVM_F64] = NAME##_double, [DVM_LONG_DOUBLE] = NAME##_long_double, \
    [DVM_F128] = NAME##_quad
#define ROW_COMPLEX(NAME)                                                                \
    HALVES([DVM_COMPLEX_F16] = NAME##_complex_half, )                                    \
    [DVM_COMPLEX_F32] = NAME##_complex_float, [DVM_COMPLEX_F64] = NAME##_complex_double, \
    [DVM_COMPLEX_LONG_DOUBLE] = NAME##_complex_long_double, [DVM_COMPLEX_F128] = NAME##_complex_quad
#define ROW_PAIRS(NAME)                                                                           \
    [DVM_PAIR_FLOAT_INT] = NAME##_float_int, [DVM_PAIR_DOUBLE_INT] = NAME##_double_int,           \
    [DVM_PAIR_LONG_INT] = NAME##_long_int, [DVM_PAIR_INT_INT] = NAME##_int_int,                   \
    [DVM_PAIR_SHORT_INT] = NAME##_short_int, [DVM_PAIR_LONG_DOUBLE_INT] = NAME##_long_double_int, \
    [DVM_PAIR_FLOAT_FLOAT] = NAME##_float_float, [DVM_PAIR_DOUBLE_DOUBLE] = NAME##_double_double

static const dvm_reduce kFunctions[DVM_OP_ROWS][DVM_BASICS] = {
    [DVM_SUM] = {ROW_BITS(sum), ROW_FLOATS(sum), ROW_COMPLEX(sum)},
    [DVM_PROD] = {ROW_BITS(prod), ROW_FLOATS(prod), ROW_COMPLEX(prod)},
    [DVM_MIN] = {ROW_ORDERED(min), ROW_FLOATS(min)},
    [DVM_MAX] = {ROW_ORDERED(max), ROW_FLOATS(max)},
    [DVM_LAND] = {ROW_BITS(land), ROW_FLOATS(land)},
    [DVM_LOR] = {ROW_BITS(lor), ROW_FLOATS(lor)},
    [DVM_LXOR] = {ROW_BITS(lxor), ROW_FLOATS(lxor)},
    [DVM_BAND] = {ROW_BITS(band)},
    [DVM_BOR] = {ROW_BITS(bor)},
    [DVM_BXOR] = {ROW_BITS(bxor)},
    [DVM_MINLOC] = {ROW_PAIRS(minloc)},
    [DVM_MAXLOC] = {ROW_PAIRS(maxloc)},
};

dvm_reduce dvm_op_function(unsigned row, unsigned basic) {
    return kFunctions[row][basic];
}
