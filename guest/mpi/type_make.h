/* What the constructors of datatypes share. */
#ifndef DVM_TYPE_MAKE_H
#define DVM_TYPE_MAKE_H

#include "datatype.h"
#include "internal.h"

/* Raises what a constructor or query found, if it found anything. */
static inline int dvm_type_done(int result, const char* call) {
    return result == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(NULL, result, call);
}

/* The type of a handle, or an error noted. */
int dvm_type_known(MPI_Datatype handle, struct dvm_type** type);

/* Ints as what large counts are. NULL: no memory, or no array where there must be one. */
int64_t* dvm_widened(const int* values, int64_t count);

/* Notes what the user said, for MPI_Type_get_contents. What is an int or an address goes among the counts where the
 * constructor is a large one. `good` becomes false without memory. */
struct dvm_noting {
    struct dvm_type* type;
    bool good;
};
void dvm_note_integers(struct dvm_noting* noting, const int* values, int64_t count);
void dvm_note_counts(struct dvm_noting* noting, const int64_t* values, int64_t count);
void dvm_note_addresses(struct dvm_noting* noting, const int64_t* values, int64_t count);
void dvm_note_type(struct dvm_noting* noting, struct dvm_type* type);
/* Hands the type out; without memory for the notes, it is taken apart again. */
int dvm_type_hand_out(const struct dvm_noting* noting, MPI_Datatype* handle);

#endif
