/* Operations as objects. */
#include "op.h"

#include <limits.h>

#include "internal.h"

#define BIT(CLASS) (1u << DVM_CLASS_##CLASS)
#define INTEGERS (BIT(SIGNED) | BIT(UNSIGNED))

#define OP(HANDLE, ROW, CLASSES)                                                                              \
    {                                                                                                         \
        .object = {.kind = DVM_OP, .references = 1}, .handle = (HANDLE), .name = #HANDLE, .predefined = true, \
        .commutative = true, .row = (ROW), .classes = (CLASSES)                                               \
    }

/* A float as a truth value, and MPI_CHAR as a number, are not MPI's; but programs do it, and other libraries take it.
 */
static struct dvm_op table[] = {
    OP(MPI_SUM, DVM_SUM, INTEGERS | BIT(FLOAT) | BIT(COMPLEX)),
    OP(MPI_PROD, DVM_PROD, INTEGERS | BIT(FLOAT) | BIT(COMPLEX)),
    OP(MPI_MIN, DVM_MIN, INTEGERS | BIT(FLOAT)),
    OP(MPI_MAX, DVM_MAX, INTEGERS | BIT(FLOAT)),
    OP(MPI_LAND, DVM_LAND, INTEGERS | BIT(LOGICAL) | BIT(FLOAT) | BIT(BYTE)),
    OP(MPI_LOR, DVM_LOR, INTEGERS | BIT(LOGICAL) | BIT(FLOAT) | BIT(BYTE)),
    OP(MPI_LXOR, DVM_LXOR, INTEGERS | BIT(LOGICAL) | BIT(FLOAT) | BIT(BYTE)),
    OP(MPI_BAND, DVM_BAND, INTEGERS | BIT(BYTE)),
    OP(MPI_BOR, DVM_BOR, INTEGERS | BIT(BYTE)),
    OP(MPI_BXOR, DVM_BXOR, INTEGERS | BIT(BYTE)),
    OP(MPI_MINLOC, DVM_MINLOC, BIT(PAIR)),
    OP(MPI_MAXLOC, DVM_MAXLOC, BIT(PAIR)),
    OP(MPI_REPLACE, DVM_OP_ROWS, 0),
    OP(MPI_NO_OP, DVM_OP_ROWS, 0),
};

struct dvm_op* dvm_op_of(MPI_Op handle) {
    if (!dvm_is_predefined(handle)) return dvm_is(handle, DVM_OP) ? (struct dvm_op*)handle : NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        if (table[i].handle == handle) return &table[i];
    return NULL;
}

void dvm_op_retain(struct dvm_op* op) {
    if (!op->predefined) dvm_retain(op);
}

void dvm_op_release(struct dvm_op* op) {
    if (op->predefined || !dvm_release(op)) return;
    op->object.kind = DVM_OP;
    dvm_delete(op);
}

int dvm_op_check(MPI_Op handle, const struct dvm_type* type, struct dvm_op** found) {
    struct dvm_op* const op = dvm_op_of(handle);
    *found = op;
    if (op == NULL)
        return dvm_fail(MPI_ERR_OP, handle == MPI_OP_NULL ? "the operation is MPI_OP_NULL"
                                                          : "the operation is none: it was freed, or never made");
    if (!op->predefined || ((unsigned)op->classes >> type->class & 1u) != 0u) return MPI_SUCCESS;
    if (type->handle == MPI_CHAR && op->row < DVM_MINLOC) return MPI_SUCCESS;
    if (op->classes == 0) return dvm_fail(MPI_ERR_OP, "%s is for one-sided calls only", op->name);
    if (type->class == DVM_CLASS_NONE)
        return dvm_fail(MPI_ERR_OP,
                        "%s takes predefined datatypes only; for derived ones, make an operation with MPI_Op_create",
                        op->name);
    return dvm_fail(MPI_ERR_OP, "%s is not defined for %s", op->name, type->name);
}

static void call_function(const struct dvm_op* op, void* from, void* to, int* count, MPI_Datatype* type) {
    if (!op->fortran) {
        op->function(from, to, count, type);
        return;
    }
    MPI_Fint number = dvm_to_int(*type);
    ((void (*)(void*, void*, MPI_Fint*, MPI_Fint*))(void (*)(void))op->function)(from, to, count, &number);
}

