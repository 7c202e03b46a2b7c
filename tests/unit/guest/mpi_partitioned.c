/* Messages in partitions: a ring of ranks in which each sends to the next. */
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

enum { kItems = 3840, kRounds = 3 };

static int out[kItems];
static int in[2 * kItems];

static int next_rank(void) {
    return (rank + 1) % size;
}
static int last_rank(void) {
    return (rank + size - 1) % size;
}

static void fill(int round) {
    for (int i = 0; i < kItems; ++i) out[i] = rank * 1000000 + round * 10000 + i;
    memset(in, 0xff, sizeof in);
}

static int item_came(int round, int i, int at) {
    return in[at] == last_rank() * 1000000 + round * 10000 + i;
}

/* Marks them from the end, from both sides, or in stretches. */
static void mark(MPI_Request request, int partitions, int way) {
    int list[2];
    switch (way) {
        case 0:
            for (int i = partitions; i-- > 0;) CHECK(MPI_Pready(i, request) == MPI_SUCCESS);
            break;
        case 1:
            CHECK(MPI_Pready_range(partitions / 2, partitions - 1, request) == MPI_SUCCESS);
            CHECK(MPI_Pready_range(0, partitions / 2 - 1, request) == MPI_SUCCESS);
            break;
        default:
            for (int i = 0; i < partitions / 2; ++i) {
                list[0] = partitions - 1 - i;
                list[1] = i;
                CHECK(MPI_Pready_list(2, list, request) == MPI_SUCCESS);
            }
            if (partitions % 2 != 0) CHECK(MPI_Pready(partitions / 2, request) == MPI_SUCCESS);
    }
}

/* `step`: the receiver's items lie so many ints apart. */
static void rounds(int sent, int received, int step) {
    MPI_Request requests[2];
    MPI_Status statuses[2];
    MPI_Datatype type;
    MPI_Type_create_resized(MPI_INT, 0, (MPI_Aint)sizeof(int) * step, &type);
    MPI_Type_commit(&type);
    MPI_Psend_init(out, sent, kItems / sent, MPI_INT, next_rank(), 5, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]);
    MPI_Precv_init(in, received, kItems / received, type, last_rank(), 5, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]);
    for (int round = 0; round < kRounds; ++round) {
        fill(round);
        CHECK(MPI_Startall(2, requests) == MPI_SUCCESS);
        mark(requests[0], sent, round);
        for (int i = 0, flag = 0; i < received; ++i, flag = 0)
            while (!flag) CHECK(MPI_Parrived(requests[1], i, &flag) == MPI_SUCCESS);
        for (int i = 0; i < kItems; ++i) CHECK(item_came(round, i, i * step));
        CHECK(MPI_Waitall(2, requests, statuses) == MPI_SUCCESS);
        CHECK(statuses[1].MPI_SOURCE == last_rank() && statuses[1].MPI_TAG == 5);
        int count = 0;
        MPI_Get_count(&statuses[1], type, &count);
        CHECK(count == kItems);
    }
    CHECK(MPI_Request_free(&requests[0]) == MPI_SUCCESS && MPI_Request_free(&requests[1]) == MPI_SUCCESS);
    MPI_Type_free(&type);
}

/* A part is there before the rest is ready. */
static void early(void) {
    MPI_Request requests[2];
    int flag = 0;
    MPI_Precv_init(in, 4, kItems / 4, MPI_INT, last_rank(), 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]);
    MPI_Psend_init(out, 8, kItems / 8, MPI_INT, next_rank(), 1, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]);
    CHECK(MPI_Parrived(requests[1], 3, &flag) == MPI_SUCCESS && flag);
    fill(7);
    MPI_Startall(2, requests);
    MPI_Pready_range(2, 3, requests[0]);
    for (flag = 0; !flag;) MPI_Parrived(requests[1], 1, &flag);
    for (int i = kItems / 4; i < kItems / 2; ++i) CHECK(item_came(7, i, i));
    /* Nobody has marked the rest: all are still here. */
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Parrived(requests[1], 0, &flag);
    CHECK(!flag);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Pready_range(0, 1, requests[0]);
    MPI_Pready_range(4, 7, requests[0]);
    CHECK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

