#include "attribute.h"

#include <stdlib.h>

#include "engine.h"

/* The functions of communicators', datatypes' and windows' keys differ in the type of the handle only, which is a
 * pointer in all three. */
typedef int (*copy_function)(void* handle, int keyval, void* extra, void* in, void* out, int* flag);
typedef int (*delete_function)(void* handle, int keyval, void* value, void* extra);

/* MPI_COMM_DUP_FN and its kin. */
#define DUP_FUNCTION ((copy_function)0x1)

enum kind { KEYVAL_FREE, KEYVAL_COMM, KEYVAL_TYPE, KEYVAL_WIN };

struct keyval {
    enum kind kind;
    bool freed;     /* by the program; goes with the last attribute */
    bool integers;  /* its functions are Fortran's */
    uint32_t users; /* attributes */
    copy_function copy;
    delete_function delete;
    void* extra;
};

struct dvm_attribute {
    struct dvm_attribute* next;
    int keyval;
    bool integer; /* set by Fortran */
    void* value;
};

_Thread_local bool dvm_integer_attributes;

#define FIRST_KEYVAL 0x1000
static struct keyval* keyvals;
static int keyval_count;

/* NULL: not a key of this kind. One that was freed, even twice, lives as long as anything is attached by it. */
static struct keyval* keyval_of(int keyval, enum kind kind) {
    const int index = keyval - FIRST_KEYVAL;
    return index >= 0 && index < keyval_count && keyvals[index].kind == kind ? &keyvals[index] : NULL;
}

static int find_free_keyval(void) {
    for (int i = 0; i < keyval_count; ++i)
        if (keyvals[i].kind == KEYVAL_FREE) return i;
    struct keyval* const more = realloc(keyvals, ((size_t)keyval_count + 1) * sizeof *more);
    if (more == NULL) return -1;
    keyvals = more;
    return keyval_count++;
}

static int create_keyval(enum kind kind, copy_function copy, delete_function delete, int* keyval, void* extra,
                         const char* call) {
    const int index = find_free_keyval();
    if (index < 0) return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for an attribute key");
    const struct keyval made = {kind, false, dvm_integer_attributes, 0, copy, delete, extra};
    keyvals[index] = made;
    *keyval = FIRST_KEYVAL + index;
    return MPI_SUCCESS;
}

static void drop_unused(struct keyval* keyval) {
    if (keyval->freed && keyval->users == 0) keyval->kind = KEYVAL_FREE;
}

static int free_keyval(enum kind kind, int* keyval, const char* call) {
    struct keyval* const found = keyval_of(*keyval, kind);
    if (found == NULL) return dvm_error(NULL, MPI_ERR_KEYVAL, call, "the key %d is none of this kind", *keyval);
    found->freed = true;
    drop_unused(found);
    *keyval = MPI_KEYVAL_INVALID;
    return MPI_SUCCESS;
}

/* ---- the attributes of an object ---- */

static struct dvm_attribute** find(struct dvm_attribute** attributes, int keyval) {
    while (*attributes != NULL && (*attributes)->keyval != keyval) attributes = &(*attributes)->next;
    return attributes;
}

/* As C sees it, or (`integers`) Fortran. */
static void* seen(struct dvm_attribute* attribute, bool integers) {
    return attribute->integer && !integers ? &attribute->value : attribute->value;
}

static int call_delete(struct dvm_attribute* attribute, void* handle) {
    const struct keyval* const keyval = &keyvals[attribute->keyval - FIRST_KEYVAL];
    if (keyval->delete == NULL) return MPI_SUCCESS;
    return keyval->delete (handle, attribute->keyval, seen(attribute, keyval->integers), keyval->extra);
}

