/* Datatypes as objects: their making out of parts, their life, and the copying of data by them. */
#include "datatype.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

/* What products of an attacker's numbers fit into before they are found to be too large. */
__extension__ typedef __int128 wide;

/* Displacements and sizes stay below, so that sums and differences of two never overflow. */
#define LIMIT ((wide)1 << 61)

struct dvm_type* dvm_type_of(MPI_Datatype handle) {
    if (dvm_is_predefined(handle)) return dvm_predefined(handle);
    return dvm_is(handle, DVM_TYPE) ? (struct dvm_type*)handle : NULL;
}

void dvm_type_retain(struct dvm_type* type) {
    if (!type->predefined) dvm_retain(type);
}

static void free_parts(struct dvm_part* parts, int64_t count) {
    for (int64_t i = 0; i < count; ++i) dvm_type_release(parts[i].type);
    free(parts);
}

void dvm_type_release(struct dvm_type* type) {
    if (type->predefined || !dvm_release(type)) return;
    dvm_run_release(&type->layout);
    free_parts(type->parts, type->part_count);
    struct dvm_envelope* const envelope = &type->envelope;
    for (int64_t i = 0; i < envelope->type_count; ++i) dvm_type_release(envelope->types[i]);
    free(envelope->types);
    free(envelope->integers.values);
    free(envelope->addresses.values);
    free(envelope->counts.values);
    free(type->given_name);
    /* Its handle may have been taken back already; the pool is that of types. */
    type->object.kind = DVM_TYPE;
    dvm_delete(type);
}

/* ---- bounds ---- */

/* Lower and upper bounds: as MPI defines them, and of the bytes alone. */
struct span {
    bool any; /* false: nothing yet */
    wide low;
    wide high;
};

static void widen(struct span* span, wide low, wide high) {
    if (!span->any || low < span->low) span->low = low;
    if (!span->any || high > span->high) span->high = high;
    span->any = true;
}

/* `span` and its copies up to the one `distance` further. */
static void stretch(struct span* span, wide distance) {
    if (distance < 0)
        span->low += distance;
    else
        span->high += distance;
}

static bool in_range(const struct span* span) {
    return span->low > -LIMIT && span->high < LIMIT;
}

struct sums {
    struct span bounds;
    struct span true_bounds;
    wide size;
    wide elements;
    bool bounded;
    bool mixed;
};

static bool add_part(struct dvm_type* type, const struct dvm_part* part, struct sums* sums) {
    const struct dvm_type* const item = part->type;
    if (part->count == 0 || (item->elements == 0 && !item->bounded)) return true;
    struct span span = {true, (wide)part->at + item->lb, (wide)part->at + item->lb + item->extent};
    struct span true_span = {true, (wide)part->at + item->true_lb, (wide)part->at + item->true_lb + item->true_extent};
    stretch(&span, (wide)(part->count - 1) * item->extent);
    stretch(&true_span, (wide)(part->count - 1) * item->extent);
    if (!in_range(&span) || !in_range(&true_span)) return false;
    /* Once a bound was set, only set bounds count. */
    if (item->bounded && !sums->bounded) sums->bounds.any = false;
    sums->bounded |= item->bounded;
    if (sums->bounded == (bool)item->bounded) widen(&sums->bounds, span.low, span.high);
    if (item->elements == 0) return true;
    widen(&sums->true_bounds, true_span.low, true_span.high);
    sums->size += (wide)part->count * item->size;
    sums->elements += (wide)part->count * item->elements;
    sums->mixed |= item->uniform == NULL || (type->uniform != NULL && type->uniform != item->uniform);
    type->uniform = item->uniform;
    if (item->alignment > type->alignment) type->alignment = item->alignment;
    return sums->size < LIMIT && sums->elements < LIMIT;
}

static bool repeat_sums(struct sums* sums, int64_t repeat, int64_t stride) {
    if (repeat == 0) *sums = (struct sums){0};
    if (repeat <= 1) return true;
    stretch(&sums->bounds, (wide)(repeat - 1) * stride);
    stretch(&sums->true_bounds, (wide)(repeat - 1) * stride);
    sums->size *= repeat;
    sums->elements *= repeat;
    return in_range(&sums->bounds) && in_range(&sums->true_bounds) && sums->size < LIMIT && sums->elements < LIMIT;
}

