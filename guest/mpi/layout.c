#include "layout.h"

#include <stdlib.h>
#include <string.h>

struct dvm_run dvm_run_none(void) {
    return (struct dvm_run){0};
}

struct dvm_run dvm_run_bytes(int64_t length) {
    return (struct dvm_run){.count = length == 0 ? 0 : 1, .length = length};
}

int64_t dvm_run_size(const struct dvm_run* run) {
    return run->count * run->length;
}

void dvm_run_retain(const struct dvm_run* run) {
    if (run->each != NULL) ++run->each->references;
}

void dvm_run_release(const struct dvm_run* run) {
    struct dvm_list* const list = run->each;
    if (list == NULL || --list->references != 0) return;
    for (int64_t i = 0; i < list->count; ++i) dvm_run_release(&list->runs[i]);
    free(list);
}

/* ---- building ---- */

/* Takes over the references of `runs`. NULL: no memory, or too deep. */
static struct dvm_list* make_list(const struct dvm_run* runs, int64_t count) {
    struct dvm_list* const list = malloc(sizeof *list + (size_t)count * sizeof *runs);
    int depth = 0;
    for (int64_t i = 0; i < count; ++i)
        if (runs[i].each != NULL && runs[i].each->depth > depth) depth = runs[i].each->depth;
    if (list == NULL || depth >= DVM_DEPTH_MAX) {
        for (int64_t i = 0; i < count; ++i) dvm_run_release(&runs[i]);
        free(list);
        return NULL;
    }
    list->references = 1;
    list->depth = depth + 1;
    list->size = 0;
    list->count = count;
    list->runs = (struct dvm_run*)(void*)(list + 1);
    for (int64_t i = 0; i < count; ++i) {
        list->runs[i] = runs[i];
        list->runs[i].start = list->size;
        list->size += dvm_run_size(&runs[i]);
    }
    return list;
}

static void close_gaps(struct dvm_run* run) {
    if (run->each != NULL || (run->count > 1 && run->stride != run->length)) return;
    run->length *= run->count;
    run->count = 1;
}

int dvm_run_repeat(struct dvm_run* run, int64_t count, int64_t stride) {
    if (run->count == 0 || count == 0) {
        dvm_run_release(run);
        *run = dvm_run_none();
        return 1;
    }
    if (count == 1) return 1;
    int64_t covered = 0;
    if (run->count > 1 && (__builtin_mul_overflow(run->stride, run->count, &covered) || covered != stride)) {
        struct dvm_list* const list = make_list(run, 1);
        if (list == NULL) return 0;
        *run = (struct dvm_run){.count = 1, .length = list->size, .each = list};
    }
    if (run->count == 1) run->stride = stride;
    run->count *= count;
    close_gaps(run);
    return 1;
}

/* Appends the bytes of `next` to `run` where they follow in memory. */
static int absorb(struct dvm_run* run, const struct dvm_run* next) {
    if (run->each != NULL || next->each != NULL || run->count != 1 || next->count != 1 ||
        run->at + run->length != next->at)
        return 0;
    run->length += next->length;
    return 1;
}

/* Takes `next` for one more copy of `run` where it is that. */
static int continues(struct dvm_run* run, const struct dvm_run* next) {
    if (run->each != next->each || run->length != next->length || next->count != 1) return 0;
    if (run->count > 1 && next->at - run->at != run->count * run->stride) return 0;
    if (run->count == 1) run->stride = next->at - run->at;
    ++run->count;
    dvm_run_release(next);
    return 1;
}

/* In two steps, since a byte that is taken for a copy of the one before can no longer be the beginning of a longer row.
 */
static int64_t simplify(struct dvm_run* runs, int64_t count) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count; ++i)
        if (runs[i].count != 0 && (kept == 0 || !absorb(&runs[kept - 1], &runs[i]))) runs[kept++] = runs[i];
    count = kept;
    kept = 0;
    for (int64_t i = 0; i < count; ++i)
        if (kept == 0 || !continues(&runs[kept - 1], &runs[i])) runs[kept++] = runs[i];
    return kept;
}

