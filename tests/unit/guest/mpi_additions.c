/* What MPI 4 and 5 added: each is used once, and does what it is for. */
#include <stdlib.h>
#include <string.h>

#include "mpi_scenarios.h"

static int next_rank(void) {
    return (rank + 1) % size;
}
static int last_rank(void) {
    return (rank + size - 1) % size;
}

static void exchanges(void) {
    MPI_Request request;
    MPI_Status status;
    int mine[4] = {rank, rank + 1, rank + 2, rank + 3};
    int got[4] = {-1, -1, -1, -1};
    MPI_Count count = 0;
    CHECK(MPI_Isendrecv(mine, 4, MPI_INT, next_rank(), 1, got, 4, MPI_INT, last_rank(), 1, MPI_COMM_WORLD, &request) ==
          MPI_SUCCESS);
    CHECK(MPI_Wait(&request, &status) == MPI_SUCCESS && status.MPI_SOURCE == last_rank() && got[3] == last_rank() + 3);
    CHECK(MPI_Isendrecv_replace_c(mine, 4, MPI_INT, next_rank(), 1, last_rank(), 1, MPI_COMM_WORLD, &request) ==
          MPI_SUCCESS);
    CHECK(MPI_Wait(&request, &status) == MPI_SUCCESS && memcmp(mine, got, sizeof mine) == 0);
    CHECK(MPI_Get_count_c(&status, MPI_INT, &count) == MPI_SUCCESS && count == 4);
    CHECK(MPI_Sendrecv_c(&rank, 1, MPI_INT, next_rank(), 2, got, 1, MPI_INT, last_rank(), 2, MPI_COMM_WORLD, &status) ==
          MPI_SUCCESS);
    CHECK(got[0] == last_rank());
}

static void statuses(void) {
    MPI_Status status;
    MPI_Count elements = 0;
    int value = 0;
    memset(&status, 0, sizeof status);
    CHECK(MPI_Status_set_source(&status, 3) == MPI_SUCCESS && MPI_Status_get_source(&status, &value) == MPI_SUCCESS);
    CHECK(value == 3 && status.MPI_SOURCE == 3);
    CHECK(MPI_Status_set_tag(&status, 5) == MPI_SUCCESS && MPI_Status_get_tag(&status, &value) == MPI_SUCCESS);
    CHECK(value == 5 && status.MPI_TAG == 5);
    CHECK(MPI_Status_set_error(&status, MPI_ERR_TAG) == MPI_SUCCESS);
    CHECK(MPI_Status_get_error(&status, &value) == MPI_SUCCESS && value == MPI_ERR_TAG);
    CHECK(MPI_Status_set_elements_c(&status, MPI_INT, 1ll << 40) == MPI_SUCCESS);
    CHECK(MPI_Get_elements_c(&status, MPI_INT, &elements) == MPI_SUCCESS && elements == 1ll << 40);
    CHECK(MPI_Get_count(&status, MPI_INT, &value) == MPI_SUCCESS && value == MPI_UNDEFINED);
    CHECK(MPI_Status_set_cancelled(&status, 1) == MPI_SUCCESS);
    CHECK(MPI_Test_cancelled(&status, &value) == MPI_SUCCESS && value);
}

