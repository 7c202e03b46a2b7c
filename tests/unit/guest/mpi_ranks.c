/* Scenarios of MPI programs that mpi_test.cpp runs as ranks: each checks itself. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

int rank;
int size;

static const int lengths[] = {0, 1, 8, 48, 49, 1000, 32768, 32769, 100000, 1000000};
#define LENGTHS ((int)(sizeof lengths / sizeof *lengths))
#define LONGEST 1000000

static unsigned char out[LONGEST];
static unsigned char in[LONGEST];

static void fill(int length, int seed) {
    for (int i = 0; i < length; ++i) out[i] = (unsigned char)(i * 7 + seed);
}

static int came(const unsigned char* bytes, int length, int seed) {
    for (int i = 0; i < length; ++i)
        if (bytes[i] != (unsigned char)(i * 7 + seed)) return 0;
    return 1;
}

static void start(int level) {
    int provided = MPI_THREAD_SINGLE;
    if (level == MPI_THREAD_SINGLE)
        CHECK(MPI_Init(NULL, NULL) == MPI_SUCCESS);
    else
        CHECK(MPI_Init_thread(NULL, NULL, level, &provided) == MPI_SUCCESS && provided == level);
    CHECK(MPI_Comm_rank(MPI_COMM_WORLD, &rank) == MPI_SUCCESS);
    CHECK(MPI_Comm_size(MPI_COMM_WORLD, &size) == MPI_SUCCESS);
}

/* ---- messages ---- */

