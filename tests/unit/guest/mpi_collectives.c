/* Collectives against what their definitions say, in all three forms, on all sorts of communicators. */
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

enum { kMost = 64, kLarge = 20000 };

static MPI_Comm comm;
static int me;
static int count_of_ranks;

static int value(int of, int index) {
    return of * 1000 + index * 7 + 1;
}

static void fill(int* items, int count, int of) {
    for (int i = 0; i < count; ++i) items[i] = value(of, i);
}

static int filled(const int* items, int count, int of) {
    for (int i = 0; i < count; ++i)
        if (items[i] != value(of, i)) return 0;
    return 1;
}

static int* items(int count) {
    int* const memory = calloc((size_t)count + 1, sizeof(int));
    CHECK(memory != NULL);
    return memory;
}

static void broadcasts(int count) {
    int* const buffer = items(count);
    for (int root = 0; root < count_of_ranks; ++root) {
        memset(buffer, 0, (size_t)count * sizeof(int));
        if (me == root) fill(buffer, count, root);
        CHECK(MPI_Bcast(buffer, count, MPI_INT, root, comm) == MPI_SUCCESS);
        CHECK(filled(buffer, count, root));
        MPI_Request request;
        memset(buffer, 0, (size_t)count * sizeof(int));
        if (me == root) fill(buffer, count, root + 1);
        CHECK(MPI_Ibcast(buffer, count, MPI_INT, root, comm, &request) == MPI_SUCCESS);
        CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
        CHECK(filled(buffer, count, root + 1));
    }
    free(buffer);
}

/* Each rank has its turn at being the root, again and again, and nobody waits in between. */
static void broadcasts_by_turns(int count) {
    int* const buffer = items(count);
    for (int turn = 0; turn < 3 * count_of_ranks; ++turn) {
        const int root = turn % count_of_ranks;
        memset(buffer, 0, (size_t)count * sizeof(int));
        if (me == root) fill(buffer, count, turn);
        CHECK(MPI_Bcast(buffer, count, MPI_INT, root, comm) == MPI_SUCCESS);
        CHECK(filled(buffer, count, turn));
    }
    free(buffer);
}

static void gathers(int count) {
    int* const mine = items(count);
    int* const all = items(count * count_of_ranks);
    int* const back = items(count);
    for (int root = 0; root < count_of_ranks; ++root) {
        fill(mine, count, me);
        if (me == root) memcpy(all + me * count, mine, (size_t)count * sizeof(int));
        CHECK(MPI_Gather(me == root && root % 2 == 1 ? MPI_IN_PLACE : mine, count, MPI_INT, all, count, MPI_INT, root,
                         comm) == MPI_SUCCESS);
        for (int from = 0; me == root && from < count_of_ranks; ++from) CHECK(filled(all + from * count, count, from));
        CHECK(MPI_Scatter(all, count, MPI_INT, back, count, MPI_INT, root, comm) == MPI_SUCCESS);
        CHECK(filled(back, count, me));
    }
    free(mine);
    free(all);
    free(back);
}

/* Rank r has r + 1 items; there is a gap of one item after each block. */
static void vectors(void) {
    int counts[kMost];
    int at[kMost];
    int end = 0;
    for (int i = 0; i < count_of_ranks; ++i) {
        counts[i] = i + 1;
        at[i] = end;
        end += i + 2;
    }
    int* const mine = items(me + 1);
    int* const all = items(end);
    fill(mine, me + 1, me);
    CHECK(MPI_Gatherv(mine, me + 1, MPI_INT, all, counts, at, MPI_INT, 0, comm) == MPI_SUCCESS);
    for (int i = 0; me == 0 && i < count_of_ranks; ++i) CHECK(filled(all + at[i], counts[i], i));
    memset(mine, 0, sizeof(int));
    CHECK(MPI_Scatterv(all, counts, at, MPI_INT, mine, me + 1, MPI_INT, 0, comm) == MPI_SUCCESS);
    CHECK(filled(mine, me + 1, me));
    memset(all, 0, (size_t)end * sizeof(int));
    CHECK(MPI_Allgatherv(mine, me + 1, MPI_INT, all, counts, at, MPI_INT, comm) == MPI_SUCCESS);
    for (int i = 0; i < count_of_ranks; ++i) CHECK(filled(all + at[i], counts[i], i) && all[at[i] + counts[i]] == 0);
    free(mine);
    free(all);
}

