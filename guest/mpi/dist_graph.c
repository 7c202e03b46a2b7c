/* Distributed graphs: every rank knows its own neighbours. */
#include "topology.h"

#include <stdlib.h>
#include <string.h>

static int check_ranks(struct dvm_comm* comm, int count, const int* ranks, const char* what, const char* call) {
    if (count < 0) return dvm_error(comm, MPI_ERR_ARG, call, "%d %s", count, what);
    for (int i = 0; i < count; ++i)
        if ((ranks[i] < 0 || ranks[i] >= comm->size) && ranks[i] != MPI_PROC_NULL)
            return dvm_error(comm, MPI_ERR_RANK, call, "number %d of the %s is %d, the communicator has %d ranks", i,
                             what, ranks[i], comm->size);
    return MPI_SUCCESS;
}

static struct dvm_topology* make(int in, const int* sources, const int* source_weights, int out,
                                 const int* destinations, const int* destination_weights, bool weighted) {
    struct dvm_topology* const topology = dvm_topology_new(MPI_DIST_GRAPH);
    if (topology == NULL) return NULL;
    topology->in_degree = in;
    topology->out_degree = out;
    topology->weighted = weighted;
    topology->sources = dvm_copy_ints(sources, in);
    topology->destinations = dvm_copy_ints(destinations, out);
    bool complete = topology->sources != NULL && topology->destinations != NULL;
    if (weighted) {
        /* MPI_WEIGHTS_EMPTY is no address; there is nothing to be read then. */
        topology->source_weights = dvm_copy_ints(source_weights, source_weights == MPI_WEIGHTS_EMPTY ? 0 : in);
        topology->destination_weights =
            dvm_copy_ints(destination_weights, destination_weights == MPI_WEIGHTS_EMPTY ? 0 : out);
        complete = complete && topology->source_weights != NULL && topology->destination_weights != NULL;
    }
    if (complete) return topology;
    dvm_topology_free(topology);
    return NULL;
}

int PMPI_Dist_graph_create_adjacent(MPI_Comm comm_old, int indegree, const int sources[], const int sourceweights[],
                                    int outdegree, const int destinations[], const int destweights[], MPI_Info info,
                                    int reorder, MPI_Comm* comm_dist_graph) {
    struct dvm_comm* comm = NULL;
    int error = dvm_check_shapeless(comm_old, &comm, DVM_CALL);
    if (error == MPI_SUCCESS) error = check_ranks(comm, indegree, sources, "sources", DVM_CALL);
    if (error == MPI_SUCCESS) error = check_ranks(comm, outdegree, destinations, "destinations", DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    (void)info, (void)reorder;
    const bool weighted = sourceweights != MPI_UNWEIGHTED && destweights != MPI_UNWEIGHTED;
    struct dvm_topology* const topology =
        make(indegree, sources, sourceweights, outdegree, destinations, destweights, weighted);
    return dvm_comm_shaped(comm, comm->size, NULL, topology, comm_dist_graph, DVM_CALL);
}
DVM_ALIAS(Dist_graph_create_adjacent);

/* ---- edges that anybody may know ---- */

struct edge {
    int from;
    int to;
    int weight;
};

struct edges {
    struct edge* list;
    int count;
};

/* Mine as edges; `list` NULL: no memory. */
static struct edges list_edges(int n, const int* sources, const int* degrees, const int* destinations,
                               const int* weights) {
    struct edges edges = {NULL, 0};
    int count = 0;
    for (int i = 0; i < n; ++i) count += degrees[i];
    edges.list = malloc((size_t)(count > 0 ? count : 1) * sizeof *edges.list);
    if (edges.list == NULL) return edges;
    const bool weighted = weights != MPI_UNWEIGHTED && weights != MPI_WEIGHTS_EMPTY;
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < degrees[i]; ++j, ++edges.count)
            edges.list[edges.count] =
                (struct edge){sources[i], destinations[edges.count], weighted ? weights[edges.count] : 1};
    return edges;
}