void dvm_op_apply(const struct dvm_op* op, const void* in, void* inout, int64_t count, struct dvm_type* type) {
    if (count == 0) return;
    if (op->predefined) {
        dvm_op_function(op->row, type->basic)(in, inout, count);
        return;
    }
    if (op->large_function != NULL) {
        MPI_Count large = count;
        op->large_function((void*)(uintptr_t)in, inout, &large, &type->handle);
        return;
    }
    /* SAFETY: a user's function has no const in its prototype, and must not write what it is given first. */
    char* from = (char*)(uintptr_t)in;
    char* to = inout;
    while (count > 0) {
        int some = count > INT_MAX ? INT_MAX : (int)count;
        const int64_t step = some;
        MPI_Datatype handle = type->handle;
        call_function(op, from, to, &some, &handle);
        from += step * type->extent;
        to += step * type->extent;
        count -= step;
    }
}

/* ---- calls ---- */

static int make(MPI_User_function* function, MPI_User_function_c* large_function, int commute, MPI_Op* made) {
    if ((function == NULL && large_function == NULL) || made == NULL)
        return dvm_fail(MPI_ERR_ARG, "argument user_fn or op is NULL");
    struct dvm_op* const op = dvm_new(DVM_OP, sizeof *op);
    if (op == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for an operation");
    op->handle = (MPI_Op)(void*)op;
    op->name = "an operation of the program";
    op->commutative = commute != 0;
    op->function = function;
    op->large_function = large_function;
    *made = op->handle;
    return MPI_SUCCESS;
}

static int raised(int result, const char* call) {
    return result == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(NULL, result, call);
}

int PMPI_Op_create(MPI_User_function* user_fn, int commute, MPI_Op* op) {
    return raised(make(user_fn, NULL, commute, op), DVM_CALL);
}
DVM_ALIAS(Op_create);

int PMPI_Op_create_c(MPI_User_function_c* user_fn, int commute, MPI_Op* op) {
    return raised(make(NULL, user_fn, commute, op), DVM_CALL);
}
DVM_ALIAS(Op_create_c);

int PMPI_Op_free(MPI_Op* op) {
    struct dvm_op* const object = op == NULL ? NULL : dvm_op_of(*op);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_OP, DVM_CALL, "argument 1 is no operation");
    if (object->predefined)
        return dvm_error(NULL, MPI_ERR_OP, DVM_CALL, "%s is predefined: it cannot be freed", object->name);
    object->object.kind = DVM_FREED;
    dvm_op_release(object);
    *op = MPI_OP_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Op_free);

int PMPI_Op_commutative(MPI_Op op, int* commute) {
    const struct dvm_op* const object = dvm_op_of(op);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_OP, DVM_CALL, "argument 1 is no operation");
    *commute = object->commutative;
    return MPI_SUCCESS;
}
DVM_ALIAS(Op_commutative);

static int reduce_local(const void* inbuf, void* inoutbuf, int64_t count, MPI_Datatype datatype, MPI_Op op) {
    struct dvm_op* object = NULL;
    struct dvm_type* const type = dvm_type_of(datatype);
    if (count < 0) return dvm_fail(MPI_ERR_COUNT, "argument 3 (count) is %lld", (long long)count);
    if (type == NULL) return dvm_fail(MPI_ERR_TYPE, "argument 4 is no datatype");
    const int result = dvm_op_check(op, type, &object);
    if (result == MPI_SUCCESS) dvm_op_apply(object, inbuf, inoutbuf, count, type);
    return result;
}

int PMPI_Reduce_local(const void* inbuf, void* inoutbuf, int count, MPI_Datatype datatype, MPI_Op op) {
    return raised(reduce_local(inbuf, inoutbuf, count, datatype, op), DVM_CALL);
}
DVM_ALIAS(Reduce_local);

int PMPI_Reduce_local_c(const void* inbuf, void* inoutbuf, MPI_Count count, MPI_Datatype datatype, MPI_Op op) {
    return raised(reduce_local(inbuf, inoutbuf, count, datatype, op), DVM_CALL);
}
DVM_ALIAS(Reduce_local_c);
