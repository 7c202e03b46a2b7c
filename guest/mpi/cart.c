/* Cartesian topologies. Ranks are numbered row by row: the last coordinate varies fastest. */
#include "topology.h"

#include <stdlib.h>

/* ---- ranks and coordinates ---- */

int dvm_cart_rank(const struct dvm_topology* topology, const int* coordinates) {
    int rank = 0;
    for (int i = 0; i < topology->dimensions; ++i) {
        const int size = topology->sizes[i];
        int at = coordinates[i];
        if (at < 0 || at >= size) {
            if (!topology->periods[i]) return MPI_PROC_NULL;
            at = at % size + (at % size < 0 ? size : 0);
        }
        rank = rank * size + at;
    }
    return rank;
}

void dvm_cart_place(const struct dvm_topology* topology, int rank, int* coordinates) {
    for (int i = topology->dimensions - 1; i >= 0; --i) {
        coordinates[i] = rank % topology->sizes[i];
        rank /= topology->sizes[i];
    }
}

/* The rank that is `step` away from ours in a dimension. */
static int shifted(struct dvm_topology* topology, int dimension, int step) {
    const int here = topology->place[dimension];
    /* A step of any length is one within the ring. */
    topology->place[dimension] = topology->periods[dimension] ? here + step % topology->sizes[dimension] : here + step;
    const bool overflow =
        !topology->periods[dimension] && (step > 0) != (topology->place[dimension] > here) && step != 0;
    const int rank = overflow ? MPI_PROC_NULL : dvm_cart_rank(topology, topology->place);
    topology->place[dimension] = here;
    return rank;
}

/* ---- making ---- */

static int count_places(const int* sizes, int dimensions, int most) {
    long long count = 1;
    for (int i = 0; i < dimensions && count <= most; ++i) count *= sizes[i];
    return count > most ? -1 : (int)count;
}

/* The topology of `rank`; NULL: no memory. */
static struct dvm_topology* make(int dimensions, const int* sizes, const int* periods, int rank) {
    struct dvm_topology* const topology = dvm_topology_new(MPI_CART);
    if (topology == NULL) return NULL;
    const size_t room = (size_t)(dimensions > 0 ? dimensions : 1) * sizeof(int);
    topology->dimensions = dimensions;
    topology->sizes = dvm_copy_ints(sizes, dimensions);
    topology->periods = dvm_copy_ints(periods, dimensions);
    topology->place = malloc(room);
    topology->sources = malloc(2 * room);
    topology->destinations = malloc(2 * room);
    if (topology->sizes == NULL || topology->periods == NULL || topology->place == NULL || topology->sources == NULL ||
        topology->destinations == NULL) {
        dvm_topology_free(topology);
        return NULL;
    }
    for (int i = 0; i < dimensions; ++i) topology->periods[i] = periods[i] != 0;
    dvm_cart_place(topology, rank, topology->place);
    topology->in_degree = topology->out_degree = 2 * dimensions;
    for (int i = 0; i < dimensions; ++i) {
        topology->sources[2 * i] = topology->destinations[2 * i] = shifted(topology, i, -1);
        topology->sources[2 * i + 1] = topology->destinations[2 * i + 1] = shifted(topology, i, 1);
    }
    return topology;
}

/* How many places the grid has; -1 after an error was raised. */
static int check_grid(struct dvm_comm* comm, int ndims, const int* dims, const char* call) {
    if (ndims < 0) {
        dvm_error(comm, MPI_ERR_DIMS, call, "%d dimensions", ndims);
        return -1;
    }
    for (int i = 0; i < ndims; ++i) {
        if (dims[i] > 0) continue;
        dvm_error(comm, MPI_ERR_DIMS, call, "the size of dimension %d is %d", i, dims[i]);
        return -1;
    }
    const int count = count_places(dims, ndims, comm->size);
    if (count < 0) dvm_error(comm, MPI_ERR_DIMS, call, "the grid has more places than the %d ranks fill", comm->size);
    return count;
}

/* Our place in the new order; -1: none. */
static int place_in(const struct dvm_comm* comm, int count, const int* order) {
    for (int rank = 0; rank < count; ++rank)
        if ((order == NULL ? rank : order[rank]) == comm->rank) return rank;
    return -1;
}

