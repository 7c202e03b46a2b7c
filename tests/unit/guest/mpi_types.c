/* Datatypes against a plain model: a list of (displacement, bytes) that every constructor's definition gives. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

enum { kBytes = 1 << 16, kBlocks = 4096 };

/* A type and what it is by definition: its blocks of bytes in order, and its bounds. */
struct model {
    MPI_Datatype type;
    int count;
    int at[kBlocks]; /* of single bytes */
    int lb;
    int extent;
};

static unsigned seed = 1;

static int random_below(int limit) {
    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 8) % (unsigned)limit);
}

static void start_model(struct model* model) {
    static const struct {
        MPI_Datatype type;
        int bytes;
    } basic[] = {{MPI_CHAR, 1}, {MPI_SHORT, 2}, {MPI_INT, 4}, {MPI_DOUBLE, 8}};
    const int which = random_below(4);
    model->type = basic[which].type;
    model->count = basic[which].bytes;
    for (int i = 0; i < model->count; ++i) model->at[i] = i;
    model->lb = 0;
    model->extent = model->count;
}

/* Appends copies of `from` at displacements. 0: it would be too large. */
static int append(struct model* to, const struct model* from, int at, int copies) {
    for (int c = 0; c < copies; ++c)
        for (int i = 0; i < from->count; ++i) {
            if (to->count == kBlocks) return 0;
            to->at[to->count++] = at + c * from->extent + from->at[i];
        }
    return 1;
}

static void bound(struct model* to, const struct model* from, int at, int copies, int* high, int* any) {
    const int low = at + from->lb;
    const int end = at + from->lb + from->extent * copies;
    if (copies == 0) return;
    if (!*any || low < to->lb) to->lb = low;
    if (!*any || end > *high) *high = end;
    *any = 1;
}

static void wrap_vector(const struct model* old, struct model* made) {
    const int count = 1 + random_below(4);
    const int length = 1 + random_below(3);
    const int stride = length + random_below(3);
    int high = 0;
    int any = 0;
    CHECK(MPI_Type_vector(count, length, stride, old->type, &made->type) == MPI_SUCCESS);
    for (int i = 0; i < count; ++i) {
        append(made, old, i * stride * old->extent, length);
        bound(made, old, i * stride * old->extent, length, &high, &any);
    }
    made->extent = high - made->lb;
}

static void wrap_indexed(const struct model* old, struct model* made) {
    int lengths[4];
    int at[4];
    int next = random_below(3);
    int high = 0;
    int any = 0;
    const int count = 1 + random_below(4);
    for (int i = 0; i < count; ++i) {
        lengths[i] = random_below(3);
        at[i] = next;
        next += lengths[i] + random_below(2);
    }
    CHECK(MPI_Type_indexed(count, lengths, at, old->type, &made->type) == MPI_SUCCESS);
    for (int i = 0; i < count; ++i) {
        append(made, old, at[i] * old->extent, lengths[i]);
        bound(made, old, at[i] * old->extent, lengths[i], &high, &any);
    }
    made->extent = high - made->lb;
}

static void wrap_resized(const struct model* old, struct model* made) {
    const int more = random_below(9);
    CHECK(MPI_Type_create_resized(old->type, old->lb, old->extent + more, &made->type) == MPI_SUCCESS);
    append(made, old, 0, 1);
    made->lb = old->lb;
    made->extent = old->extent + more;
}

static void wrap_subarray(const struct model* old, struct model* made) {
    const int sizes[2] = {1 + random_below(4), 1 + random_below(4)};
    const int parts[2] = {1 + random_below(sizes[0]), 1 + random_below(sizes[1])};
    const int starts[2] = {random_below(sizes[0] - parts[0] + 1), random_below(sizes[1] - parts[1] + 1)};
    CHECK(MPI_Type_create_subarray(2, sizes, parts, starts, MPI_ORDER_C, old->type, &made->type) == MPI_SUCCESS);
    for (int row = 0; row < parts[0]; ++row)
        append(made, old, ((starts[0] + row) * sizes[1] + starts[1]) * old->extent, parts[1]);
    made->lb = 0;
    made->extent = sizes[0] * sizes[1] * old->extent;
}

