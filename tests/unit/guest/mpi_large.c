/* Messages that are so large that both ends copy them, where they can reach each other's memory (guest/mpi/copying.c).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

static const int lengths[] = {65536, 65537, 300001, 4194304, 9000001};
#define LENGTHS ((int)(sizeof lengths / sizeof *lengths))
#define LONGEST 9000001

static unsigned char* filled(int length, int seed) {
    unsigned char* const bytes = malloc((size_t)length);
    CHECK(bytes != NULL);
    for (int i = 0; i < length; ++i) bytes[i] = (unsigned char)(i * 7 + i / 4093 + seed);
    return bytes;
}

static int came(const unsigned char* bytes, int length, int seed) {
    for (int i = 0; i < length; ++i)
        if (bytes[i] != (unsigned char)(i * 7 + i / 4093 + seed)) return 0;
    return 1;
}

/* Everyone sends and receives at the same time. */
static void round_the_ring(void) {
    unsigned char* const in = malloc(LONGEST + 1);
    for (int k = 0; k < LENGTHS; ++k) {
        MPI_Status status;
        int count = 0;
        unsigned char* const out = filled(lengths[k], rank);
        in[lengths[k]] = 77;
        MPI_Sendrecv(out, lengths[k], MPI_BYTE, (rank + 1) % size, k, in, LONGEST + 1, MPI_BYTE,
                     (rank + size - 1) % size, k, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_BYTE, &count);
        CHECK(count == lengths[k] && came(in, lengths[k], (rank + size - 1) % size) && in[lengths[k]] == 77);
        CHECK(came(out, lengths[k], rank));
        free(out);
    }
    free(in);
}

/* Offered long before they are received, more of them than can be lent at a time, and received in another order. */
static void many_at_once(void) {
    enum { kMessages = 50, kLength = 100001 };
    MPI_Request requests[kMessages];
    unsigned char* bytes[kMessages];
    if (rank > 1) return;
    for (int i = 0; i < kMessages; ++i) {
        bytes[i] = rank == 0 ? filled(kLength, i) : malloc(kLength);
        if (rank == 0) MPI_Isend(bytes[i], kLength, MPI_BYTE, 1, i, MPI_COMM_WORLD, &requests[i]);
    }
    for (int i = kMessages - 1; rank == 1 && i >= 0; --i)
        MPI_Irecv(bytes[i], kLength, MPI_BYTE, 0, i, MPI_COMM_WORLD, &requests[i]);
    CHECK(MPI_Waitall(kMessages, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    for (int i = 0; i < kMessages; ++i) {
        CHECK(came(bytes[i], kLength, i));
        free(bytes[i]);
    }
}

/* So many out of the same buffer, written anew each time, that whoever copies gives up and tries again. */
static void again_and_again(void) {
    enum { kMessages = 1500, kWords = 12503 };
    static uint64_t words[kWords];
    for (uint64_t message = 0; message < kMessages && rank < 2; ++message) {
        for (uint64_t i = 0; rank == 0 && i < kWords; ++i) words[i] = message * 1000003 + i;
        if (rank == 0) MPI_Send(words, kWords, MPI_UINT64_T, 1, 5, MPI_COMM_WORLD);
        if (rank == 1) MPI_Recv(words, kWords, MPI_UINT64_T, 0, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        uint64_t wrong = 0;
        for (uint64_t i = 0; i < kWords; ++i) wrong += words[i] != message * 1000003 + i;
        CHECK(wrong == 0);
    }
}

/* What has gaps on one side, or on both, is sent piece by piece. */
static void with_gaps(void) {
    enum { kBlocks = 50000 };
    MPI_Datatype sparse;
    static int dense_ints[kBlocks];
    static int sparse_ints[2 * kBlocks];
    if (rank > 1) return;
    MPI_Type_vector(kBlocks, 1, 2, MPI_INT, &sparse);
    MPI_Type_commit(&sparse);
    for (int round = 0; round < 3; ++round) {
        const int sends_sparse = round != 0;
        const int receives_sparse = round != 1;
        for (int i = 0; i < kBlocks; ++i) dense_ints[i] = sparse_ints[2 * i] = rank == 0 ? i + round : -1;
        if (rank == 0 && sends_sparse) MPI_Send(sparse_ints, 1, sparse, 1, 3, MPI_COMM_WORLD);
        if (rank == 0 && !sends_sparse) MPI_Send(dense_ints, kBlocks, MPI_INT, 1, 3, MPI_COMM_WORLD);
        if (rank == 1 && receives_sparse) MPI_Recv(sparse_ints, 1, sparse, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1 && !receives_sparse)
            MPI_Recv(dense_ints, kBlocks, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; i < kBlocks; ++i) CHECK((receives_sparse ? sparse_ints[2 * i] : dense_ints[i]) == i + round);
    }
    MPI_Type_free(&sparse);
}

/* Too long for its buffer; taken back; to oneself; synchronous. */
static void unusual_ends(void) {
    unsigned char* const out = filled(LONGEST, rank);
    unsigned char* const in = calloc(1, LONGEST);
    MPI_Request requests[2];
    MPI_Status status;
    int cancelled = 0;
    int answer = 0;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (rank == 0) {
        MPI_Send(out, LONGEST, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
        MPI_Isend(out, LONGEST, MPI_BYTE, 1, 2, MPI_COMM_WORLD, &requests[0]);
        MPI_Cancel(&requests[0]);
        MPI_Send(&answer, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
        MPI_Wait(&requests[0], &status);
        MPI_Test_cancelled(&status, &cancelled);
        CHECK(cancelled);
        MPI_Ssend(out, LONGEST, MPI_BYTE, 1, 2, MPI_COMM_WORLD);
    } else if (rank == 1) {
        int class = 0;
        MPI_Error_class(MPI_Recv(in, 200000, MPI_BYTE, 0, 1, MPI_COMM_WORLD, &status), &class);
        CHECK(class == MPI_ERR_TRUNCATE && came(in, 200000, 0) && in[200000] == 0);
        MPI_Recv(&answer, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Recv(in, LONGEST, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        CHECK(status.MPI_SOURCE == 0 && status.MPI_TAG == 2 && came(in, LONGEST, 0));
    }
    MPI_Isend(out, LONGEST, MPI_BYTE, rank, 4, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(in, LONGEST, MPI_BYTE, rank, 4, MPI_COMM_WORLD, &requests[1]);
    CHECK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS && came(in, LONGEST, rank));
    free(in);
    free(out);
}

static void collectively(void) {
    enum { kDoubles = 40000 };
    double* const numbers = malloc(kDoubles * sizeof *numbers);
    double* const sums = malloc(kDoubles * sizeof *sums);
    for (int i = 0; i < kDoubles; ++i) numbers[i] = i + rank;
    MPI_Allreduce(numbers, sums, kDoubles, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < kDoubles; ++i) CHECK(sums[i] == (double)size * i + size * (size - 1) / 2.0);
    MPI_Bcast(numbers, kDoubles, MPI_DOUBLE, size - 1, MPI_COMM_WORLD);
    for (int i = 0; i < kDoubles; ++i) CHECK(numbers[i] == i + size - 1);
    free(sums);
    free(numbers);
}

void scenario_large(void) {
    round_the_ring();
    if (size > 1) {
        many_at_once();
        again_and_again();
        with_gaps();
    }
    collectively();
    if (size > 1) unusual_ends();
}
