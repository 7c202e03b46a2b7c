/* Attributes: their values are integers in Fortran, and the functions that copy and delete them have Fortran's
 * conventions.
 *
 * A keyval made in Fortran belongs, to the library, to the two functions below and a record of the program's own. The
 * record is never freed: attributes may outlive their keyval. */
#include "fortran.h"
#include "guest/mpi/attribute.h"

typedef void (*any_function)(void);
typedef void (*copy_wide)(MPI_Fint*, MPI_Fint*, MPI_Aint*, MPI_Aint*, MPI_Aint*, MPI_Fint*, MPI_Fint*);
typedef void (*copy_narrow)(MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*);
typedef void (*delete_wide)(MPI_Fint*, MPI_Fint*, MPI_Aint*, MPI_Aint*, MPI_Fint*);
typedef void (*delete_narrow)(MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*, MPI_Fint*);

struct record {
    any_function copy;
    any_function delete;
    MPI_Aint extra_state;
    int narrow; /* MPI-1: default integers throughout */
};

/* ---- called by the library ---- */

static int copy_attribute(void* object, int keyval, void* extra_state, void* from, void* to, int* flag) {
    struct record* const record = extra_state;
    MPI_Fint handle = dvm_to_int(object);
    MPI_Fint code = MPI_SUCCESS;
    MPI_Aint value = (MPI_Aint)from;
    MPI_Aint copied = 0;
    MPI_Aint state = record->extra_state;
    *flag = 0;
    if (record->narrow) {
        MPI_Fint narrow_state = (MPI_Fint)state;
        MPI_Fint narrow_value = (MPI_Fint)value;
        MPI_Fint narrow_copied = 0;
        ((copy_narrow)record->copy)(&handle, &keyval, &narrow_state, &narrow_value, &narrow_copied, flag, &code);
        copied = narrow_copied;
    } else {
        ((copy_wide)record->copy)(&handle, &keyval, &state, &value, &copied, flag, &code);
    }
    *(MPI_Aint*)to = copied;
    return code;
}

static int delete_attribute(void* object, int keyval, void* attribute, void* extra_state) {
    struct record* const record = extra_state;
    MPI_Fint handle = dvm_to_int(object);
    MPI_Fint code = MPI_SUCCESS;
    MPI_Aint value = (MPI_Aint)attribute;
    MPI_Aint state = record->extra_state;
    if (record->narrow) {
        MPI_Fint narrow_state = (MPI_Fint)state;
        MPI_Fint narrow_value = (MPI_Fint)value;
        ((delete_narrow)record->delete)(&handle, &keyval, &narrow_value, &narrow_state, &code);
    } else {
        ((delete_wide)record->delete)(&handle, &keyval, &value, &state, &code);
    }
    return code;
}

/* A call of the library's, by one for whom attributes are integers. */
#define BY_FORTRAN(call) (dvm_integer_attributes = true, end_by_fortran(call))
static int end_by_fortran(int result) {
    dvm_integer_attributes = false;
    return result;
}

/* ---- keyvals ---- */

static struct record* new_record(any_function copy, any_function delete, MPI_Aint extra_state, int narrow) {
    struct record* const record = malloc(sizeof *record);
    if (record != NULL) *record = (struct record){copy, delete, extra_state, narrow};
    return record;
}