static void set_bounds(struct dvm_type* type, const struct sums* sums, const struct dvm_blueprint* blueprint) {
    type->lb = (int64_t)sums->bounds.low;
    type->extent = (int64_t)(sums->bounds.high - sums->bounds.low);
    if (blueprint->padded && !sums->bounded && type->alignment > 1)
        type->extent = (type->extent + type->alignment - 1) / type->alignment * type->alignment;
    if (blueprint->bounded) {
        type->lb = blueprint->lb;
        type->extent = blueprint->extent;
    }
    type->bounded = sums->bounded || blueprint->bounded;
    type->true_lb = (int64_t)sums->true_bounds.low;
    type->true_extent = (int64_t)(sums->true_bounds.high - sums->true_bounds.low);
    type->size = (int64_t)sums->size;
    type->elements = (int64_t)sums->elements;
    if (sums->mixed || type->elements == 0) type->uniform = NULL;
}

/* False: beyond what 64 bits can say. */
static bool measure(struct dvm_type* type, const struct dvm_blueprint* blueprint) {
    struct sums sums = {0};
    for (int64_t i = 0; i < type->part_count; ++i)
        if (!add_part(type, &type->parts[i], &sums)) return false;
    if (!repeat_sums(&sums, type->repeat, type->repeat_stride)) return false;
    set_bounds(type, &sums, blueprint);
    return true;
}

/* ---- layout ---- */

/* 0: no memory, or too deep. */
static int lay_out_part(const struct dvm_part* part, struct dvm_run* run) {
    *run = part->type->layout;
    dvm_run_retain(run);
    if (!dvm_run_repeat(run, part->count, part->type->extent)) {
        *run = dvm_run_none();
        return 0;
    }
    run->at += part->at;
    return 1;
}

static int lay_out(struct dvm_type* type) {
    struct dvm_run one;
    struct dvm_run* const runs = type->part_count > 1 ? malloc((size_t)type->part_count * sizeof *runs) : &one;
    if (runs == NULL) return 0;
    int good = 1;
    int64_t laid = 0;
    for (; laid < type->part_count && good; ++laid) good = lay_out_part(&type->parts[laid], &runs[laid]);
    if (good)
        good = dvm_run_join(runs, type->part_count, &type->layout);
    else
        for (int64_t i = 0; i < laid; ++i) dvm_run_release(&runs[i]);
    if (runs != &one) free(runs);
    if (good) good = dvm_run_repeat(&type->layout, type->repeat, type->repeat_stride);
    if (!good) type->layout = dvm_run_none();
    return good;
}

/* ---- making ---- */

static struct dvm_type* new_type(const struct dvm_blueprint* blueprint) {
    struct dvm_type* const type = dvm_new(DVM_TYPE, sizeof *type);
    if (type == NULL) {
        free(blueprint->parts);
        return NULL;
    }
    type->handle = (MPI_Datatype)(void*)type;
    type->handles = 1;
    type->name = "";
    type->alignment = 1;
    type->repeat = blueprint->repeat;
    type->repeat_stride = blueprint->repeat_stride;
    type->part_count = blueprint->part_count;
    type->parts = blueprint->parts;
    type->envelope.combiner = blueprint->combiner;
    type->envelope.large = blueprint->large;
    for (int64_t i = 0; i < type->part_count; ++i) {
        dvm_type_retain(type->parts[i].type);
        if (type->parts[i].type->depth >= type->depth) type->depth = type->parts[i].type->depth + 1;
    }
    return type;
}

