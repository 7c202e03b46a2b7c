/* Collectives among neighbours in a topology: one message to each, one from each, all at once.
 *
 * Each operation is one schedule of one phase, whether it is waited for, goes on by itself, or is started again and
 * again. */
#include <stdlib.h>

#include "topology.h"

enum form { BLOCKING, NONBLOCKING, PERSISTENT };

/* What goes out to the neighbours, or comes in from them: the block of number i. */
struct side {
    const void* buffer;
    int count; /* of every block, where `counts` is NULL */
    const int* counts;
    const int* displacements;  /* in extents */
    const MPI_Aint* addresses; /* in bytes */
    MPI_Datatype type;         /* where `types` is NULL */
    const MPI_Datatype* types;
    bool same; /* one block for all */
};

struct operation {
    struct side send;
    struct side receive;
    MPI_Comm comm;
    enum form form;
    MPI_Request* request;
    const char* call;
};

static int count_of(const struct side* side, int i) {
    return side->counts == NULL ? side->count : side->counts[i];
}

static MPI_Datatype type_of(const struct side* side, int i) {
    return side->types == NULL ? side->type : side->types[i];
}

/* The buffer may be MPI_BOTTOM, and addresses absolute: so integers, not pointers, are added. */
static void* address_of(const struct side* side, int i) {
    const MPI_Aint extent = (MPI_Aint)dvm_type_of(type_of(side, i))->extent;
    MPI_Aint offset = side->same ? 0 : (MPI_Aint)i * side->count * extent;
    if (side->displacements != NULL) offset = side->displacements[i] * extent;
    if (side->addresses != NULL) offset = side->addresses[i];
    return (void*)((uintptr_t)side->buffer + (uintptr_t)offset);
}

static int check_side(struct dvm_comm* comm, const struct side* side, int degree, const char* what, const char* call) {
    for (int i = 0; i < degree; ++i) {
        const struct dvm_type* const type = dvm_type_of(type_of(side, i));
        if (count_of(side, i) < 0)
            return dvm_error(comm, MPI_ERR_COUNT, call, "%s count %d of neighbour %d", what, count_of(side, i), i);
        if (type == NULL) return dvm_error(comm, MPI_ERR_TYPE, call, "the %s type of neighbour %d is none", what, i);
        if (!type->committed)
            return dvm_error(comm, MPI_ERR_TYPE, call, "the %s type of neighbour %d was not committed", what, i);
    }
    return MPI_SUCCESS;
}

/* Messages between two ranks match in the order of their sending, and two ranks can be neighbours twice: on a ring of
 * two, and of one. What goes out to the left comes in from the right there. */
static int incoming(const struct dvm_topology* topology, int i) {
    return topology->kind == MPI_CART ? i ^ 1 : i;
}

static void add_messages(struct dvm_schedule* schedule, struct dvm_comm* comm, const struct operation* operation) {
    const struct dvm_topology* const topology = comm->topology;
    for (int i = 0; i < topology->in_degree; ++i) {
        const int from = incoming(topology, i);
        dvm_schedule_receive(schedule, comm, topology->sources[from], address_of(&operation->receive, from),
                             count_of(&operation->receive, from), type_of(&operation->receive, from));
    }
    for (int i = 0; i < topology->out_degree; ++i)
        dvm_schedule_send(schedule, comm, topology->destinations[i], address_of(&operation->send, i),
                          count_of(&operation->send, i), type_of(&operation->send, i));
}

static int finish(struct dvm_schedule* schedule, const struct operation* operation) {
    switch (operation->form) {
        case NONBLOCKING: return dvm_schedule_start(schedule, operation->request);
        case PERSISTENT: return dvm_schedule_persistent(schedule, operation->request);
        default: return dvm_schedule_run(schedule);
    }
}

static int perform(const struct operation* operation) {
    struct dvm_comm* comm = NULL;
    int error = dvm_check_comm(operation->comm, &comm, operation->call);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const topology = comm->topology;
    if (topology == NULL) return dvm_error(comm, MPI_ERR_TOPOLOGY, operation->call, "the communicator has no topology");
    error = check_side(comm, &operation->send, topology->out_degree, "send", operation->call);
    if (error == MPI_SUCCESS)
        error = check_side(comm, &operation->receive, topology->in_degree, "receive", operation->call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_schedule* const schedule = dvm_schedule_new(comm);
    if (schedule == NULL) return dvm_raise(comm, MPI_ERR_NO_MEM, operation->call);
    add_messages(schedule, comm, operation);
    error = finish(schedule, operation);
    return error == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(comm, error, operation->call);
}

#define UNPACK(...) __VA_ARGS__

/* The three forms of an operation: its own parameters, and what its blocks are. */
#define FORMS(name, parameters, sends, receives)                                                             \
    int PMPI_Neighbor_##name(UNPACK parameters, MPI_Comm comm) {                                             \
        const struct operation operation = {sends, receives, comm, BLOCKING, NULL, DVM_CALL};                \
        return perform(&operation);                                                                          \
    }                                                                                                        \
    DVM_ALIAS(Neighbor_##name);                                                                              \
    int PMPI_Ineighbor_##name(UNPACK parameters, MPI_Comm comm, MPI_Request* request) {                      \
        const struct operation operation = {sends, receives, comm, NONBLOCKING, request, DVM_CALL};          \
        return perform(&operation);                                                                          \
    }                                                                                                        \
    DVM_ALIAS(Ineighbor_##name);                                                                             \
    int PMPI_Neighbor_##name##_init(UNPACK parameters, MPI_Comm comm, MPI_Info info, MPI_Request* request) { \
        const struct operation operation = {sends, receives, comm, PERSISTENT, request, DVM_CALL};           \
        (void)info;                                                                                          \
        return perform(&operation);                                                                          \
    }                                                                                                        \
    DVM_ALIAS(Neighbor_##name##_init)
#define SIDE(...) ((struct side){__VA_ARGS__})

FORMS(allgather,
      (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, int recvcount, MPI_Datatype recvtype),
      SIDE(.buffer = sendbuf, .count = sendcount, .type = sendtype, .same = true),
      SIDE(.buffer = recvbuf, .count = recvcount, .type = recvtype));

FORMS(allgatherv,
      (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, const int recvcounts[],
       const int displs[], MPI_Datatype recvtype),
      SIDE(.buffer = sendbuf, .count = sendcount, .type = sendtype, .same = true),
      SIDE(.buffer = recvbuf, .counts = recvcounts, .displacements = displs, .type = recvtype));

FORMS(alltoall,
      (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, int recvcount, MPI_Datatype recvtype),
      SIDE(.buffer = sendbuf, .count = sendcount, .type = sendtype),
      SIDE(.buffer = recvbuf, .count = recvcount, .type = recvtype));

FORMS(alltoallv,
      (const void* sendbuf, const int sendcounts[], const int sdispls[], MPI_Datatype sendtype, void* recvbuf,
       const int recvcounts[], const int rdispls[], MPI_Datatype recvtype),
      SIDE(.buffer = sendbuf, .counts = sendcounts, .displacements = sdispls, .type = sendtype),
      SIDE(.buffer = recvbuf, .counts = recvcounts, .displacements = rdispls, .type = recvtype));

FORMS(alltoallw,
      (const void* sendbuf, const int sendcounts[], const MPI_Aint sdispls[], const MPI_Datatype sendtypes[],
       void* recvbuf, const int recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[]),
      SIDE(.buffer = sendbuf, .counts = sendcounts, .addresses = sdispls, .types = sendtypes),
      SIDE(.buffer = recvbuf, .counts = recvcounts, .addresses = rdispls, .types = recvtypes));
