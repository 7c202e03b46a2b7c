/* Graph topologies: every rank knows the whole graph. */
#include "topology.h"

#include <stdlib.h>

/* How many edges; -1 after an error was raised. */
static int check_graph(struct dvm_comm* comm, int nnodes, const int* ends, const int* edges, const char* call) {
    if (nnodes < 0 || nnodes > comm->size) {
        dvm_error(comm, MPI_ERR_ARG, call, "a graph of %d nodes on %d ranks", nnodes, comm->size);
        return -1;
    }
    for (int i = 0; i < nnodes; ++i) {
        if (ends[i] >= (i == 0 ? 0 : ends[i - 1])) continue;
        dvm_error(comm, MPI_ERR_ARG, call, "index %d is %d, less than the one before", i, ends[i]);
        return -1;
    }
    const int count = nnodes == 0 ? 0 : ends[nnodes - 1];
    for (int i = 0; i < count; ++i) {
        if (edges[i] >= 0 && edges[i] < nnodes) continue;
        dvm_error(comm, MPI_ERR_ARG, call, "edge %d leads to %d, the graph has %d nodes", i, edges[i], nnodes);
        return -1;
    }
    return count;
}

static int first_edge(const int* ends, int node) {
    return node == 0 ? 0 : ends[node - 1];
}

static struct dvm_topology* make(int nnodes, const int* ends, const int* edges, int rank) {
    struct dvm_topology* const topology = dvm_topology_new(MPI_GRAPH);
    if (topology == NULL) return NULL;
    const int first = first_edge(ends, rank);
    topology->nodes = nnodes;
    topology->in_degree = topology->out_degree = ends[rank] - first;
    topology->ends = dvm_copy_ints(ends, nnodes);
    topology->edges = dvm_copy_ints(edges, ends[nnodes - 1]);
    topology->sources = dvm_copy_ints(edges + first, topology->in_degree);
    topology->destinations = dvm_copy_ints(edges + first, topology->out_degree);
    if (topology->ends != NULL && topology->edges != NULL && topology->sources != NULL &&
        topology->destinations != NULL)
        return topology;
    dvm_topology_free(topology);
    return NULL;
}

int PMPI_Graph_create(MPI_Comm comm_old, int nnodes, const int indx[], const int edges[], int reorder,
                      MPI_Comm* comm_graph) {
    struct dvm_comm* comm = NULL;
    const int error = dvm_check_shapeless(comm_old, &comm, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (check_graph(comm, nnodes, indx, edges, DVM_CALL) < 0) return MPI_ERR_ARG;
    (void)reorder;
    *comm_graph = MPI_COMM_NULL;
    if (nnodes == 0) return MPI_SUCCESS;
    struct dvm_topology* const topology = make(nnodes, indx, edges, comm->rank < nnodes ? comm->rank : 0);
    return dvm_comm_shaped(comm, nnodes, NULL, topology, comm_graph, DVM_CALL);
}
DVM_ALIAS(Graph_create);

int PMPI_Graph_map(MPI_Comm comm, int nnodes, const int indx[], const int edges[], int* newrank) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_shapeless(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (check_graph(object, nnodes, indx, edges, DVM_CALL) < 0) return MPI_ERR_ARG;
    *newrank = object->rank < nnodes ? object->rank : MPI_UNDEFINED;
    return MPI_SUCCESS;
}
DVM_ALIAS(Graph_map);

int PMPI_Graphdims_get(MPI_Comm comm, int* nnodes, int* nedges) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_GRAPH, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    *nnodes = object->topology->nodes;
    *nedges = object->topology->ends[object->topology->nodes - 1];
    return MPI_SUCCESS;
}
DVM_ALIAS(Graphdims_get);

int PMPI_Graph_get(MPI_Comm comm, int maxindex, int maxedges, int indx[], int edges[]) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_GRAPH, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const topology = object->topology;
    const int count = topology->ends[topology->nodes - 1];
    for (int i = 0; i < topology->nodes && i < maxindex; ++i) indx[i] = topology->ends[i];
    for (int i = 0; i < count && i < maxedges; ++i) edges[i] = topology->edges[i];
    return MPI_SUCCESS;
}
DVM_ALIAS(Graph_get);

static int check_node(MPI_Comm comm, int rank, struct dvm_comm** object, const char* call) {
    const int error = dvm_check_topology(comm, MPI_GRAPH, object, call);
    if (error != MPI_SUCCESS) return error;
    if (rank >= 0 && rank < (*object)->size) return MPI_SUCCESS;
    return dvm_error(*object, MPI_ERR_RANK, call, "rank %d, the communicator has %d ranks", rank, (*object)->size);
}

int PMPI_Graph_neighbors_count(MPI_Comm comm, int rank, int* nneighbors) {
    struct dvm_comm* object = NULL;
    const int error = check_node(comm, rank, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    *nneighbors = object->topology->ends[rank] - first_edge(object->topology->ends, rank);
    return MPI_SUCCESS;
}
DVM_ALIAS(Graph_neighbors_count);

int PMPI_Graph_neighbors(MPI_Comm comm, int rank, int maxneighbors, int neighbors[]) {
    struct dvm_comm* object = NULL;
    const int error = check_node(comm, rank, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const int first = first_edge(object->topology->ends, rank);
    const int count = object->topology->ends[rank] - first;
    for (int i = 0; i < count && i < maxneighbors; ++i) neighbors[i] = object->topology->edges[first + i];
    return MPI_SUCCESS;
}
DVM_ALIAS(Graph_neighbors);