/* Every rank in turn tells all others its edges: everybody has all, in the same order. */
static int share_edges(struct dvm_comm* comm, const struct edges* mine, struct edges* all) {
    int* const counts = malloc((size_t)comm->size * sizeof *counts);
    if (counts == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology");
    int error = dvm_gather_bytes(comm, dvm_collective_tag(comm), &mine->count, sizeof mine->count, counts);
    size_t total = 0;
    for (int rank = 0; rank < comm->size && error == MPI_SUCCESS; ++rank) total += (size_t)counts[rank];
    all->list = malloc((total > 0 ? total : 1) * sizeof *all->list);
    if (all->list == NULL) error = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology");
    for (int rank = 0; rank < comm->size && error == MPI_SUCCESS; ++rank) {
        struct edge* const place = all->list + all->count;
        const size_t bytes = (size_t)counts[rank] * sizeof *place;
        if (rank == comm->rank) memcpy(place, mine->list, bytes);
        error = dvm_spread_bytes(comm, rank, dvm_collective_tag(comm), place, bytes);
        all->count += counts[rank];
    }
    free(counts);
    return error;
}

static struct dvm_topology* pick_neighbours(const struct dvm_comm* comm, const struct edges* all, bool weighted) {
    const size_t room = (size_t)(all->count > 0 ? all->count : 1) * sizeof(int);
    int* const lists[4] = {malloc(room), malloc(room), malloc(room), malloc(room)};
    struct dvm_topology* topology = NULL;
    int in = 0;
    int out = 0;
    if (lists[0] != NULL && lists[1] != NULL && lists[2] != NULL && lists[3] != NULL) {
        for (int i = 0; i < all->count; ++i) {
            const struct edge* const edge = &all->list[i];
            if (edge->to == comm->rank) lists[0][in] = edge->from, lists[1][in++] = edge->weight;
            if (edge->from == comm->rank) lists[2][out] = edge->to, lists[3][out++] = edge->weight;
        }
        topology = make(in, lists[0], lists[1], out, lists[2], lists[3], weighted);
    }
    for (int i = 0; i < 4; ++i) free(lists[i]);
    return topology;
}

static int check_edges(struct dvm_comm* comm, int n, const int* sources, const int* degrees, const int* destinations,
                       const char* call) {
    int error = check_ranks(comm, n, sources, "sources", call);
    int count = 0;
    for (int i = 0; i < n && error == MPI_SUCCESS; ++i) {
        if (degrees[i] < 0) return dvm_error(comm, MPI_ERR_ARG, call, "degree %d of source %d", degrees[i], i);
        count += degrees[i];
    }
    return error == MPI_SUCCESS ? check_ranks(comm, count, destinations, "destinations", call) : error;
}

int PMPI_Dist_graph_create(MPI_Comm comm_old, int n, const int sources[], const int degrees[], const int destinations[],
                           const int weights[], MPI_Info info, int reorder, MPI_Comm* comm_dist_graph) {
    struct dvm_comm* comm = NULL;
    int error = dvm_check_shapeless(comm_old, &comm, DVM_CALL);
    if (error == MPI_SUCCESS) error = check_edges(comm, n, sources, degrees, destinations, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    (void)info, (void)reorder;
    struct edges mine = list_edges(n, sources, degrees, destinations, weights);
    struct edges all = {NULL, 0};
    error = mine.list == NULL ? dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology")
                              : share_edges(comm, &mine, &all);
    if (error == MPI_SUCCESS) {
        struct dvm_topology* const topology = pick_neighbours(comm, &all, weights != MPI_UNWEIGHTED);
        error = dvm_comm_shaped(comm, comm->size, NULL, topology, comm_dist_graph, DVM_CALL);
    } else {
        error = dvm_raise(comm, error, DVM_CALL);
    }
    free(mine.list);
    free(all.list);
    return error;
}
DVM_ALIAS(Dist_graph_create);

/* ---- questions ---- */

int PMPI_Dist_graph_neighbors_count(MPI_Comm comm, int* indegree, int* outdegree, int* weighted) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_DIST_GRAPH, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    *indegree = object->topology->in_degree;
    *outdegree = object->topology->out_degree;
    *weighted = object->topology->weighted;
    return MPI_SUCCESS;
}
DVM_ALIAS(Dist_graph_neighbors_count);

static void copy_some(int* to, const int* from, int count, int most) {
    for (int i = 0; i < count && i < most; ++i) to[i] = from[i];
}

int PMPI_Dist_graph_neighbors(MPI_Comm comm, int maxindegree, int sources[], int sourceweights[], int maxoutdegree,
                              int destinations[], int destweights[]) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_DIST_GRAPH, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const topology = object->topology;
    copy_some(sources, topology->sources, topology->in_degree, maxindegree);
    copy_some(destinations, topology->destinations, topology->out_degree, maxoutdegree);
    if (!topology->weighted) return MPI_SUCCESS;
    if (sourceweights != MPI_UNWEIGHTED && sourceweights != MPI_WEIGHTS_EMPTY)
        copy_some(sourceweights, topology->source_weights, topology->in_degree, maxindegree);
    if (destweights != MPI_UNWEIGHTED && destweights != MPI_WEIGHTS_EMPTY)
        copy_some(destweights, topology->destination_weights, topology->out_degree, maxoutdegree);
    return MPI_SUCCESS;
}
DVM_ALIAS(Dist_graph_neighbors);