int dvm_run_join(struct dvm_run* runs, int64_t count, struct dvm_run* joined) {
    count = simplify(runs, count);
    *joined = count == 0 ? dvm_run_none() : runs[0];
    if (count <= 1) return 1;
    struct dvm_list* const list = make_list(runs, count);
    if (list == NULL) return 0;
    *joined = (struct dvm_run){.count = 1, .length = list->size, .each = list};
    return 1;
}

/* ---- copying ---- */

/* One walk serves both directions: what differs is the innermost copy. Memory and stream come as plain pointers, and
 * only the destination is written. */
static inline void copy(char* memory, char* stream, size_t bytes, bool into_memory) {
    if (into_memory)
        memcpy(memory, stream, bytes);
    else
        memcpy(stream, memory, bytes);
}

/* Whole copies of a size that the compiler knows. */
#define COPY_ALL(BYTES)                                                          \
    case BYTES:                                                                  \
        for (int64_t i = 0; i < count; ++i, memory += stride, stream += (BYTES)) \
            copy(memory, stream, (BYTES), into_memory);                          \
        return

static void copy_all(char* memory, int64_t stride, size_t length, int64_t count, char* stream, bool into_memory) {
    switch (length) {
        COPY_ALL(1);
        COPY_ALL(2);
        COPY_ALL(4);
        COPY_ALL(8);
        COPY_ALL(12);
        COPY_ALL(16);
        COPY_ALL(24);
        COPY_ALL(32);
        default:
            for (int64_t i = 0; i < count; ++i, memory += stride, stream += length)
                copy(memory, stream, length, into_memory);
    }
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t walk_bytes(const struct dvm_run* run, char* memory, int64_t skip, char* stream, int64_t max,
                          bool into_memory) {
    int64_t index = 0;
    int64_t done = 0;
    if (skip != 0) {
        index = skip / run->length;
        skip %= run->length;
        if (skip != 0) {
            done = smaller(run->length - skip, max);
            copy(memory + index * run->stride + skip, stream, (size_t)done, into_memory);
            ++index;
        }
    }
    const int64_t whole = smaller(run->count - index, (max - done) / run->length);
    copy_all(memory + index * run->stride, run->stride, (size_t)run->length, whole, stream + done, into_memory);
    done += whole * run->length;
    index += whole;
    if (index == run->count || done == max) return done;
    copy(memory + index * run->stride, stream + done, (size_t)(max - done), into_memory);
    return max;
}

/* The run that has byte `skip` of the stream. */
static int64_t find_run(const struct dvm_list* list, int64_t skip) {
    int64_t low = 0;
    int64_t high = list->count - 1;
    while (low < high) {
        const int64_t middle = (low + high + 1) / 2;
        if (list->runs[middle].start <= skip)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int64_t walk_list(const struct dvm_list* list, char* memory, int64_t skip, char* stream, int64_t max,
                         bool into_memory) {
    int64_t i = skip == 0 ? 0 : find_run(list, skip);
    int64_t done = 0;
    for (skip -= list->runs[i].start; i < list->count && done < max; ++i, skip = 0)
        done += dvm_run_copy(&list->runs[i], memory, skip, stream + done, max - done, into_memory);
    return done;
}

int64_t dvm_run_copy(const struct dvm_run* run, char* memory, int64_t skip, char* stream, int64_t max,
                     bool into_memory) {
    if (run->count == 0) return 0;
    memory += run->at;
    if (run->each == NULL) return walk_bytes(run, memory, skip, stream, max, into_memory);
    int64_t index = skip / run->length;
    int64_t done = 0;
    for (skip %= run->length; index < run->count && done < max; ++index, skip = 0)
        done += walk_list(run->each, memory + index * run->stride, skip, stream + done, max - done, into_memory);
    return done;
}