static void ring(void) {
    const int to = (rank + 1) % size;
    const int from = (rank + size - 1) % size;
    for (int k = 0; k < LENGTHS; ++k) {
        MPI_Request requests[2];
        MPI_Status statuses[2];
        fill(lengths[k], rank);
        MPI_Irecv(in, LONGEST, MPI_BYTE, from, k, MPI_COMM_WORLD, &requests[0]);
        MPI_Isend(out, lengths[k], MPI_BYTE, to, k, MPI_COMM_WORLD, &requests[1]);
        CHECK(MPI_Waitall(2, requests, statuses) == MPI_SUCCESS);
        CHECK(statuses[0].MPI_SOURCE == from && statuses[0].MPI_TAG == k);
        CHECK(requests[0] == MPI_REQUEST_NULL && came(in, lengths[k], from));
        MPI_Sendrecv(out, lengths[k], MPI_BYTE, to, 1, in, LONGEST, MPI_BYTE, from, 1, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        CHECK(came(in, lengths[k], from));
        MPI_Sendrecv_replace(out, lengths[k], MPI_BYTE, to, 1, from, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(came(out, lengths[k], from));
    }
}

/* As they come: who is done with one length goes on to the next. */
static void any_source(void) {
    for (int k = 0; rank != 0 && k < LENGTHS; ++k) {
        fill(lengths[k], rank);
        CHECK(MPI_Ssend(out, lengths[k], MPI_BYTE, 0, k, MPI_COMM_WORLD) == MPI_SUCCESS);
    }
    int due[32] = {0};
    for (int i = 0; rank == 0 && i < LENGTHS * (size - 1); ++i) {
        MPI_Status status;
        MPI_Recv(in, LONGEST, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        CHECK(status.MPI_TAG == due[status.MPI_SOURCE]++);
        CHECK(came(in, lengths[status.MPI_TAG], status.MPI_SOURCE));
    }
}

static void all_to_all(void) {
    enum { kLength = 40000 };
    MPI_Request* const requests = malloc(2 * (size_t)size * sizeof *requests);
    unsigned char* const all = malloc((size_t)size * kLength);
    fill(kLength, rank);
    for (int i = 0; i < size; ++i) MPI_Isend(out, kLength, MPI_BYTE, i, 3, MPI_COMM_WORLD, &requests[size + i]);
    for (int i = 0; i < size; ++i)
        MPI_Irecv(all + (size_t)i * kLength, kLength, MPI_BYTE, i, 3, MPI_COMM_WORLD, &requests[i]);
    CHECK(MPI_Waitall(2 * size, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
    for (int i = 0; i < size; ++i) CHECK(came(all + (size_t)i * kLength, kLength, i));
    free(all);
    free(requests);
}

/* Rank 0 waits for both others, one of which waits for rank 0 before the other can send. */
static void answers_while_waiting(void) {
    int value = 0;
    MPI_Request both[2];
    for (int i = 0; i < 50 && size > 2; ++i) {
        if (rank == 0) {
            MPI_Irecv(in, 1, MPI_BYTE, 1, 8, MPI_COMM_WORLD, &both[0]);
            MPI_Irecv(in + 1, 1, MPI_BYTE, 2, 8, MPI_COMM_WORLD, &both[1]);
            CHECK(MPI_Waitall(2, both, MPI_STATUSES_IGNORE) == MPI_SUCCESS);
        }
        const int first = 1 + i % 2;
        if (rank == first) {
            MPI_Ssend(out, 1, MPI_BYTE, 0, 8, MPI_COMM_WORLD);
            MPI_Send(&value, 1, MPI_INT, 3 - first, 8, MPI_COMM_WORLD);
        } else if (rank == 3 - first) {
            MPI_Recv(&value, 1, MPI_INT, first, 8, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(out, 1, MPI_BYTE, 0, 8, MPI_COMM_WORLD);
        }
    }
}

static void messages(void) {
    answers_while_waiting();
    ring();
    all_to_all();
    any_source();
}

/* What comes first is what was sent first, among those that match; the order of tags is the receiver's to choose. */
static void order(void) {
    enum { kMessages = 300 };
    int value = -1;
    if (rank == 0) {
        for (int i = 0; i < kMessages; ++i) MPI_Send(&i, 1, MPI_INT, 1, i % 3, MPI_COMM_WORLD);
        MPI_Send(&value, 1, MPI_INT, 1, 9, MPI_COMM_WORLD);
    } else if (rank == 1) {
        MPI_Recv(&value, 1, MPI_INT, 0, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int tag = 2; tag > 0; --tag)
            for (int i = tag; i < kMessages; i += 3) {
                MPI_Recv(&value, 1, MPI_INT, 0, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                CHECK(value == i);
            }
        for (int i = 0; i < kMessages; i += 3) {
            MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            CHECK(value == i);
        }
    }
}

static void probes(void) {
    MPI_Status status;
    MPI_Message message;
    int flag = 1;
    if (rank == 0) {
        fill(50000, 1);
        for (int to = 1; to < size; ++to) MPI_Send(out, 50000, MPI_BYTE, to, 4, MPI_COMM_WORLD);
        return;
    }
    MPI_Iprobe(0, 5, MPI_COMM_WORLD, &flag, &status);
    CHECK(!flag);
    MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    CHECK(status.MPI_SOURCE == 0 && status.MPI_TAG == 4);
    MPI_Mprobe(0, 4, MPI_COMM_WORLD, &message, &status);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status);
    CHECK(!flag);
    MPI_Mrecv(in, LONGEST, MPI_BYTE, &message, &status);
    CHECK(message == MPI_MESSAGE_NULL && came(in, 50000, 1));
}

static void persistent(void) {
    MPI_Request requests[2];
    int sent = 0;
    int received = -1;
    MPI_Send_init(&sent, 1, MPI_INT, (rank + 1) % size, 1, MPI_COMM_WORLD, &requests[0]);
    MPI_Recv_init(&received, 1, MPI_INT, (rank + size - 1) % size, 1, MPI_COMM_WORLD, &requests[1]);
    for (int i = 0; i < 50; ++i) {
        sent = i * size + rank;
        MPI_Startall(2, requests);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        CHECK(received == i * size + (rank + size - 1) % size);
    }
    CHECK(MPI_Request_free(&requests[0]) == MPI_SUCCESS && MPI_Request_free(&requests[1]) == MPI_SUCCESS);
}

/* Both send first: what is buffered must go, however much it is. */
static void buffered(void) {
    const int there = size - 1 - rank;
    const int room = 4 * (LONGEST + MPI_BSEND_OVERHEAD);
    void* const buffer = malloc((size_t)room);
    void* detached = NULL;
    int detached_size = 0;
    MPI_Buffer_attach(buffer, room);
    fill(LONGEST, rank);
    for (int i = 0; i < 4; ++i) CHECK(MPI_Bsend(out, LONGEST, MPI_BYTE, there, i, MPI_COMM_WORLD) == MPI_SUCCESS);
    memset(out, 0, sizeof out);
    for (int i = 4; i-- > 0;) {
        MPI_Recv(in, LONGEST, MPI_BYTE, there, i, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(came(in, LONGEST, there));
    }
    MPI_Buffer_detach(&detached, &detached_size);
    CHECK(detached == buffer && detached_size == room);
    free(buffer);
}

static void cancelled(void) {
    MPI_Request request;
    MPI_Status status;
    int flag = 0;
    MPI_Irecv(in, 1, MPI_BYTE, MPI_ANY_SOURCE, 77, MPI_COMM_WORLD, &request);
    MPI_Cancel(&request);
    MPI_Wait(&request, &status);
    MPI_Test_cancelled(&status, &flag);
    CHECK(flag);
}

/* A send is cancelled or received, and never both; whichever it is, the receiver finds the same. */
static void one_of_both(int round) {
    const int length = lengths[round % LENGTHS];
    const int posted = round % 3 != 0;
    MPI_Request request;
    MPI_Status status;
    int flag = 0;
    if (rank == 0) {
        fill(length, round);
        if (round % 2 == 0)
            MPI_Isend(out, length, MPI_BYTE, 1, 5, MPI_COMM_WORLD, &request);
        else
            MPI_Issend(out, length, MPI_BYTE, 1, 5, MPI_COMM_WORLD, &request);
        MPI_Cancel(&request);
        MPI_Wait(&request, &status);
        MPI_Test_cancelled(&status, &flag);
        MPI_Send(&flag, 1, MPI_INT, 1, 6, MPI_COMM_WORLD);
    } else {
        if (posted) MPI_Irecv(in, LONGEST, MPI_BYTE, 0, 5, MPI_COMM_WORLD, &request);
        MPI_Recv(&flag, 1, MPI_INT, 0, 6, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (!posted) MPI_Irecv(in, LONGEST, MPI_BYTE, 0, 5, MPI_COMM_WORLD, &request);
        const int cancelled_there = flag;
        if (cancelled_there) MPI_Cancel(&request);
        MPI_Wait(&request, &status);
        MPI_Test_cancelled(&status, &flag);
        CHECK(flag == cancelled_there);
        CHECK(flag || came(in, length, round));
    }
}

/* What nobody waits for can be cancelled in every mode, and forgotten while that is under way. */
static void cancelled_sends(void) {
    static char attached[2 * LONGEST];
    MPI_Request freed;
    for (int round = 0; round < 12 * LENGTHS; ++round) {
        if (rank < 2) one_of_both(round);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    MPI_Buffer_attach(attached, sizeof attached);
    for (int i = 0; i < LENGTHS && rank == 0; ++i) {
        MPI_Request all[3];
        MPI_Status statuses[3];
        MPI_Isend(out, lengths[i], MPI_BYTE, 1, 1, MPI_COMM_WORLD, &all[0]);
        MPI_Issend(out, lengths[i], MPI_BYTE, 1, 1, MPI_COMM_WORLD, &all[1]);
        MPI_Ibsend(out, lengths[i], MPI_BYTE, 1, 1, MPI_COMM_WORLD, &all[2]);
        MPI_Isend(out, lengths[i], MPI_BYTE, 1, 1, MPI_COMM_WORLD, &freed);
        for (int k = 0; k < 3; ++k) MPI_Cancel(&all[k]);
        MPI_Cancel(&freed);
        MPI_Request_free(&freed);
        MPI_Waitall(3, all, statuses);
        for (int k = 0; k < 3; ++k) {
            int flag = 0;
            MPI_Test_cancelled(&statuses[k], &flag);
            CHECK(flag);
        }
    }
    void* buffer = NULL;
    int bytes = 0;
    MPI_Buffer_detach(&buffer, &bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Iprobe(MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, &bytes, MPI_STATUS_IGNORE);
    CHECK(!bytes);
}

static void requests(void) {
    persistent();
    buffered();
    cancelled();
    cancelled_sends();
}

/* ---- communicators ---- */

static void halves(MPI_Comm half, int half_size) {
    MPI_Comm inter;
    MPI_Comm merged;
    int half_rank = 0;
    int remote = 0;
    int value = -1;
    MPI_Comm_rank(half, &half_rank);
    MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, rank % 2 == 0 ? 1 : 0, 7, &inter);
    MPI_Comm_remote_size(inter, &remote);
    CHECK(remote == size - half_size);
    if (half_rank < remote) {
        MPI_Request request;
        MPI_Irecv(&value, 1, MPI_INT, half_rank, 3, inter, &request);
        MPI_Send(&rank, 1, MPI_INT, half_rank, 3, inter);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        CHECK(value == (rank ^ 1));
    }
    MPI_Intercomm_merge(inter, rank % 2, &merged);
    int merged_rank = -1;
    MPI_Comm_rank(merged, &merged_rank);
    CHECK(merged_rank == (rank % 2 == 0 ? half_rank : remote + half_rank));
    MPI_Comm_free(&inter);
    MPI_Comm_free(&merged);
}

static void communicators(void) {
    MPI_Comm copy;
    MPI_Comm half;
    MPI_Comm later;
    MPI_Request request;
    int half_size = 0;
    int result = 0;
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm_compare(copy, MPI_COMM_WORLD, &result);
    CHECK(result == MPI_CONGRUENT);
    MPI_Comm_split(copy, rank % 2, rank, &half);
    MPI_Comm_size(half, &half_size);
    CHECK(half_size == (size + 1 - rank % 2) / 2);
    MPI_Comm_idup(half, &later, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    /* The same source and tag in two communicators: neither sees the other's. */
    int first = 1;
    int second = 2;
    const int there = (rank + 1) % size;
    MPI_Request sends[2];
    MPI_Isend(&first, 1, MPI_INT, there, 0, MPI_COMM_WORLD, &sends[0]);
    MPI_Isend(&second, 1, MPI_INT, there, 0, copy, &sends[1]);
    int value = 0;
    MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, copy, MPI_STATUS_IGNORE);
    CHECK(value == 2);
    MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(value == 1);
    MPI_Waitall(2, sends, MPI_STATUSES_IGNORE);
    halves(half, half_size);
    MPI_Comm_free(&later);
    MPI_Comm_free(&half);
    MPI_Comm_free(&copy);
}

/* ---- errors ---- */

static int error_says(int code, int error_class, const char* words) {
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    int found = 0;
    MPI_Error_class(code, &found);
    MPI_Error_string(code, text, &length);
    return found == error_class && strstr(text, words) != NULL;
}

/* Handles that were freed, or never were any. */
static void wrong_handles(void) {
    MPI_Datatype type;
    MPI_Type_contiguous(3, MPI_INT, &type);
    CHECK(error_says(MPI_Send(in, 1, type, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE, "MPI_Send: the datatype was not comm"));
    MPI_Datatype freed = type;
    MPI_Type_free(&type);
    CHECK(error_says(MPI_Bcast(in, 1, freed, 0, MPI_COMM_WORLD), MPI_ERR_TYPE, "MPI_Bcast: the datatype for rank 0"));
    CHECK(error_says(MPI_Type_commit(&freed), MPI_ERR_TYPE, "MPI_Type_commit"));
    CHECK(
        error_says(MPI_Type_get_contents(MPI_INT, 0, 0, 0, NULL, NULL, NULL), MPI_ERR_TYPE, "MPI_Type_get_contents:"));
    CHECK(error_says(MPI_Remove_error_string(MPI_ERR_TAG), MPI_ERR_ARG, "MPI_Remove_error_string:"));
    CHECK(error_says(MPI_Type_vector(-1, 1, 1, MPI_INT, &type), MPI_ERR_COUNT, "MPI_Type_vector"));
    MPI_Request request;
    MPI_Irecv(in, 1, MPI_BYTE, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &request);
    MPI_Request gone = request;
    CHECK(error_says(MPI_Start(&request), MPI_ERR_REQUEST, "MPI_Start: the request is not persistent"));
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(error_says(MPI_Wait(&gone, MPI_STATUS_IGNORE), MPI_ERR_REQUEST, "MPI_Wait: the request is none"));
    CHECK(error_says(MPI_Waitall(1, &gone, MPI_STATUSES_IGNORE), MPI_ERR_REQUEST, "MPI_Waitall: request 0"));
    MPI_Group group;
    MPI_Group part;
    MPI_Comm_group(MPI_COMM_WORLD, &group);
    CHECK(error_says(MPI_Group_incl(group, 1, &size, &part), MPI_ERR_RANK, "MPI_Group_incl"));
    MPI_Group_free(&group);
    MPI_Comm made;
    CHECK(error_says(MPI_Comm_create_from_group(MPI_GROUP_NULL, "", MPI_INFO_NULL, MPI_ERRORS_RETURN, &made),
                     MPI_ERR_GROUP, "MPI_Comm_create_from_group: the group is none"));
    CHECK(error_says(MPI_Group_size(MPI_GROUP_NULL, &size), MPI_ERR_GROUP, "MPI_Group_size"));
    CHECK(error_says(MPI_Allreduce(in, out, 1, MPI_INT, MPI_OP_NULL, MPI_COMM_WORLD), MPI_ERR_OP, "MPI_Allreduce"));
    CHECK(error_says(MPI_Allreduce(in, out, 1, MPI_FLOAT, MPI_BAND, MPI_COMM_WORLD), MPI_ERR_OP, "MPI_Allreduce"));
}

/* Ranks that do not agree: those that can see it say so; none hangs or crashes. */
static void disagreements(void) {
    int values[64] = {0};
    CHECK(error_says(MPI_Bcast(values, 1, MPI_INT, size, MPI_COMM_WORLD), MPI_ERR_ROOT, "MPI_Bcast: argument root is"));
    CHECK(error_says(MPI_Bcast(MPI_IN_PLACE, 1, MPI_INT, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER, "is MPI_IN_PLACE"));
    CHECK(error_says(MPI_Reduce(values, values + 32, -3, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD), MPI_ERR_COUNT,
                     "MPI_Reduce: the"));
    const int result = MPI_Bcast(values, rank == 0 ? 2 : 4, MPI_INT, 0, MPI_COMM_WORLD);
    CHECK(rank == 0 || error_says(result, MPI_ERR_COUNT, "MPI_Bcast: rank 0 sent 8 bytes where 16 are due"));
    const int longer = MPI_Bcast(values, rank == 0 ? 4 : 2, MPI_INT, 0, MPI_COMM_WORLD);
    CHECK(rank == 0 || error_says(longer, MPI_ERR_TRUNCATE, "MPI_Bcast: the message from rank 0"));
    const int large = MPI_Bcast(rank == 0 ? out : in, rank == 0 ? 50000 : 100000, MPI_BYTE, 0, MPI_COMM_WORLD);
    CHECK(rank == 0 || error_says(large, MPI_ERR_COUNT, "MPI_Bcast: rank 0 sent 50000 bytes where 100000 are due"));
    MPI_Barrier(MPI_COMM_WORLD);
}

static void errors(void) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    wrong_handles();
    disagreements();
    CHECK(error_says(MPI_Send(in, 1, MPI_BYTE, size, 0, MPI_COMM_WORLD), MPI_ERR_RANK, "MPI_Send: destination"));
    CHECK(error_says(MPI_Send(in, -1, MPI_BYTE, 0, 0, MPI_COMM_WORLD), MPI_ERR_COUNT, "count -1"));
    CHECK(error_says(MPI_Send(in, 1, MPI_BYTE, 0, -5, MPI_COMM_WORLD), MPI_ERR_TAG, "tag -5"));
    CHECK(error_says(MPI_Send(in, 1, MPI_DATATYPE_NULL, 0, 0, MPI_COMM_WORLD), MPI_ERR_TYPE, "datatype"));
    CHECK(error_says(MPI_Send(NULL, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER, "NULL"));
    CHECK(error_says(MPI_Send(MPI_IN_PLACE, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD), MPI_ERR_BUFFER, "MPI_IN_PLACE"));
    CHECK(error_says(MPI_Recv(in, 1, MPI_BYTE, 0, 0, MPI_COMM_NULL, MPI_STATUS_IGNORE), MPI_ERR_COMM, "MPI_Recv"));
    MPI_Comm copy;
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm freed = copy;
    MPI_Comm_free(&copy);
    CHECK(MPI_Send(in, 1, MPI_BYTE, 0, 0, freed) == MPI_ERR_COMM);
    CHECK(error_says(MPI_Win_fence(0, MPI_WIN_NULL), MPI_ERR_UNSUPPORTED_OPERATION, "MPI_Win_fence"));
    CHECK(error_says(MPI_Recv(in, 1, MPI_BYTE, size, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_RANK, "source"));
    CHECK(
        error_says(MPI_Recv(in, 1, MPI_BYTE, 0, 1 << 29, MPI_COMM_WORLD, MPI_STATUS_IGNORE), MPI_ERR_TAG, "tag 5368"));
    fill(100000, 1);
    for (int k = 0; k < 3; ++k) {
        const int length = k == 0 ? 8 : k == 1 ? 1000 : 100000;
        MPI_Request request;
        MPI_Isend(out, length, MPI_BYTE, rank, 1, MPI_COMM_WORLD, &request);
        const int code = MPI_Recv(in, length / 2, MPI_BYTE, rank, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(error_says(code, MPI_ERR_TRUNCATE, "MPI_Recv: the message from rank"));
        CHECK(came(in, length / 2, 1));
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        MPI_Isend(out, length, MPI_BYTE, (rank + 1) % size, 1, MPI_COMM_WORLD, &request);
        CHECK(MPI_Recv(in, length / 2, MPI_BYTE, MPI_ANY_SOURCE, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE) ==
              MPI_ERR_TRUNCATE);
        CHECK(came(in, length / 2, 1));
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
}

/* ---- threads ---- */

enum { kThreads = 4, kRounds = 60 };

struct talker {
    int number;
    MPI_Comm comm; /* of this thread of every rank */
};

/* Messages around a ring of ranks by a tag of its own in the common communicator, collectives in its own, and requests
 * that are asked for again and again. */
static void* talk(void* argument) {
    const struct talker* const talker = argument;
    const int number = talker->number;
    unsigned char* const sent = malloc(LONGEST);
    unsigned char* const got = malloc(LONGEST);
    const int next = (rank + 1) % size;
    const int last = (rank + size - 1) % size;
    for (int round = 0; round < kRounds; ++round) {
        const int length = lengths[(round + number) % LENGTHS];
        MPI_Request requests[2];
        MPI_Status status;
        int done = 0;
        int count = 0;
        int sum = 0;
        for (int i = 0; i < length; ++i) sent[i] = (unsigned char)(i * 7 + rank + round * 3 + number * 5);
        MPI_Irecv(got, LONGEST, MPI_BYTE, last, number, MPI_COMM_WORLD, &requests[0]);
        MPI_Isend(sent, length, MPI_BYTE, next, number, MPI_COMM_WORLD, &requests[1]);
        while (number % 2 == 0 && !done) MPI_Test(&requests[0], &done, &status);
        if (number % 2 != 0) MPI_Wait(&requests[0], &status);
        MPI_Wait(&requests[1], MPI_STATUS_IGNORE);
        MPI_Get_count(&status, MPI_BYTE, &count);
        CHECK(count == length && status.MPI_TAG == number);
        for (int i = 0; i < length; ++i) CHECK(got[i] == (unsigned char)(i * 7 + last + round * 3 + number * 5));
        MPI_Allreduce(&number, &sum, 1, MPI_INT, MPI_SUM, talker->comm);
        CHECK(sum == number * size);
    }
    free(sent);
    free(got);
    return argument;
}

static void threads(void) {
    pthread_t running[kThreads];
    struct talker talkers[kThreads];
    for (int i = 0; i < kThreads; ++i) {
        talkers[i].number = i;
        MPI_Comm_dup(MPI_COMM_WORLD, &talkers[i].comm);
    }
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&running[i], NULL, talk, &talkers[i]) == 0);
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(running[i], NULL) == 0);
    for (int i = 0; i < kThreads; ++i) MPI_Comm_free(&talkers[i].comm);
}

/* ---- sessions ---- */

static int handled;
static void handle(MPI_Session* session, int* code, ...) {
    if (*session != MPI_SESSION_NULL && *code == MPI_ERR_ARG) ++handled;
}

/* The communicator has no buffer of its own. */
static void through_session_buffer(MPI_Session session, MPI_Comm comm) {
    static char room[100 + MPI_BSEND_OVERHEAD];
    void* buffer = NULL;
    int bytes = 0;
    CHECK(MPI_Bsend(out, 100, MPI_BYTE, rank, 1, comm) == MPI_ERR_BUFFER);
    CHECK(MPI_Session_attach_buffer(session, room, sizeof room) == MPI_SUCCESS);
    CHECK(MPI_Bsend(out, 100, MPI_BYTE, rank, 1, comm) == MPI_SUCCESS);
    CHECK(MPI_Recv(in, 100, MPI_BYTE, rank, 1, comm, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Session_flush_buffer(session) == MPI_SUCCESS);
    CHECK(MPI_Session_detach_buffer(session, (void*)&buffer, &bytes) == MPI_SUCCESS);
    CHECK(buffer == room && bytes == (int)sizeof room);
}

/* Without MPI_Init, twice, and from a set of which only some take part. */
static void session(int round) {
    MPI_Session here;
    MPI_Errhandler handler;
    MPI_Group all;
    MPI_Group none;
    MPI_Comm comm;
    int flag = 1;
    int length = 0;
    int sum = 0;
    char name[64];
    MPI_Session_create_errhandler(handle, &handler);
    CHECK(MPI_Session_init(MPI_INFO_NULL, handler, &here) == MPI_SUCCESS);
    MPI_Initialized(&flag);
    CHECK(!flag);
    CHECK(MPI_Group_from_session_pset(here, "mpi://nowhere", &none) == MPI_ERR_ARG && handled == round + 1);
    CHECK(MPI_Session_get_nth_pset(here, MPI_INFO_NULL, 0, &length, NULL) == MPI_SUCCESS && length == 12);
    CHECK(MPI_Session_get_nth_pset(here, MPI_INFO_NULL, 0, &length, name) == MPI_SUCCESS);
    CHECK(strcmp(name, "mpi://WORLD") == 0);
    CHECK(MPI_Group_from_session_pset(here, name, &all) == MPI_SUCCESS);
    MPI_Group_size(all, &size);
    MPI_Group_rank(all, &rank);
    CHECK(MPI_Comm_create_from_group(all, "sessions", MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm) == MPI_SUCCESS);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    CHECK(sum == size * (size - 1) / 2);
    through_session_buffer(here, comm);
    MPI_Group_free(&all);
    MPI_Comm_free(&comm);
    MPI_Errhandler_free(&handler);
    CHECK(MPI_Session_finalize(&here) == MPI_SUCCESS && here == MPI_SESSION_NULL);
}

/* A rank dies: the others hear of it when they need it, and go on without it. */
static void death(void) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (rank == 1) raise(SIGKILL);
    const int code = MPI_Recv(in, 1, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(error_says(code, MPI_ERR_PROC_ABORTED, "rank 1"));
    CHECK(MPI_Send(out, LONGEST, MPI_BYTE, 1, 0, MPI_COMM_WORLD) == MPI_ERR_PROC_ABORTED);
    if (rank == 0) CHECK(MPI_Send(out, LONGEST, MPI_BYTE, 2, 0, MPI_COMM_WORLD) == MPI_SUCCESS);
    if (rank == 2) CHECK(MPI_Recv(in, LONGEST, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    /* MPI_Finalize needs everyone. */
    _exit(0);
}

static void aborts(void) {
    if (rank == 0) MPI_Abort(MPI_COMM_WORLD, 7);
    MPI_Recv(in, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* Nobody but this rank could send what it waits for. */
static void deadlock(void) {
    MPI_Recv(in, 1, MPI_BYTE, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    _exit(0);
}

static const struct {
    const char* name;
    void (*run)(void);
} scenarios[] = {
    {"messages", messages},
    {"order", order},
    {"probes", probes},
    {"requests", requests},
    {"threads", threads},
    {"communicators", communicators},
    {"errors", errors},
    {"death", death},
    {"aborts", aborts},
    {"deadlock", deadlock},
    {"types", scenario_types},
    {"partitioned", scenario_partitioned},
    {"additions", scenario_additions},
    {"large", scenario_large},
    {"collectives", scenario_collectives},
    {"full_rings", scenario_full_rings},
    {"neighbours", scenario_neighbours},
    {"reductions", scenario_reductions},
    {"intercommunicators", scenario_intercommunicators},
};

int main(int argc, char** argv) {
    if (argc == 2 && strcmp(argv[1], "sessions") == 0) {
        for (int round = 0; round < 3; ++round) session(round);
        return 0;
    }
    for (size_t i = 0; argc == 2 && i < sizeof scenarios / sizeof *scenarios; ++i)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            start(scenarios[i].run == threads ? MPI_THREAD_MULTIPLE : MPI_THREAD_SINGLE);
            scenarios[i].run();
            return MPI_Finalize();
        }
    fprintf(stderr, "no such scenario\n");
    return 2;
}