static void check_bounds(const struct model* model) {
    MPI_Aint lb = 0;
    MPI_Aint extent = 0;
    int bytes = 0;
    MPI_Type_size(model->type, &bytes);
    MPI_Type_get_extent(model->type, &lb, &extent);
    CHECK(bytes == model->count && extent == model->extent && (model->count == 0 || lb == model->lb));
    if (model->count == 0) return;
    int low = model->at[0];
    int high = model->at[0];
    for (int i = 0; i < model->count; ++i) {
        if (model->at[i] < low) low = model->at[i];
        if (model->at[i] > high) high = model->at[i];
    }
    MPI_Type_get_true_extent(model->type, &lb, &extent);
    CHECK(lb == low && extent == high + 1 - low);
}

/* Packs items, compares with the model, and unpacks them elsewhere, all at once and through a message. */
static void check_copies(const struct model* model, int items) {
    static unsigned char memory[kBytes];
    static unsigned char other[kBytes];
    static unsigned char packed[kBytes];
    const int bytes = model->count * items;
    const int origin = 1024;
    int position = 0;
    for (int i = 0; i < kBytes; ++i) memory[i] = (unsigned char)random_below(256);
    memset(other, 0, sizeof other);
    CHECK(MPI_Pack(memory + origin, items, model->type, packed, bytes, &position, MPI_COMM_SELF) == MPI_SUCCESS);
    CHECK(position == bytes);
    for (int i = 0; i < items; ++i)
        for (int k = 0; k < model->count; ++k)
            CHECK(packed[i * model->count + k] == memory[origin + i * model->extent + model->at[k]]);
    position = 0;
    CHECK(MPI_Unpack(packed, bytes, &position, other + origin, items, model->type, MPI_COMM_SELF) == MPI_SUCCESS);
    for (int i = 0; i < items; ++i)
        for (int k = 0; k < model->count; ++k)
            CHECK(other[origin + i * model->extent + model->at[k]] == packed[i * model->count + k]);
    memset(other, 0, sizeof other);
    MPI_Status status;
    MPI_Sendrecv(memory + origin, items, model->type, rank, 1, other + origin, items, model->type, rank, 1,
                 MPI_COMM_WORLD, &status);
    for (int i = 0; i < items; ++i)
        for (int k = 0; k < model->count; ++k) {
            const int at = origin + i * model->extent + model->at[k];
            CHECK(other[at] == memory[at]);
        }
    int counted = -1;
    MPI_Get_count(&status, model->type, &counted);
    CHECK(model->count == 0 || counted == items);
}

static void random_type(void) {
    void (*const wraps[])(const struct model*, struct model*) = {wrap_vector, wrap_indexed, wrap_resized,
                                                                 wrap_subarray};
    static struct model models[2];
    int which = 0;
    start_model(&models[0]);
    const int depth = 1 + random_below(4);
    for (int i = 0; i < depth && models[which].count < 128; ++i) {
        struct model* const old = &models[which];
        struct model* const made = &models[1 - which];
        made->count = 0;
        made->lb = 0;
        made->extent = 0;
        wraps[random_below(4)](old, made);
        if (i != 0) MPI_Type_free(&old->type);
        which = 1 - which;
    }
    CHECK(MPI_Type_commit(&models[which].type) == MPI_SUCCESS);
    check_bounds(&models[which]);
    if (models[which].extent * 5 < kBytes - 4096) check_copies(&models[which], random_below(5));
    CHECK(MPI_Type_free(&models[which].type) == MPI_SUCCESS);
}

