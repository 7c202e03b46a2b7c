/* What a handle points to: every object of ours begins with a `dvm_object`.
 *
 * Small handle values are predefined and point nowhere; each kind maps its own (dvm_comm_of and its siblings). Objects
 * come from pools that are never given back to malloc, so that a freed handle is recognized instead of being followed.
 */
#ifndef DVM_OBJECT_H
#define DVM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers that do not come about by accident. */
enum dvm_kind {
    DVM_FREED = 0x4d504900,
    DVM_COMM,
    DVM_GROUP,
    DVM_REQUEST,
    DVM_TYPE,
    DVM_OP,
    DVM_ERRHANDLER,
    DVM_INFO,
    DVM_MESSAGE,
    DVM_SESSION,
    DVM_KINDS,
};

struct dvm_object {
    uint32_t kind;
    int32_t references;
    int32_t number; /* what Fortran calls it; 0: nobody asked yet */
};

#define DVM_PREDEFINED_END 0x1000u

static inline bool dvm_is_predefined(const void* handle) {
    return (uintptr_t)handle < DVM_PREDEFINED_END;
}

/* Whether `handle` points to a living object of this kind. */
static inline bool dvm_is(const void* handle, enum dvm_kind kind) {
    return !dvm_is_predefined(handle) && (uintptr_t)handle % _Alignof(struct dvm_object) == 0 &&
           ((const struct dvm_object*)handle)->kind == (uint32_t)kind;
}

/* A zeroed object of `bytes` with one reference; NULL: no memory. One size a kind. */
void* dvm_new(enum dvm_kind kind, size_t bytes);
/* Marks it as freed and keeps its memory for the next of its kind. The caller has released what it owns. */
void dvm_delete(void* object);

static inline void dvm_retain(void* object) {
    ++((struct dvm_object*)object)->references;
}
/* Whether that was the last reference: then the caller takes it apart. */
static inline bool dvm_release(void* object) {
    return --((struct dvm_object*)object)->references == 0;
}

/* Handles as Fortran's integers: predefined ones by value, others by a number given on the first question. */
int dvm_to_int(const void* handle);
/* NULL: no such number. */
void* dvm_from_int(int number);

#endif