static void large_counts(void) {
    MPI_Datatype type;
    MPI_Count bytes = 0;
    MPI_Count lower = 0;
    MPI_Count extent = 0;
    CHECK(MPI_Type_contiguous_c(1ll << 33, MPI_DOUBLE, &type) == MPI_SUCCESS);
    CHECK(MPI_Type_size_c(type, &bytes) == MPI_SUCCESS && bytes == 1ll << 36);
    CHECK(MPI_Type_get_extent_c(type, &lower, &extent) == MPI_SUCCESS && lower == 0 && extent == 1ll << 36);
    int small = 0;
    CHECK(MPI_Type_size(type, &small) == MPI_SUCCESS && small == MPI_UNDEFINED);
    MPI_Type_free(&type);
    const MPI_Count lengths[2] = {1, 2};
    const MPI_Count places[2] = {0, 4};
    int out[6] = {1, 2, 3, 4, 5, 6};
    int in[6] = {0};
    CHECK(MPI_Type_indexed_c(2, lengths, places, MPI_INT, &type) == MPI_SUCCESS);
    MPI_Type_commit(&type);
    MPI_Request requests[2];
    MPI_Irecv_c(in, 1, type, last_rank(), 3, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend_c(out, 1, type, next_rank(), 3, MPI_COMM_WORLD, &requests[1]);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    CHECK(in[0] == 1 && in[1] == 0 && in[4] == 5 && in[5] == 6);
    MPI_Type_free(&type);
}

/* The same types as always, and the same for the same numbers. */
static void fortran_types(void) {
    MPI_Datatype type;
    MPI_Datatype again;
    int bytes = 0;
    CHECK(MPI_Type_create_f90_integer(9, &type) == MPI_SUCCESS && MPI_Type_size(type, &bytes) == MPI_SUCCESS);
    CHECK(bytes == 4 && MPI_Type_create_f90_integer(9, &again) == MPI_SUCCESS && again == type);
    CHECK(MPI_Type_create_f90_real(15, 307, &type) == MPI_SUCCESS && MPI_Type_size(type, &bytes) == MPI_SUCCESS);
    CHECK(bytes == 8);
    CHECK(MPI_Type_create_f90_complex(6, MPI_UNDEFINED, &type) == MPI_SUCCESS);
    CHECK(MPI_Type_size(type, &bytes) == MPI_SUCCESS && bytes == 8);
}

static void infos(void) {
    MPI_Info info;
    MPI_Info got;
    MPI_Comm copy;
    MPI_Comm later;
    MPI_Request request;
    char value[8];
    int length = sizeof value;
    int flag = 0;
    MPI_Info_create(&info);
    MPI_Info_set(info, "color", "green");
    CHECK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &copy) == MPI_SUCCESS);
    CHECK(MPI_Comm_get_info(copy, &got) == MPI_SUCCESS);
    CHECK(MPI_Info_get_string(got, "color", &length, value, &flag) == MPI_SUCCESS && flag && length == 6);
    CHECK(strcmp(value, "green") == 0);
    MPI_Info_free(&got);
    CHECK(MPI_Comm_idup_with_info(copy, MPI_INFO_NULL, &later, &request) == MPI_SUCCESS);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Barrier(later);
    MPI_Info_set(info, "color", "blue");
    CHECK(MPI_Comm_set_info(later, info) == MPI_SUCCESS);
    MPI_Info_free(&info);
    MPI_Comm_free(&later);
    MPI_Comm_free(&copy);
}

