/* What all kinds of topologies share. */
#include "topology.h"

#include <stdlib.h>
#include <string.h>

struct dvm_topology* dvm_topology_new(int kind) {
    struct dvm_topology* const topology = calloc(1, sizeof *topology);
    if (topology != NULL) topology->kind = kind;
    return topology;
}

int* dvm_copy_ints(const int* from, int count) {
    int* const copy = malloc((size_t)(count > 0 ? count : 1) * sizeof *copy);
    if (copy != NULL && count > 0) memcpy(copy, from, (size_t)count * sizeof *copy);
    return copy;
}

void dvm_topology_free(struct dvm_topology* topology) {
    int* const parts[] = {topology->sources, topology->destinations,   topology->sizes,
                          topology->periods, topology->place,          topology->ends,
                          topology->edges,   topology->source_weights, topology->destination_weights};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) free(parts[i]);
    free(topology);
}

int dvm_topology_copy(const struct dvm_topology* from, struct dvm_topology** to) {
    struct dvm_topology* const copy = dvm_topology_new(from->kind);
    *to = NULL;
    if (copy == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology");
    *copy = *from;
    const int edges = from->nodes > 0 ? from->ends[from->nodes - 1] : 0;
    struct {
        int** to;
        int count;
    } const parts[] = {{&copy->sources, from->in_degree},
                       {&copy->destinations, from->out_degree},
                       {&copy->sizes, from->dimensions},
                       {&copy->periods, from->dimensions},
                       {&copy->place, from->dimensions},
                       {&copy->ends, from->nodes},
                       {&copy->edges, edges},
                       {&copy->source_weights, from->in_degree},
                       {&copy->destination_weights, from->out_degree}};
    bool complete = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        if (*parts[i].to == NULL) continue;
        *parts[i].to = dvm_copy_ints(*parts[i].to, parts[i].count);
        complete = complete && *parts[i].to != NULL;
    }
    if (complete) {
        *to = copy;
        return MPI_SUCCESS;
    }
    dvm_topology_free(copy);
    return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology");
}

int dvm_check_topology(MPI_Comm comm, int kind, struct dvm_comm** object, const char* call) {
    const int error = dvm_check_comm(comm, object, call);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const topology = (*object)->topology;
    if (topology != NULL && topology->kind == kind) return MPI_SUCCESS;
    return dvm_error(*object, MPI_ERR_TOPOLOGY, call, "the communicator has no %s topology",
                     kind == MPI_CART    ? "Cartesian"
                     : kind == MPI_GRAPH ? "graph"
                                         : "distributed-graph");
}

int dvm_check_shapeless(MPI_Comm comm, struct dvm_comm** object, const char* call) {
    const int error = dvm_check_comm(comm, object, call);
    if (error != MPI_SUCCESS) return error;
    return (*object)->inter ? dvm_error(*object, MPI_ERR_COMM, call, "an intercommunicator can have no topology")
                            : MPI_SUCCESS;
}

int dvm_comm_shaped(struct dvm_comm* comm, int count, const int* order, struct dvm_topology* topology, MPI_Comm* made,
                    const char* call) {
    struct dvm_comm* object = NULL;
    uint32_t* const world = malloc((size_t)(count > 0 ? count : 1) * sizeof *world);
    int error =
        world == NULL || topology == NULL ? dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology") : MPI_SUCCESS;
    for (int rank = 0; rank < count && error == MPI_SUCCESS; ++rank)
        world[rank] = dvm_world_rank(comm, order == NULL ? rank : order[rank]);
    if (error == MPI_SUCCESS) error = dvm_comm_reordered(comm, count, world, &object);
    free(world);
    *made = MPI_COMM_NULL;
    if (object != NULL) {
        object->topology = topology;
        *made = dvm_comm_handle(object);
    } else if (topology != NULL) {
        dvm_topology_free(topology);
    }
    return error == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(comm, error, call);
}

int PMPI_Topo_test(MPI_Comm comm, int* status) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_comm(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    *status = object->topology == NULL ? MPI_UNDEFINED : object->topology->kind;
    return MPI_SUCCESS;
}
DVM_ALIAS(Topo_test);