static int attach(struct dvm_attribute** attributes, int keyval, void* value, bool integer) {
    struct dvm_attribute* const made = malloc(sizeof *made);
    if (made == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for an attribute");
    ++keyvals[keyval - FIRST_KEYVAL].users;
    made->next = *attributes;
    made->keyval = keyval;
    made->value = value;
    made->integer = integer;
    *attributes = made;
    return MPI_SUCCESS;
}

static void detach(struct dvm_attribute** place) {
    struct dvm_attribute* const gone = *place;
    struct keyval* const keyval = &keyvals[gone->keyval - FIRST_KEYVAL];
    *place = gone->next;
    free(gone);
    --keyval->users;
    drop_unused(keyval);
}

static int copy_one(struct dvm_attribute* attribute, struct dvm_attribute** to, void* handle) {
    const struct keyval keyval = keyvals[attribute->keyval - FIRST_KEYVAL];
    void* value = attribute->value;
    bool integer = attribute->integer;
    int flag = 1;
    if (keyval.copy == NULL) return MPI_SUCCESS;
    if (keyval.copy != DUP_FUNCTION) {
        flag = 0;
        integer = keyval.integers;
        void* const from = seen(attribute, integer);
        const int error = keyval.copy(handle, attribute->keyval, keyval.extra, from, &value, &flag);
        if (error != MPI_SUCCESS) return dvm_fail(error, "the copy function of attribute %d failed", attribute->keyval);
    }
    return flag ? attach(to, attribute->keyval, value, integer) : MPI_SUCCESS;
}

/* From the oldest on, so that the copies stand in the same order. */
int dvm_attributes_copy(struct dvm_attribute* from, struct dvm_attribute** to, void* handle) {
    if (from == NULL) return MPI_SUCCESS;
    const int error = dvm_attributes_copy(from->next, to, handle);
    return error == MPI_SUCCESS ? copy_one(from, to, handle) : error;
}

int dvm_attributes_delete(struct dvm_attribute** attributes, void* handle) {
    while (*attributes != NULL) {
        const int error = call_delete(*attributes, handle);
        if (error != MPI_SUCCESS)
            return dvm_fail(error, "the delete function of attribute %d failed", (*attributes)->keyval);
        detach(attributes);
    }
    return MPI_SUCCESS;
}

static int set(struct dvm_attribute** attributes, void* handle, int keyval, void* value) {
    struct dvm_attribute** const place = find(attributes, keyval);
    if (*place == NULL) return attach(attributes, keyval, value, dvm_integer_attributes);
    const int error = call_delete(*place, handle);
    if (error != MPI_SUCCESS) return dvm_fail(error, "the delete function of attribute %d failed", keyval);
    (*place)->value = value;
    (*place)->integer = dvm_integer_attributes;
    return MPI_SUCCESS;
}

static int delete_one(struct dvm_attribute** attributes, void* handle, int keyval) {
    struct dvm_attribute** const place = find(attributes, keyval);
    if (*place == NULL) return MPI_SUCCESS;
    const int error = call_delete(*place, handle);
    if (error != MPI_SUCCESS) return dvm_fail(error, "the delete function of attribute %d failed", keyval);
    detach(find(attributes, keyval));
    return MPI_SUCCESS;
}

/* ---- communicators ---- */

int PMPI_Comm_create_keyval(MPI_Comm_copy_attr_function* comm_copy_attr_fn,
                            MPI_Comm_delete_attr_function* comm_delete_attr_fn, int* comm_keyval, void* extra_state) {
    return create_keyval(KEYVAL_COMM, (copy_function)(void (*)(void))comm_copy_attr_fn,
                         (delete_function)(void (*)(void))comm_delete_attr_fn, comm_keyval, extra_state, DVM_CALL);
}
DVM_ALIAS(Comm_create_keyval);

int PMPI_Keyval_create(MPI_Copy_function* copy_fn, MPI_Delete_function* delete_fn, int* keyval, void* extra_state) {
    return create_keyval(KEYVAL_COMM, (copy_function)(void (*)(void))copy_fn,
                         (delete_function)(void (*)(void))delete_fn, keyval, extra_state, DVM_CALL);
}
DVM_ALIAS(Keyval_create);

int PMPI_Comm_free_keyval(int* comm_keyval) {
    return free_keyval(KEYVAL_COMM, comm_keyval, DVM_CALL);
}
DVM_ALIAS(Comm_free_keyval);

int PMPI_Keyval_free(int* keyval) {
    return free_keyval(KEYVAL_COMM, keyval, DVM_CALL);
}
DVM_ALIAS(Keyval_free);

/* The value of a predefined attribute; NULL: it is none. */
static void* predefined_value(int keyval) {
    static int tag_ub = DVM_TAG_MAX;
    static int io = MPI_PROC_NULL;
    static int host = MPI_PROC_NULL;
    static int wtime_is_global = 1;
    static int appnum = 0;
    static int last_used_code;
    static int universe_size;
    last_used_code = dvm_last_used_code();
    universe_size = (int)dvm.size;
    switch (keyval) {
        case MPI_TAG_UB: return &tag_ub;
        case MPI_IO: return &io;
        case MPI_HOST: return &host;
        case MPI_WTIME_IS_GLOBAL: return &wtime_is_global;
        case MPI_APPNUM: return &appnum;
        case MPI_LASTUSEDCODE: return &last_used_code;
        case MPI_UNIVERSE_SIZE: return &universe_size;
        default: return NULL;
    }
}

static int get_comm_attribute(MPI_Comm comm, int keyval, void* value, int* flag, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_COMM, call, "the communicator is none");
    void* const fixed = predefined_value(keyval);
    *flag = 1;
    if (fixed != NULL) {
        *(void**)value = fixed;
        return MPI_SUCCESS;
    }
    if (keyval_of(keyval, KEYVAL_COMM) == NULL)
        return dvm_error(object, MPI_ERR_KEYVAL, call, "the key %d is none of a communicator", keyval);
    struct dvm_attribute* const found = *find(&object->attributes, keyval);
    *flag = found != NULL;
    if (found != NULL) *(void**)value = seen(found, dvm_integer_attributes);
    return MPI_SUCCESS;
}