static void allgathers(int count) {
    int* const mine = items(count);
    int* const all = items(count * count_of_ranks);
    fill(mine, count, me);
    CHECK(MPI_Allgather(mine, count, MPI_INT, all, count, MPI_INT, comm) == MPI_SUCCESS);
    for (int from = 0; from < count_of_ranks; ++from) CHECK(filled(all + from * count, count, from));
    memset(all, 0, (size_t)(count * count_of_ranks) * sizeof(int));
    memcpy(all + me * count, mine, (size_t)count * sizeof(int));
    CHECK(MPI_Allgather(MPI_IN_PLACE, 0, MPI_INT, all, count, MPI_INT, comm) == MPI_SUCCESS);
    for (int from = 0; from < count_of_ranks; ++from) CHECK(filled(all + from * count, count, from));
    free(mine);
    free(all);
}

static void alltoalls(int count) {
    int* const out = items(count * count_of_ranks);
    int* const in = items(count * count_of_ranks);
    MPI_Request request;
    for (int to = 0; to < count_of_ranks; ++to) fill(out + to * count, count, me * count_of_ranks + to);
    CHECK(MPI_Alltoall(out, count, MPI_INT, in, count, MPI_INT, comm) == MPI_SUCCESS);
    for (int from = 0; from < count_of_ranks; ++from)
        CHECK(filled(in + from * count, count, from * count_of_ranks + me));
    CHECK(MPI_Ialltoall(MPI_IN_PLACE, 0, MPI_INT, out, count, MPI_INT, comm, &request) == MPI_SUCCESS);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(memcmp(in, out, (size_t)(count * count_of_ranks) * sizeof(int)) == 0);
    free(out);
    free(in);
}

/* What goes to rank r are r + 1 items; of a type of its own, in bytes, with the general form. */
static void alltoalls_of_vectors(void) {
    int send_counts[kMost];
    int send_at[kMost];
    int receive_counts[kMost];
    int receive_at[kMost];
    MPI_Datatype types[kMost];
    int end = 0;
    for (int i = 0; i < count_of_ranks; ++i) {
        send_counts[i] = i + 1;
        send_at[i] = end;
        receive_counts[i] = me + 1;
        receive_at[i] = i * (me + 1);
        end += i + 1;
    }
    int* const out = items(end);
    int* const in = items(count_of_ranks * (me + 1));
    for (int i = 0; i < count_of_ranks; ++i) fill(out + send_at[i], i + 1, me * count_of_ranks + i);
    CHECK(MPI_Alltoallv(out, send_counts, send_at, MPI_INT, in, receive_counts, receive_at, MPI_INT, comm) ==
          MPI_SUCCESS);
    for (int i = 0; i < count_of_ranks; ++i) CHECK(filled(in + receive_at[i], me + 1, i * count_of_ranks + me));
    memset(in, 0, (size_t)(count_of_ranks * (me + 1)) * sizeof(int));
    for (int i = 0; i < count_of_ranks; ++i) {
        types[i] = MPI_INT;
        send_at[i] *= (int)sizeof(int);
        receive_at[i] *= (int)sizeof(int);
    }
    CHECK(MPI_Alltoallw(out, send_counts, send_at, types, in, receive_counts, receive_at, types, comm) == MPI_SUCCESS);
    for (int i = 0; i < count_of_ranks; ++i) CHECK(filled(in + i * (me + 1), me + 1, i * count_of_ranks + me));
    free(out);
    free(in);
}

