/* Operations of reductions. */
#ifndef DVM_OP_H
#define DVM_OP_H

#include "datatype.h"

/* `inout` = `in` op `inout`, element by element. */
typedef void (*dvm_reduce)(const void* in, void* inout, int64_t count);

struct dvm_op {
    struct dvm_object object;
    MPI_Op handle;
    const char* name;
    bool predefined;
    bool commutative;
    bool fortran;     /* the function takes the datatype as Fortran's integer */
    uint8_t row;      /* of the table of functions; predefined ones only */
    uint16_t classes; /* of datatypes that it takes, a bit each */
    MPI_User_function* function;
    MPI_User_function_c* large_function;
};

/* NULL: not an operation. */
struct dvm_op* dvm_op_of(MPI_Op handle);
void dvm_op_retain(struct dvm_op* op);
void dvm_op_release(struct dvm_op* op);
/* The function of a predefined operation for this representation; NULL: none. */
dvm_reduce dvm_op_function(unsigned row, unsigned basic);
/* Whether the two fit, else an error noted. */
int dvm_op_check(MPI_Op handle, const struct dvm_type* type, struct dvm_op** found);
/* Both fit. The type's items lie as in a user's buffer. */
void dvm_op_apply(const struct dvm_op* op, const void* in, void* inout, int64_t count, struct dvm_type* type);

enum dvm_op_row {
    DVM_SUM,
    DVM_PROD,
    DVM_MIN,
    DVM_MAX,
    DVM_LAND,
    DVM_LOR,
    DVM_LXOR,
    DVM_BAND,
    DVM_BOR,
    DVM_BXOR,
    DVM_MINLOC,
    DVM_MAXLOC,
    DVM_OP_ROWS,
};

#endif