int PMPI_Comm_get_attr(MPI_Comm comm, int comm_keyval, void* attribute_val, int* flag) {
    return get_comm_attribute(comm, comm_keyval, attribute_val, flag, DVM_CALL);
}
DVM_ALIAS(Comm_get_attr);

int PMPI_Attr_get(MPI_Comm comm, int keyval, void* attribute_val, int* flag) {
    return get_comm_attribute(comm, keyval, attribute_val, flag, DVM_CALL);
}
DVM_ALIAS(Attr_get);

/* The checks of changing calls. */
static int check_comm_keyval(MPI_Comm comm, int keyval, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_COMM, call, "the communicator is none");
    if (predefined_value(keyval) != NULL)
        return dvm_error(object, MPI_ERR_KEYVAL, call, "the key %d is a predefined one, which cannot be changed",
                         keyval);
    if (keyval_of(keyval, KEYVAL_COMM) == NULL)
        return dvm_error(object, MPI_ERR_KEYVAL, call, "the key %d is none of a communicator", keyval);
    return MPI_SUCCESS;
}

static int set_comm_attribute(MPI_Comm comm, int keyval, void* value, const char* call) {
    int error = check_comm_keyval(comm, keyval, call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_comm* const object = dvm_comm_of(comm);
    error = set(&object->attributes, comm, keyval, value);
    return error == MPI_SUCCESS ? error : dvm_raise(object, error, call);
}

int PMPI_Comm_set_attr(MPI_Comm comm, int comm_keyval, void* attribute_val) {
    return set_comm_attribute(comm, comm_keyval, attribute_val, DVM_CALL);
}
DVM_ALIAS(Comm_set_attr);

int PMPI_Attr_put(MPI_Comm comm, int keyval, void* attribute_val) {
    return set_comm_attribute(comm, keyval, attribute_val, DVM_CALL);
}
DVM_ALIAS(Attr_put);

static int delete_comm_attribute(MPI_Comm comm, int keyval, const char* call) {
    int error = check_comm_keyval(comm, keyval, call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_comm* const object = dvm_comm_of(comm);
    error = delete_one(&object->attributes, comm, keyval);
    return error == MPI_SUCCESS ? error : dvm_raise(object, error, call);
}

int PMPI_Comm_delete_attr(MPI_Comm comm, int comm_keyval) {
    return delete_comm_attribute(comm, comm_keyval, DVM_CALL);
}
DVM_ALIAS(Comm_delete_attr);

int PMPI_Attr_delete(MPI_Comm comm, int keyval) {
    return delete_comm_attribute(comm, keyval, DVM_CALL);
}
DVM_ALIAS(Attr_delete);

/* ---- datatypes ---- */

int PMPI_Type_create_keyval(MPI_Type_copy_attr_function* type_copy_attr_fn,
                            MPI_Type_delete_attr_function* type_delete_attr_fn, int* type_keyval, void* extra_state) {
    return create_keyval(KEYVAL_TYPE, (copy_function)(void (*)(void))type_copy_attr_fn,
                         (delete_function)(void (*)(void))type_delete_attr_fn, type_keyval, extra_state, DVM_CALL);
}
DVM_ALIAS(Type_create_keyval);

int PMPI_Type_free_keyval(int* type_keyval) {
    return free_keyval(KEYVAL_TYPE, type_keyval, DVM_CALL);
}
DVM_ALIAS(Type_free_keyval);

static int check_type_keyval(MPI_Datatype datatype, int keyval, const char* call) {
    if (dvm_type_of(datatype) == NULL) return dvm_error(NULL, MPI_ERR_TYPE, call, "the datatype is none");
    if (keyval_of(keyval, KEYVAL_TYPE) == NULL)
        return dvm_error(NULL, MPI_ERR_KEYVAL, call, "the key %d is none of a datatype", keyval);
    return MPI_SUCCESS;
}

int PMPI_Type_get_attr(MPI_Datatype datatype, int type_keyval, void* attribute_val, int* flag) {
    const int error = check_type_keyval(datatype, type_keyval, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    struct dvm_attribute* const found = *find(&dvm_type_of(datatype)->attributes, type_keyval);
    *flag = found != NULL;
    if (found != NULL) *(void**)attribute_val = seen(found, dvm_integer_attributes);
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_get_attr);

int PMPI_Type_set_attr(MPI_Datatype datatype, int type_keyval, void* attribute_val) {
    int error = check_type_keyval(datatype, type_keyval, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    error = set(&dvm_type_of(datatype)->attributes, datatype, type_keyval, attribute_val);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Type_set_attr);

int PMPI_Type_delete_attr(MPI_Datatype datatype, int type_keyval) {
    int error = check_type_keyval(datatype, type_keyval, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    error = delete_one(&dvm_type_of(datatype)->attributes, datatype, type_keyval);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Type_delete_attr);

/* ---- windows: there are none yet, but their keys can be made ---- */

int PMPI_Win_create_keyval(MPI_Win_copy_attr_function* win_copy_attr_fn,
                           MPI_Win_delete_attr_function* win_delete_attr_fn, int* win_keyval, void* extra_state) {
    return create_keyval(KEYVAL_WIN, (copy_function)(void (*)(void))win_copy_attr_fn,
                         (delete_function)(void (*)(void))win_delete_attr_fn, win_keyval, extra_state, DVM_CALL);
}
DVM_ALIAS(Win_create_keyval);

int PMPI_Win_free_keyval(int* win_keyval) {
    return free_keyval(KEYVAL_WIN, win_keyval, DVM_CALL);
}
DVM_ALIAS(Win_free_keyval);