/* Those that are never started take their place in the order all the same; a message with the tag is another's. */
static void order(void) {
    MPI_Request sends[3];
    MPI_Request receives[3];
    int value = rank;
    int got = -1;
    for (int i = 0; i < 3; ++i) {
        MPI_Psend_init(out + i, 1, 1, MPI_INT, next_rank(), 9, MPI_COMM_WORLD, MPI_INFO_NULL, &sends[i]);
        MPI_Precv_init(in + i, 1, 1, MPI_INT, last_rank(), 9, MPI_COMM_WORLD, MPI_INFO_NULL, &receives[i]);
        if (i == 1) CHECK(MPI_Request_free(&sends[1]) == MPI_SUCCESS && MPI_Request_free(&receives[1]) == MPI_SUCCESS);
    }
    fill(1);
    for (int i = 2; i >= 0; i -= 2) {
        MPI_Start(&receives[i]);
        MPI_Start(&sends[i]);
        MPI_Pready(0, sends[i]);
    }
    MPI_Sendrecv(&value, 1, MPI_INT, next_rank(), 9, &got, 1, MPI_INT, last_rank(), 9, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    CHECK(got == last_rank());
    for (int i = 0; i < 3; i += 2) {
        MPI_Wait(&sends[i], MPI_STATUS_IGNORE);
        MPI_Wait(&receives[i], MPI_STATUS_IGNORE);
        CHECK(item_came(1, i, i));
        MPI_Request_free(&sends[i]);
        MPI_Request_free(&receives[i]);
    }
}

static void nowhere(void) {
    MPI_Request requests[2];
    MPI_Status statuses[2];
    int flag = 0;
    MPI_Psend_init(out, 3, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]);
    MPI_Precv_init(in, 3, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]);
    MPI_Startall(2, requests);
    CHECK(MPI_Pready(2, requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Parrived(requests[1], 0, &flag) == MPI_SUCCESS && flag);
    MPI_Waitall(2, requests, statuses);
    CHECK(statuses[1].MPI_SOURCE == MPI_PROC_NULL);
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

static int says(int code, int error_class, const char* words) {
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    return code == error_class && strstr(text, words) != NULL;
}

static void wrong(void) {
    MPI_Request requests[2];
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK(says(MPI_Precv_init(in, 1, 1, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, MPI_INFO_NULL, requests),
               MPI_ERR_RANK, "MPI_Precv_init: source MPI_ANY_SOURCE"));
    CHECK(says(MPI_Psend_init(out, -1, 1, MPI_INT, 0, 0, MPI_COMM_WORLD, MPI_INFO_NULL, requests), MPI_ERR_ARG,
               "MPI_Psend_init: argument partitions is -1"));
    MPI_Psend_init(out, 2, 2, MPI_INT, next_rank(), 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]);
    MPI_Precv_init(in, 2, 2, MPI_INT, last_rank(), 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]);
    CHECK(says(MPI_Pready(0, requests[0]), MPI_ERR_REQUEST, "MPI_Pready: the request is not active"));
    CHECK(says(MPI_Pready(0, requests[1]), MPI_ERR_REQUEST, "MPI_Pready: the request is no partitioned send"));
    MPI_Startall(2, requests);
    CHECK(says(MPI_Pready(2, requests[0]), MPI_ERR_ARG, "MPI_Pready: partition 2 of 2"));
    CHECK(MPI_Pready(1, requests[0]) == MPI_SUCCESS);
    CHECK(says(MPI_Pready(1, requests[0]), MPI_ERR_ARG, "MPI_Pready: partition 1 is ready already"));
    CHECK(says(MPI_Cancel(&requests[0]), MPI_ERR_REQUEST, "MPI_Cancel: partitioned"));
    CHECK(MPI_Pready(0, requests[0]) == MPI_SUCCESS);
    CHECK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
    MPI_Psend_init(out, 2, 3, MPI_INT, next_rank(), 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]);
    MPI_Precv_init(in, 2, 2, MPI_INT, last_rank(), 2, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]);
    MPI_Startall(2, requests);
    const char* const sizes = "have 24 bytes in all, those that receive them 16";
    CHECK(says(MPI_Wait(&requests[0], MPI_STATUS_IGNORE), MPI_ERR_COUNT, sizes));
    CHECK(says(MPI_Wait(&requests[1], MPI_STATUS_IGNORE), MPI_ERR_COUNT, sizes));
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
}

void scenario_partitioned(void) {
    static const int counts[][2] = {{1, 1}, {8, 8}, {1, 16}, {16, 1}, {16, 24}, {15, 8}, {1920, 60}, {3840, 3840}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
        for (int step = 1; step <= 2; ++step) rounds(counts[i][0], counts[i][1], step);
    early();
    order();
    nowhere();
    wrong();
}
