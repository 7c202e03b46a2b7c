/* Where the bytes of a datatype lie: the form of it that messages are copied by.
 *
 * A run is `count` equal copies, `stride` bytes apart: of `length` bytes in a row, or of a list of runs. Adjacent bytes
 * are one copy and evenly spaced copies are one run, so a contiguous type is a single copy, a vector a single run, and
 * memory is spent on what the user spelt out, never on what a type covers. No run is empty; so a walk's work is bounded
 * by the bytes copied, however silly the type.
 *
 * *Owns*: lists are counted, and shared by all types built upon one another. */
#ifndef DIVISI_MPI_LAYOUT_H
#define DIVISI_MPI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lists within lists; walks recurse, on stacks that may be small. */
#define DVM_DEPTH_MAX 256

struct dvm_list;

struct dvm_run {
    int64_t at;            /* the first copy, from the type's origin */
    int64_t start;         /* packed bytes of its list before it */
    int64_t count;         /* 0 only for a type without bytes */
    int64_t stride;        /* between copies; may be negative */
    int64_t length;        /* packed bytes of a copy */
    struct dvm_list* each; /* NULL: a copy is `length` bytes */
};

struct dvm_list {
    int references;
    int depth;
    int64_t size; /* packed bytes */
    int64_t count;
    struct dvm_run* runs; /* in the same block of memory, where it is not static */
};

/* A run of no bytes. */
struct dvm_run dvm_run_none(void);
struct dvm_run dvm_run_bytes(int64_t length);
int64_t dvm_run_size(const struct dvm_run* run);
/* A reference more, or one less. */
void dvm_run_retain(const struct dvm_run* run);
void dvm_run_release(const struct dvm_run* run);

/* `count` copies of `run`, `stride` apart. Takes over the reference. 0: no memory, or too deep; the reference is gone.
 */
int dvm_run_repeat(struct dvm_run* run, int64_t count, int64_t stride);
/* The runs one after another, simplified. Takes over their references, and may change `runs`. 0: as above. */
int dvm_run_join(struct dvm_run* runs, int64_t count, struct dvm_run* joined);

/* Copies at most `max` bytes of the packed stream of `run`, from its byte `skip`, into memory or out of it. `origin`:
 * where the type's displacements count from. Only the destination is written. How many bytes were copied. */
int64_t dvm_run_copy(const struct dvm_run* run, char* memory, int64_t skip, char* stream, int64_t max,
                     bool into_memory);

#endif