int PMPI_Cart_create(MPI_Comm comm_old, int ndims, const int dims[], const int periods[], int reorder,
                     MPI_Comm* comm_cart) {
    struct dvm_comm* comm = NULL;
    int error = dvm_check_shapeless(comm_old, &comm, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const int count = check_grid(comm, ndims, dims, DVM_CALL);
    if (count < 0) return MPI_ERR_DIMS;
    int* const order = reorder ? malloc((size_t)count * sizeof *order) : NULL;
    if (order != NULL) error = dvm_cart_order(comm, ndims, dims, periods, count, order);
    if (error == MPI_SUCCESS) {
        const int rank = place_in(comm, count, order);
        struct dvm_topology* const topology = make(ndims, dims, periods, rank < 0 ? 0 : rank);
        error = dvm_comm_shaped(comm, count, order, topology, comm_cart, DVM_CALL);
    } else {
        error = dvm_raise(comm, error, DVM_CALL);
    }
    free(order);
    return error;
}
DVM_ALIAS(Cart_create);

int PMPI_Cart_map(MPI_Comm comm, int ndims, const int dims[], const int periods[], int* newrank) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_shapeless(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const int count = check_grid(object, ndims, dims, DVM_CALL);
    if (count < 0) return MPI_ERR_DIMS;
    (void)periods;
    *newrank = object->rank < count ? object->rank : MPI_UNDEFINED;
    return MPI_SUCCESS;
}
DVM_ALIAS(Cart_map);

/* Who stays together: all with our coordinates in the dimensions that are dropped, numbered by the others. */
int PMPI_Cart_sub(MPI_Comm comm, const int remain_dims[], MPI_Comm* newcomm) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const whole = object->topology;
    const size_t room = (size_t)(whole->dimensions > 0 ? whole->dimensions : 1) * sizeof(int);
    int* const sizes = malloc(room);
    int* const periods = malloc(room);
    int* const place = malloc(room);
    int* const order = malloc((size_t)object->size * sizeof *order);
    if (sizes == NULL || periods == NULL || place == NULL || order == NULL) {
        free(sizes), free(periods), free(place), free(order);
        return dvm_error(object, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for a topology");
    }
    int dimensions = 0;
    for (int i = 0; i < whole->dimensions; ++i) {
        if (!remain_dims[i]) continue;
        sizes[dimensions] = whole->sizes[i];
        periods[dimensions++] = whole->periods[i];
    }
    int count = 0;
    int mine = 0;
    for (int rank = 0; rank < object->size; ++rank) {
        bool same = true;
        dvm_cart_place(whole, rank, place);
        for (int i = 0; i < whole->dimensions; ++i) same = same && (remain_dims[i] || place[i] == whole->place[i]);
        if (rank == object->rank) mine = count;
        if (same) order[count++] = rank;
    }
    const int code = dvm_comm_shaped(object, count, order, make(dimensions, sizes, periods, mine), newcomm, DVM_CALL);
    free(sizes), free(periods), free(place), free(order);
    return code;
}
DVM_ALIAS(Cart_sub);

/* ---- questions ---- */

int PMPI_Cartdim_get(MPI_Comm comm, int* ndims) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error == MPI_SUCCESS) *ndims = object->topology->dimensions;
    return error;
}
DVM_ALIAS(Cartdim_get);

static int check_room(struct dvm_comm* comm, int maxdims, const char* call) {
    if (maxdims >= comm->topology->dimensions) return MPI_SUCCESS;
    return dvm_error(comm, MPI_ERR_ARG, call, "room for %d coordinates, the grid has %d dimensions", maxdims,
                     comm->topology->dimensions);
}

int PMPI_Cart_get(MPI_Comm comm, int maxdims, int dims[], int periods[], int coords[]) {
    struct dvm_comm* object = NULL;
    int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error == MPI_SUCCESS) error = check_room(object, maxdims, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    for (int i = 0; i < object->topology->dimensions; ++i) {
        dims[i] = object->topology->sizes[i];
        periods[i] = object->topology->periods[i];
        coords[i] = object->topology->place[i];
    }
    return MPI_SUCCESS;
}
DVM_ALIAS(Cart_get);

int PMPI_Cart_rank(MPI_Comm comm, const int coords[], int* rank) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_topology* const topology = object->topology;
    for (int i = 0; i < topology->dimensions; ++i)
        if (!topology->periods[i] && (coords[i] < 0 || coords[i] >= topology->sizes[i]))
            return dvm_error(object, MPI_ERR_ARG, DVM_CALL, "coordinate %d is %d, outside of the %d there are", i,
                             coords[i], topology->sizes[i]);
    *rank = dvm_cart_rank(topology, coords);
    return MPI_SUCCESS;
}
DVM_ALIAS(Cart_rank);

int PMPI_Cart_coords(MPI_Comm comm, int rank, int maxdims, int coords[]) {
    struct dvm_comm* object = NULL;
    int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error == MPI_SUCCESS) error = check_room(object, maxdims, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (rank < 0 || rank >= object->size)
        return dvm_error(object, MPI_ERR_RANK, DVM_CALL, "rank %d, the communicator has %d ranks", rank, object->size);
    dvm_cart_place(object->topology, rank, coords);
    return MPI_SUCCESS;
}
DVM_ALIAS(Cart_coords);

int PMPI_Cart_shift(MPI_Comm comm, int direction, int disp, int* rank_source, int* rank_dest) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_topology(comm, MPI_CART, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (direction < 0 || direction >= object->topology->dimensions)
        return dvm_error(object, MPI_ERR_DIMS, DVM_CALL, "dimension %d, the grid has %d", direction,
                         object->topology->dimensions);
    *rank_source = shifted(object->topology, direction, disp == INT32_MIN ? INT32_MAX : -disp);
    *rank_dest = shifted(object->topology, direction, disp);
    return MPI_SUCCESS;
}
DVM_ALIAS(Cart_shift);