/* No rank leaves before the last has entered: each writes when it enters, and all must have at the exit. */
static void barriers(void) {
    for (int i = 0; i < 50; ++i) {
        MPI_Request request;
        CHECK(MPI_Barrier(comm) == MPI_SUCCESS);
        CHECK(MPI_Ibarrier(comm, &request) == MPI_SUCCESS);
        CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    }
    double entered = 0;
    double last = 0;
    if (me == count_of_ranks - 1) usleep(20000);
    entered = MPI_Wtime();
    MPI_Barrier(comm);
    const double left = MPI_Wtime();
    MPI_Allreduce(&entered, &last, 1, MPI_DOUBLE, MPI_MAX, comm);
    CHECK(left >= last);
}

static void persistent(void) {
    int in = 0;
    int out = 0;
    MPI_Request requests[2];
    CHECK(MPI_Allreduce_init(&in, &out, 1, MPI_INT, MPI_SUM, comm, MPI_INFO_NULL, &requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Barrier_init(comm, MPI_INFO_NULL, &requests[1]) == MPI_SUCCESS);
    for (int i = 0; i < 5; ++i) {
        in = i + me;
        CHECK(MPI_Startall(2, requests) == MPI_SUCCESS && MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
        CHECK(out == i * count_of_ranks + count_of_ranks * (count_of_ranks - 1) / 2);
    }
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

/* Many under way at once, waited for in another order than they began in. */
static void overlapping(void) {
    enum { kAtOnce = 12 };
    MPI_Request requests[kAtOnce];
    int in[kAtOnce];
    int out[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i) {
        in[i] = i;
        MPI_Iallreduce(&in[i], &out[i], 1, MPI_INT, MPI_SUM, comm, &requests[i]);
    }
    for (int i = kAtOnce; i-- > 0;) {
        MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
        CHECK(out[i] == i * count_of_ranks);
    }
}

static void movements(void) {
    MPI_Comm_rank(comm, &me);
    MPI_Comm_size(comm, &count_of_ranks);
    static const int counts[] = {0, 1, 13, kLarge};
    for (int i = 0; i < 4; ++i) {
        broadcasts(counts[i]);
        broadcasts_by_turns(counts[i]);
        gathers(counts[i]);
        allgathers(counts[i]);
        alltoalls(counts[i] / 4);
    }
    vectors();
    alltoalls_of_vectors();
    barriers();
    persistent();
    overlapping();
}

/* Every rank has filled its ring to the next one, around. */
enum { kPending = 4096 };

void scenario_full_rings(void) {
    static MPI_Request sends[kPending];
    static int words[kPending];
    const int next = (rank + 1) % size;
    const int previous = (rank + size - 1) % size;
    int sent = 0;
    int gone = 1;
    while (gone && sent < kPending) {
        words[sent] = sent;
        CHECK(MPI_Isend(&words[sent], 1, MPI_INT, next, 1, MPI_COMM_WORLD, &sends[sent]) == MPI_SUCCESS);
        CHECK(MPI_Request_get_status(sends[sent++], &gone, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    }
    int all[kMost] = {0};
    int mine[kMost];
    for (int i = 0; i < size; ++i) mine[i] = 100 * rank + i;
    CHECK(MPI_Barrier(MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(MPI_Allreduce(&rank, all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    CHECK(all[0] == size * (size - 1) / 2);
    CHECK(MPI_Alltoall(mine, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD) == MPI_SUCCESS);
    for (int i = 0; i < size; ++i) CHECK(all[i] == 100 * i + rank);
    int theirs = 0;
    CHECK(MPI_Sendrecv(&sent, 1, MPI_INT, next, 2, &theirs, 1, MPI_INT, previous, 2, MPI_COMM_WORLD,
                       MPI_STATUS_IGNORE) == MPI_SUCCESS);
    for (int i = 0; i < theirs; ++i) {
        int word = -1;
        CHECK(MPI_Recv(&word, 1, MPI_INT, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE) == MPI_SUCCESS);
        CHECK(word == i);
    }
    CHECK(MPI_Waitall(sent, sends, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
}

void scenario_collectives(void) {
    comm = MPI_COMM_WORLD;
    movements();
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &comm);
    movements();
    MPI_Comm_free(&comm);
}

/* On a ring, also where both neighbours are one rank, or this one: what goes out to the right comes in from the left.
 */
void scenario_neighbours(void) {
    const int periodic = 1;
    const int left = (rank + size - 1) % size;
    const int right = (rank + 1) % size;
    int out[2] = {10 * rank, 10 * rank + 1};
    int in[2] = {-1, -1};
    MPI_Request request;
    MPI_Cart_create(MPI_COMM_WORLD, 1, &size, &periodic, 0, &comm);
    CHECK(MPI_Neighbor_alltoall(out, 1, MPI_INT, in, 1, MPI_INT, comm) == MPI_SUCCESS);
    CHECK(in[0] == 10 * left + 1 && in[1] == 10 * right);
    CHECK(MPI_Ineighbor_allgather(&rank, 1, MPI_INT, in, 1, MPI_INT, comm, &request) == MPI_SUCCESS);
    CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(in[0] == left && in[1] == right);
    MPI_Comm_free(&comm);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK(MPI_Neighbor_alltoall(out, 1, MPI_INT, in, 1, MPI_INT, MPI_COMM_WORLD) == MPI_ERR_TOPOLOGY);
}

/* ---- reductions ---- */

/* Matrices of 2 by 2: a product that is associative and not commutative. */
static void multiply(void* in, void* inout, int* len, MPI_Datatype* type) {
    int* const a = in;
    int* const b = inout;
    CHECK(*type != MPI_DATATYPE_NULL);
    for (int i = 0; i < *len; ++i) {
        const int* const x = a + 4 * i;
        int* const y = b + 4 * i;
        const int product[4] = {x[0] * y[0] + x[1] * y[2], x[0] * y[1] + x[1] * y[3], x[2] * y[0] + x[3] * y[2],
                                x[2] * y[1] + x[3] * y[3]};
        for (int k = 0; k < 4; ++k) y[k] = product[k] % 10007;
    }
}

static void matrix_of(int of, int* matrix) {
    const int numbers[4] = {1, of + 1, of % 3, 1};
    memcpy(matrix, numbers, sizeof numbers);
}

/* The product of the ranks' matrices from `first` to `last`. */
static void product_of(int first, int last, int* product) {
    int one = 1;
    MPI_Datatype type = MPI_INT;
    matrix_of(last, product);
    for (int i = last - 1; i >= first; --i) {
        int left[4];
        matrix_of(i, left);
        multiply(left, product, &one, &type);
    }
}

static void ordered(int count) {
    MPI_Datatype matrix;
    MPI_Op op;
    MPI_Type_contiguous(4, MPI_INT, &matrix);
    MPI_Type_commit(&matrix);
    MPI_Op_create(multiply, 0, &op);
    int* const mine = items(4 * count);
    int* const result = items(4 * count);
    int expected[4];
    for (int i = 0; i < count; ++i) matrix_of(me, mine + 4 * i);
    product_of(0, count_of_ranks - 1, expected);
    for (int root = 0; root < count_of_ranks; ++root) {
        CHECK(MPI_Reduce(mine, result, count, matrix, op, root, comm) == MPI_SUCCESS);
        for (int i = 0; me == root && i < count; ++i) CHECK(memcmp(result + 4 * i, expected, sizeof expected) == 0);
    }
    CHECK(MPI_Allreduce(mine, result, count, matrix, op, comm) == MPI_SUCCESS);
    for (int i = 0; i < count; ++i) CHECK(memcmp(result + 4 * i, expected, sizeof expected) == 0);
    CHECK(MPI_Scan(mine, result, count, matrix, op, comm) == MPI_SUCCESS);
    product_of(0, me, expected);
    for (int i = 0; i < count; ++i) CHECK(memcmp(result + 4 * i, expected, sizeof expected) == 0);
    CHECK(MPI_Exscan(mine, result, count, matrix, op, comm) == MPI_SUCCESS);
    if (me > 0) product_of(0, me - 1, expected);
    for (int i = 0; me > 0 && i < count; ++i) CHECK(memcmp(result + 4 * i, expected, sizeof expected) == 0);
    free(mine);
    free(result);
    MPI_Op_free(&op);
    MPI_Type_free(&matrix);
}

static int summed(const int* result, int count) {
    for (int i = 0; i < count; ++i)
        if (result[i] != 1000 * (count_of_ranks * (count_of_ranks - 1) / 2) + count_of_ranks * (i * 7 + 1)) return 0;
    return 1;
}

static void sums(int count) {
    int* const mine = items(count * count_of_ranks);
    int* const result = items(count * count_of_ranks);
    fill(mine, count, me);
    for (int root = 0; root < count_of_ranks; ++root) {
        fill(result, count, me);
        CHECK(MPI_Reduce(me == root && root % 2 == 0 ? MPI_IN_PLACE : mine, result, count, MPI_INT, MPI_SUM, root,
                         comm) == MPI_SUCCESS);
        CHECK(me != root || summed(result, count));
    }
    CHECK(MPI_Allreduce(mine, result, count, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS && summed(result, count));
    fill(result, count, me);
    CHECK(MPI_Allreduce(MPI_IN_PLACE, result, count, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS && summed(result, count));
    for (int i = 0; i < count_of_ranks; ++i) fill(mine + i * count, count, me);
    CHECK(MPI_Reduce_scatter_block(mine, result, count, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS);
    CHECK(summed(result, count));
    int counts[kMost];
    for (int i = 0; i < count_of_ranks; ++i) counts[i] = count;
    memcpy(result, mine, (size_t)(count * count_of_ranks) * sizeof(int));
    CHECK(MPI_Reduce_scatter(MPI_IN_PLACE, result, counts, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS);
    CHECK(summed(result, count));
    free(mine);
    free(result);
}

static void operations(void) {
    const struct {
        double number;
        int of;
    } mine = {(me * 7) % count_of_ranks, me};
    struct {
        double number;
        int of;
    } found;
    CHECK(MPI_Allreduce(&mine, &found, 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm) == MPI_SUCCESS);
    CHECK((found.of * 7) % count_of_ranks == (int)found.number);
    const unsigned char bit = (unsigned char)(1u << (me % 8));
    unsigned char bits = 0;
    CHECK(MPI_Allreduce(&bit, &bits, 1, MPI_UNSIGNED_CHAR, MPI_BOR, comm) == MPI_SUCCESS);
    CHECK(bits == (count_of_ranks >= 8 ? 255 : (1 << count_of_ranks) - 1));
    const float complex_number[2] = {1, 1};
    float sum[2];
    CHECK(MPI_Allreduce(complex_number, sum, 1, MPI_C_FLOAT_COMPLEX, MPI_SUM, comm) == MPI_SUCCESS);
    CHECK(sum[0] == (float)count_of_ranks && sum[1] == (float)count_of_ranks);
    int lowest = 0;
    const int negative = -me;
    CHECK(MPI_Allreduce(&negative, &lowest, 1, MPI_INT, MPI_MIN, comm) == MPI_SUCCESS && lowest == 1 - count_of_ranks);
    int yes = me == 0;
    int any = 0;
    CHECK(MPI_Allreduce(&yes, &any, 1, MPI_LOGICAL, MPI_LXOR, comm) == MPI_SUCCESS && any == 1);
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    CHECK(MPI_Allreduce(&mine, &found, 1, MPI_DOUBLE_INT, MPI_SUM, comm) == MPI_ERR_OP);
    CHECK(MPI_Allreduce(&yes, &any, 1, MPI_FLOAT, MPI_BAND, comm) == MPI_ERR_OP);
    CHECK(MPI_Bcast(&yes, 1, MPI_INT, count_of_ranks, comm) == MPI_ERR_ROOT);
    CHECK(MPI_Bcast(&yes, -1, MPI_INT, 0, comm) == MPI_ERR_COUNT);
}

void scenario_reductions(void) {
    comm = MPI_COMM_WORLD;
    me = rank;
    count_of_ranks = size;
    static const int counts[] = {1, 13, kLarge};
    for (int i = 0; i < 3; ++i) {
        sums(counts[i]);
        ordered(counts[i] / 4 + 1);
    }
    operations();
}

/* ---- between groups ---- */

static int ends_of(int local, int remote, int* others) {
    MPI_Comm_size(comm, &local);
    MPI_Comm_remote_size(comm, &remote);
    *others = remote;
    return local;
}

static void between(int group) {
    int others = 0;
    const int ours = ends_of(0, 0, &others);
    int mine = 100 * group + me;
    int all[kMost];
    int sum = -1;
    CHECK(MPI_Barrier(comm) == MPI_SUCCESS);
    CHECK(MPI_Allgather(&mine, 1, MPI_INT, all, 1, MPI_INT, comm) == MPI_SUCCESS);
    for (int i = 0; i < others; ++i) CHECK(all[i] == 100 * (1 - group) + i);
    CHECK(MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS);
    CHECK(sum == 100 * (1 - group) * others + others * (others - 1) / 2);
    /* From the first of group 0 to group 1, and back from all. */
    const int root = group == 1 ? 0 : me == 0 ? MPI_ROOT : MPI_PROC_NULL;
    int word = root == MPI_ROOT ? 42 : 0;
    CHECK(MPI_Bcast(&word, 1, MPI_INT, root, comm) == MPI_SUCCESS);
    CHECK(group == 0 || word == 42);
    CHECK(MPI_Gather(&mine, 1, MPI_INT, all, 1, MPI_INT, root, comm) == MPI_SUCCESS);
    for (int i = 0; root == MPI_ROOT && i < others; ++i) CHECK(all[i] == 100 + i);
    CHECK(MPI_Reduce(&mine, &sum, 1, MPI_INT, MPI_SUM, root, comm) == MPI_SUCCESS);
    CHECK(root != MPI_ROOT || sum == 100 * others + others * (others - 1) / 2);
    int out[kMost];
    for (int i = 0; i < others; ++i) out[i] = 1000 * me + i;
    CHECK(MPI_Alltoall(out, 1, MPI_INT, all, 1, MPI_INT, comm) == MPI_SUCCESS);
    for (int i = 0; i < others; ++i) CHECK(all[i] == 1000 * i + me);
    /* Both groups have as many items in all: ours of `others` each. */
    int whole[kMost * kMost];
    int part[kMost];
    for (int i = 0; i < ours * others; ++i) whole[i] = i;
    CHECK(MPI_Reduce_scatter_block(whole, part, others, MPI_INT, MPI_SUM, comm) == MPI_SUCCESS);
    for (int i = 0; i < others; ++i) CHECK(part[i] == others * (me * others + i));
}

void scenario_intercommunicators(void) {
    MPI_Comm half;
    const int group = rank * 3 >= size;
    MPI_Comm_split(MPI_COMM_WORLD, group, rank, &half);
    const int first_of_other = group == 1 ? 0 : (size + 2) / 3;
    MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, first_of_other, 5, &comm);
    MPI_Comm_rank(comm, &me);
    between(group);
    MPI_Comm_free(&comm);
    MPI_Comm_free(&half);
}