static void structs(void) {
    struct item {
        char letter;
        double number;
        int pair[2];
        short last;
    };
    const int lengths[] = {1, 1, 2, 1};
    const MPI_Aint at[] = {offsetof(struct item, letter), offsetof(struct item, number), offsetof(struct item, pair),
                           offsetof(struct item, last)};
    const MPI_Datatype types[] = {MPI_CHAR, MPI_DOUBLE, MPI_INT, MPI_SHORT};
    MPI_Datatype type;
    MPI_Aint lb = 0;
    MPI_Aint extent = 0;
    CHECK(MPI_Type_create_struct(4, lengths, at, types, &type) == MPI_SUCCESS);
    CHECK(MPI_Type_commit(&type) == MPI_SUCCESS);
    MPI_Type_get_extent(type, &lb, &extent);
    CHECK(lb == 0 && extent == (MPI_Aint)sizeof(struct item));
    struct item from[3] = {{'a', 1.5, {1, 2}, 3}, {'b', 2.5, {4, 5}, 6}, {'c', 3.5, {7, 8}, 9}};
    struct item to[3] = {{0}};
    MPI_Sendrecv(from, 3, type, rank, 0, to, 3, type, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 0; i < 3; ++i)
        CHECK(to[i].letter == from[i].letter && to[i].number == from[i].number && to[i].pair[1] == from[i].pair[1] &&
              to[i].last == from[i].last);
    int numbers[5];
    MPI_Aint addresses[4];
    MPI_Datatype inner[4];
    CHECK(MPI_Type_get_contents(type, 5, 4, 4, numbers, addresses, inner) == MPI_SUCCESS);
    CHECK(numbers[0] == 4 && numbers[3] == 2 && addresses[1] == at[1] && inner[3] == MPI_SHORT);
    MPI_Type_free(&type);
    CHECK(type == MPI_DATATYPE_NULL);
}

/* Every process's share of an array, put together, is the array. */
static void distributed_arrays(int order) {
    enum { kRows = 7, kColumns = 9, kGrid = 6 };
    const int sizes[] = {kRows, kColumns};
    const int grid[] = {2, 3};
    const int ways[][2] = {{MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC},
                           {MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_BLOCK}};
    const int arguments[][2] = {{MPI_DISTRIBUTE_DFLT_DARG, 2}, {3, MPI_DISTRIBUTE_DFLT_DARG}};
    int array[kRows * kColumns];
    for (int way = 0; way < 2; ++way) {
        int seen[kRows * kColumns] = {0};
        for (int i = 0; i < kRows * kColumns; ++i) array[i] = i;
        for (int process = 0; process < kGrid; ++process) {
            MPI_Datatype type;
            int mine[kRows * kColumns];
            int bytes = 0;
            int position = 0;
            CHECK(MPI_Type_create_darray(kGrid, process, 2, sizes, ways[way], arguments[way], grid, order, MPI_INT,
                                         &type) == MPI_SUCCESS);
            MPI_Type_commit(&type);
            MPI_Type_size(type, &bytes);
            CHECK(MPI_Pack(array, 1, type, mine, sizeof mine, &position, MPI_COMM_SELF) == MPI_SUCCESS);
            CHECK(position == bytes);
            for (int i = 0; i < bytes / 4; ++i) CHECK(i == 0 || mine[i] > mine[i - 1]);
            for (int i = 0; i < bytes / 4; ++i) ++seen[mine[i]];
            MPI_Type_free(&type);
        }
        for (int i = 0; i < kRows * kColumns; ++i) CHECK(seen[i] == 1);
    }
}