/* A message of a communicator's goes through its own buffer, and others through that of all. */
static void buffers(void) {
    static char room[1000 + MPI_BSEND_OVERHEAD];
    static char out[1000];
    static char in[1000];
    MPI_Comm copy;
    MPI_Request request;
    void* buffer = NULL;
    MPI_Count bytes = 0;
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN);
    CHECK(MPI_Bsend(out, 1000, MPI_CHAR, next_rank(), 1, copy) == MPI_ERR_BUFFER);
    CHECK(MPI_Comm_attach_buffer(copy, room, sizeof room) == MPI_SUCCESS);
    CHECK(MPI_Comm_attach_buffer(copy, room, sizeof room) == MPI_ERR_BUFFER);
    memset(out, rank + 1, sizeof out);
    CHECK(MPI_Bsend(out, 1000, MPI_CHAR, next_rank(), 1, copy) == MPI_SUCCESS);
    CHECK(MPI_Recv(in, 1000, MPI_CHAR, last_rank(), 1, copy, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(in[999] == last_rank() + 1);
    CHECK(MPI_Comm_flush_buffer(copy) == MPI_SUCCESS);
    CHECK(MPI_Bsend(out, 1000, MPI_CHAR, next_rank(), 2, copy) == MPI_SUCCESS);
    CHECK(MPI_Recv(in, 1000, MPI_CHAR, last_rank(), 2, copy, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Comm_iflush_buffer(copy, &request) == MPI_SUCCESS &&
          MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Comm_detach_buffer_c(copy, (void*)&buffer, &bytes) == MPI_SUCCESS);
    CHECK(buffer == room && bytes == (MPI_Count)sizeof room);
    CHECK(MPI_Buffer_attach(MPI_BUFFER_AUTOMATIC, 0) == MPI_SUCCESS);
    CHECK(MPI_Bsend(out, 1000, MPI_CHAR, next_rank(), 3, copy) == MPI_SUCCESS);
    CHECK(MPI_Recv(in, 1000, MPI_CHAR, last_rank(), 3, copy, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK(MPI_Buffer_flush() == MPI_SUCCESS && MPI_Buffer_detach_c((void*)&buffer, &bytes) == MPI_SUCCESS);
    CHECK(buffer == MPI_BUFFER_AUTOMATIC);
    MPI_Comm_free(&copy);
}

/* Started three times, with other data each time. */
static void repeat(MPI_Request* request, const int* result, int* mine, int (*due)(int round)) {
    for (int round = 0; round < 3; ++round) {
        *mine = rank + round;
        CHECK(MPI_Start(request) == MPI_SUCCESS && MPI_Wait(request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
        CHECK(*result == due(round));
        MPI_Barrier(MPI_COMM_WORLD);
    }
    CHECK(MPI_Request_free(request) == MPI_SUCCESS && *request == MPI_REQUEST_NULL);
}

static int sum_of_all(int round) {
    return size * (size - 1) / 2 + size * round;
}
static int sum_to_here(int round) {
    return rank * (rank + 1) / 2 + (rank + 1) * round;
}
static int of_last(int round) {
    return size - 1 + round;
}
static int of_first(int round) {
    return round;
}

static void persistent_collectives(void) {
    MPI_Request request;
    int* const all = calloc((size_t)size, sizeof *all);
    int* const out = calloc((size_t)size, sizeof *out);
    int sum = 0;
    MPI_Allreduce_init(&out[0], &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    repeat(&request, &sum, &out[0], sum_of_all);
    MPI_Scan_init_c(&out[0], &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    repeat(&request, &sum, &out[0], sum_to_here);
    MPI_Allgather_init(&out[0], 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    repeat(&request, &all[size - 1], &out[0], of_last);
    MPI_Alltoall_init(out, 1, MPI_INT, all, 1, MPI_INT, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    if (rank == 0) repeat(&request, &all[size - 1], &out[0], of_last);
    if (rank != 0) {
        for (int round = 0; round < 3; ++round) {
            out[0] = rank + round;
            MPI_Start(&request);
            MPI_Wait(&request, MPI_STATUS_IGNORE);
            MPI_Barrier(MPI_COMM_WORLD);
        }
        MPI_Request_free(&request);
    }
    MPI_Bcast_init(&out[0], 1, MPI_INT, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    repeat(&request, &out[0], &out[0], of_first);
    MPI_Barrier_init(MPI_COMM_WORLD, MPI_INFO_NULL, &request);
    CHECK(MPI_Start(&request) == MPI_SUCCESS && MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    MPI_Request_free(&request);
    free(all);
    free(out);
}

static void binary_interface(void) {
    MPI_Info info;
    char value[8];
    int length = sizeof value;
    int flag = 0;
    int yes = 0;
    int no = 1;
    CHECK(MPI_Abi_get_fortran_info(&info) == MPI_SUCCESS);
    CHECK(MPI_Info_get_string(info, "mpi_integer_size", &length, value, &flag) == MPI_SUCCESS && flag);
    CHECK(strcmp(value, "4") == 0);
    CHECK(MPI_Abi_get_fortran_booleans(sizeof yes, &yes, &no, &flag) == MPI_SUCCESS && flag && yes == 1 && no == 0);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    CHECK(MPI_Abi_set_fortran_info(info) == MPI_ERR_ABI);
    CHECK(MPI_Abi_set_fortran_booleans(3, &yes, &no) == MPI_ERR_ARG);
    MPI_Info_free(&info);
    CHECK(MPI_Abi_get_info(&info) == MPI_SUCCESS);
    CHECK(MPI_Info_get_string(info, "mpi_count_size", &length, value, &flag) == MPI_SUCCESS && flag);
    MPI_Info_free(&info);
}

void scenario_additions(void) {
    exchanges();
    statuses();
    large_counts();
    fortran_types();
    infos();
    buffers();
    persistent_collectives();
    binary_interface();
}