/* The two functions take any kind of handle: a pointer is passed the same way whatever it points to. */
#define DVF_CREATE_KEYVAL(kind, lower)                                                                              \
    void pmpi_##lower##_create_keyval_(any_function copy, any_function delete, MPI_Fint* keyval,                    \
                                       const MPI_Aint* extra_state, MPI_Fint* ierror);                              \
    DVF_ALIAS(lower##_create_keyval)                                                                                \
    void pmpi_##lower##_create_keyval_(any_function copy, any_function delete, MPI_Fint* keyval,                    \
                                       const MPI_Aint* extra_state, MPI_Fint* ierror) {                             \
        struct record* const record = new_record(copy, delete, *extra_state, 0);                                    \
        dvf_return(ierror, record == NULL ? MPI_ERR_NO_MEM                                                          \
                                          : BY_FORTRAN(PMPI_##kind##_create_keyval(                                 \
                                                (MPI_##kind##_copy_attr_function*)(any_function)copy_attribute,     \
                                                (MPI_##kind##_delete_attr_function*)(any_function)delete_attribute, \
                                                keyval, record)));                                                  \
    }

DVF_CREATE_KEYVAL(Comm, comm)
DVF_CREATE_KEYVAL(Type, type)
DVF_CREATE_KEYVAL(Win, win)

void pmpi_keyval_create_(any_function copy, any_function delete, MPI_Fint* keyval, const MPI_Fint* extra_state,
                         MPI_Fint* ierror);
DVF_ALIAS(keyval_create)
void pmpi_keyval_create_(any_function copy, any_function delete, MPI_Fint* keyval, const MPI_Fint* extra_state,
                         MPI_Fint* ierror) {
    struct record* const record = new_record(copy, delete, *extra_state, 1);
    dvf_return(ierror, record == NULL
                           ? MPI_ERR_NO_MEM
                           : BY_FORTRAN(PMPI_Comm_create_keyval(
                                 (MPI_Comm_copy_attr_function*)(any_function)copy_attribute,
                                 (MPI_Comm_delete_attr_function*)(any_function)delete_attribute, keyval, record)));
}

/* ---- values ---- */

/* What C gets for a predefined attribute is the address of an int, Fortran gets the int. */
static MPI_Aint value_of(int keyval, void* attribute) {
    if (keyval == MPI_WIN_SIZE) return *(MPI_Aint*)attribute;
    const int predefined =
        (keyval >= MPI_TAG_UB && keyval <= MPI_UNIVERSE_SIZE) || (keyval > MPI_WIN_BASE && keyval <= MPI_WIN_MODEL);
    return predefined ? *(int*)attribute : (MPI_Aint)attribute;
}

#define DVF_ATTRIBUTES(kind, lower)                                                                                \
    void pmpi_##lower##_set_attr_(const MPI_Fint* object, const MPI_Fint* keyval, const MPI_Aint* value,           \
                                  MPI_Fint* ierror);                                                               \
    DVF_ALIAS(lower##_set_attr)                                                                                    \
    void pmpi_##lower##_set_attr_(const MPI_Fint* object, const MPI_Fint* keyval, const MPI_Aint* value,           \
                                  MPI_Fint* ierror) {                                                              \
        dvf_return(ierror, BY_FORTRAN(PMPI_##kind##_set_attr(dvm_from_int(*object), *keyval, (void*)*value)));     \
    }                                                                                                              \
    void pmpi_##lower##_get_attr_(const MPI_Fint* object, const MPI_Fint* keyval, MPI_Aint* value, MPI_Fint* flag, \
                                  MPI_Fint* ierror);                                                               \
    DVF_ALIAS(lower##_get_attr)                                                                                    \
    void pmpi_##lower##_get_attr_(const MPI_Fint* object, const MPI_Fint* keyval, MPI_Aint* value, MPI_Fint* flag, \
                                  MPI_Fint* ierror) {                                                              \
        void* attribute = NULL;                                                                                    \
        const int code = BY_FORTRAN(PMPI_##kind##_get_attr(dvm_from_int(*object), *keyval, &attribute, flag));     \
        if (code == MPI_SUCCESS && *flag) *value = value_of(*keyval, attribute);                                   \
        dvf_return(ierror, code);                                                                                  \
    }

DVF_ATTRIBUTES(Comm, comm)
DVF_ATTRIBUTES(Type, type)
DVF_ATTRIBUTES(Win, win)

void pmpi_attr_put_(const MPI_Fint* comm, const MPI_Fint* keyval, const MPI_Fint* value, MPI_Fint* ierror);
DVF_ALIAS(attr_put)
void pmpi_attr_put_(const MPI_Fint* comm, const MPI_Fint* keyval, const MPI_Fint* value, MPI_Fint* ierror) {
    const MPI_Aint wide = *value;
    pmpi_comm_set_attr_(comm, keyval, &wide, ierror);
}

void pmpi_attr_get_(const MPI_Fint* comm, const MPI_Fint* keyval, MPI_Fint* value, MPI_Fint* flag, MPI_Fint* ierror);
DVF_ALIAS(attr_get)
void pmpi_attr_get_(const MPI_Fint* comm, const MPI_Fint* keyval, MPI_Fint* value, MPI_Fint* flag, MPI_Fint* ierror) {
    MPI_Aint wide = *value;
    pmpi_comm_get_attr_(comm, keyval, &wide, flag, ierror);
    *value = (MPI_Fint)wide;
}

/* ---- the predefined functions, as a program names them when it makes a keyval ---- */

#define DVF_PREDEFINED(prefix, type)                                                                                  \
    void mpi_##prefix##null_copy_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* state, type* from, type* to,           \
                                     MPI_Fint* flag, MPI_Fint* ierror);                                               \
    void mpi_##prefix##null_copy_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* state, type* from, type* to,           \
                                     MPI_Fint* flag, MPI_Fint* ierror) {                                              \
        (void)handle, (void)keyval, (void)state, (void)from, (void)to;                                                \
        *flag = 0;                                                                                                    \
        *ierror = MPI_SUCCESS;                                                                                        \
    }                                                                                                                 \
    void mpi_##prefix##dup_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* state, type* from, type* to, MPI_Fint* flag, \
                               MPI_Fint* ierror);                                                                     \
    void mpi_##prefix##dup_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* state, type* from, type* to, MPI_Fint* flag, \
                               MPI_Fint* ierror) {                                                                    \
        (void)handle, (void)keyval, (void)state;                                                                      \
        *to = *from;                                                                                                  \
        *flag = 1;                                                                                                    \
        *ierror = MPI_SUCCESS;                                                                                        \
    }                                                                                                                 \
    void mpi_##prefix##null_delete_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* value, type* state,                  \
                                       MPI_Fint* ierror);                                                             \
    void mpi_##prefix##null_delete_fn_(MPI_Fint* handle, MPI_Fint* keyval, type* value, type* state,                  \
                                       MPI_Fint* ierror) {                                                            \
        (void)handle, (void)keyval, (void)value, (void)state;                                                         \
        *ierror = MPI_SUCCESS;                                                                                        \
    }

DVF_PREDEFINED(comm_, MPI_Aint)
DVF_PREDEFINED(type_, MPI_Aint)
DVF_PREDEFINED(win_, MPI_Aint)
DVF_PREDEFINED(, MPI_Fint)