int dvm_type_build(const struct dvm_blueprint* blueprint, struct dvm_type** built) {
    struct dvm_type* const type = new_type(blueprint);
    if (type == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
    int result = MPI_SUCCESS;
    if (type->depth > DVM_DEPTH_MAX)
        result = dvm_fail(MPI_ERR_TYPE, "datatypes are nested more than %d deep", DVM_DEPTH_MAX);
    else if (!measure(type, blueprint))
        result = dvm_fail(MPI_ERR_ARG, "the type would be larger than the address space");
    else if (!lay_out(type))
        result =
            dvm_fail(MPI_ERR_NO_MEM, "not enough memory for the datatype's %lld parts", (long long)type->part_count);
    if (result != MPI_SUCCESS) {
        dvm_type_release(type);
        return result;
    }
    type->contiguous = type->layout.each == NULL && type->layout.count <= 1 && type->layout.at == 0 && type->lb == 0 &&
                       type->extent == type->size;
    *built = type;
    return MPI_SUCCESS;
}

int dvm_blueprint_of_one(struct dvm_blueprint* blueprint, int combiner, int64_t repeat, int64_t stride,
                         struct dvm_part part) {
    struct dvm_part* const parts = malloc(sizeof *parts);
    if (parts == NULL) return 0;
    *parts = part;
    *blueprint = (struct dvm_blueprint){
        .combiner = combiner, .repeat = repeat, .repeat_stride = stride, .part_count = 1, .parts = parts};
    return 1;
}

/* ---- copying ---- */

int dvm_type_dense(const struct dvm_type* type, int64_t count, int64_t* offset) {
    const struct dvm_run* const run = &type->layout;
    *offset = run->at;
    return run->each == NULL && run->count <= 1 && (count <= 1 || type->extent == type->size || type->size == 0);
}

/* The items are one run over one item's run, where that takes no list of its own. */
static int64_t copy_items(const struct dvm_type* type, int64_t count, char* memory, int64_t skip, char* stream,
                          int64_t max, bool into_memory) {
    if (type->size == 0 || skip >= count * type->size) return 0;
    if (max > count * type->size - skip) max = count * type->size - skip;
    if (type->contiguous) {
        memcpy(into_memory ? memory + skip : stream, into_memory ? stream : memory + skip, (size_t)max);
        return max;
    }
    struct dvm_run run = type->layout;
    if (run.count == 1) {
        run.count = count;
        run.stride = type->extent;
        return dvm_run_copy(&run, memory, skip, stream, max, into_memory);
    }
    int64_t done = 0;
    int64_t item = skip / type->size;
    for (skip %= type->size; done < max; ++item, skip = 0)
        done += dvm_run_copy(&run, memory + item * type->extent, skip, stream + done, max - done, into_memory);
    return done;
}

int64_t dvm_pack(const struct dvm_type* type, int64_t count, const void* buffer, int64_t skip_bytes, void* out,
                 int64_t max_bytes) {
    /* SAFETY: out of memory, memory is only read. */
    return copy_items(type, count, (char*)(uintptr_t)buffer, skip_bytes, out, max_bytes, false);
}

int64_t dvm_unpack(const struct dvm_type* type, int64_t count, void* buffer, int64_t skip_bytes, const void* in,
                   int64_t max_bytes) {
    /* SAFETY: into memory, the stream is only read. */
    return copy_items(type, count, buffer, skip_bytes, (char*)(uintptr_t)in, max_bytes, true);
}

#define PIECE_BYTES 4096

void dvm_type_copy(const void* from, int64_t from_count, const struct dvm_type* from_type, void* to, int64_t to_count,
                   const struct dvm_type* to_type) {
    int64_t bytes = from_count * from_type->size;
    if (bytes > to_count * to_type->size) bytes = to_count * to_type->size;
    int64_t offset = 0;
    if (bytes == 0) return;
    if (dvm_type_dense(from_type, from_count, &offset)) {
        dvm_unpack(to_type, to_count, to, 0, (const char*)from + offset, bytes);
    } else if (dvm_type_dense(to_type, to_count, &offset)) {
        dvm_pack(from_type, from_count, from, 0, (char*)to + offset, bytes);
    } else {
        char piece[PIECE_BYTES];
        for (int64_t done = 0; done < bytes; done += PIECE_BYTES) {
            const int64_t now = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
            dvm_pack(from_type, from_count, from, done, piece, now);
            dvm_unpack(to_type, to_count, to, done, piece, now);
        }
    }
}