static void external(void) {
    const struct {
        double number;
        long wide;
    } from = {1.0, -2};
    const int lengths[] = {1, 1};
    const MPI_Aint at[] = {0, 8};
    const MPI_Datatype types[] = {MPI_DOUBLE, MPI_LONG};
    static const unsigned char expected[] = {0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe};
    unsigned char bytes[32] = {0};
    MPI_Aint position = 0;
    MPI_Datatype type;
    MPI_Type_create_struct(2, lengths, at, types, &type);
    MPI_Type_commit(&type);
    CHECK(MPI_Pack_external("external32", &from, 1, type, bytes, sizeof bytes, &position) == MPI_SUCCESS);
    CHECK(position == sizeof expected && memcmp(bytes, expected, sizeof expected) == 0);
    struct {
        double number;
        long wide;
    } to = {0, 0};
    position = 0;
    CHECK(MPI_Unpack_external("external32", bytes, sizeof expected, &position, &to, 1, type) == MPI_SUCCESS);
    CHECK(to.number == from.number && to.wide == from.wide);
    MPI_Type_free(&type);
}

/* A type stays while another is made of it, a message uses it, or its maker is asked for again; silly ones cost
 * nothing. */
static void lives(void) {
    MPI_Datatype inner;
    MPI_Datatype outer;
    MPI_Datatype again;
    int number = 0;
    MPI_Type_vector(2, 1, 2, MPI_INT, &inner);
    MPI_Type_contiguous(2, inner, &outer);
    const MPI_Datatype stale = inner;
    MPI_Type_free(&inner);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    CHECK(MPI_Type_size(stale, &number) == MPI_ERR_TYPE);
    CHECK(MPI_Type_get_contents(outer, 1, 0, 1, &number, NULL, &again) == MPI_SUCCESS);
    CHECK(MPI_Type_size(again, &number) == MPI_SUCCESS && number == 8);
    MPI_Type_free(&again);
    MPI_Type_free(&outer);
    MPI_Datatype tower = MPI_INT;
    for (int i = 0; i < 60; ++i) {
        const MPI_Datatype twice[] = {tower, tower};
        const int lengths[] = {0, 1};
        const MPI_Aint at[] = {0, 1 << 20};
        MPI_Datatype higher;
        CHECK(MPI_Type_create_struct(2, lengths, at, twice, &higher) == MPI_SUCCESS);
        if (i != 0) MPI_Type_free(&tower);
        tower = higher;
    }
    MPI_Type_size(tower, &number);
    CHECK(number == 4);
    MPI_Datatype vast;
    CHECK(MPI_Type_contiguous_c((MPI_Count)1 << 60, tower, &vast) != MPI_SUCCESS);
    MPI_Type_free(&tower);
    CHECK(MPI_Type_vector(-1, 1, 1, MPI_INT, &vast) == MPI_ERR_COUNT);
    CHECK(MPI_Type_contiguous(1, MPI_DATATYPE_NULL, &vast) == MPI_ERR_TYPE);
    vast = MPI_INT;
    CHECK(MPI_Type_free(&vast) == MPI_ERR_TYPE);
}

static void elements(void) {
    MPI_Datatype type;
    MPI_Status status;
    int count = 0;
    char buffer[64];
    int lengths[] = {1, 1};
    MPI_Aint at[] = {0, 8};
    MPI_Datatype types[] = {MPI_INT, MPI_DOUBLE};
    MPI_Type_create_struct(2, lengths, at, types, &type);
    MPI_Type_commit(&type);
    MPI_Sendrecv(buffer, 16, MPI_BYTE, rank, 0, buffer + 16, 2, type, rank, 0, MPI_COMM_WORLD, &status);
    MPI_Get_elements(&status, type, &count);
    CHECK(count == 3);
    MPI_Get_count(&status, type, &count);
    CHECK(count == MPI_UNDEFINED);
    MPI_Status_set_elements(&status, type, 3);
    MPI_Get_elements(&status, type, &count);
    CHECK(count == 3);
    MPI_Type_free(&type);
}

void scenario_types(void) {
    seed = 17u + (unsigned)rank;
    for (int i = 0; i < 400; ++i) random_type();
    structs();
    distributed_arrays(MPI_ORDER_C);
    distributed_arrays(MPI_ORDER_FORTRAN);
    external();
    elements();
    lives();
}
