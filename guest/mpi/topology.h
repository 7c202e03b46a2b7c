/* What a communicator knows of the shape that its ranks have.
 *
 * Whatever the kind, it has this rank's neighbours, in the order in which the neighbourhood collectives count them;
 * those that are not there, at the border of a grid, are MPI_PROC_NULL. */
#ifndef DVM_TOPOLOGY_H
#define DVM_TOPOLOGY_H

#include "engine.h"

struct dvm_topology {
    int kind; /* MPI_CART, MPI_GRAPH or MPI_DIST_GRAPH */
    int in_degree;
    int out_degree;
    int* sources;
    int* destinations;

    /* MPI_CART: of every dimension. */
    int dimensions;
    int* sizes;
    int* periods; /* 0 or 1 */
    int* place;   /* of this rank */

    /* MPI_GRAPH: as it was given. */
    int nodes;
    int* ends; /* where the edges of every node end */
    int* edges;

    /* MPI_DIST_GRAPH: of every neighbour; NULL: there are none. */
    bool weighted;
    int* source_weights;
    int* destination_weights;
};

/* NULL: no memory. */
struct dvm_topology* dvm_topology_new(int kind);
/* A copy of `count` integers; of none, an address all the same. NULL: no memory. */
int* dvm_copy_ints(const int* from, int count);

/* The topology of `comm`, which has to be of `kind`, or an error raised. */
int dvm_check_topology(MPI_Comm comm, int kind, struct dvm_comm** object, const char* call);
/* Whether a topology can be given to what is made from `comm`: an intracommunicator; or an error raised. */
int dvm_check_shapeless(MPI_Comm comm, struct dvm_comm** object, const char* call);

/* A new communicator over the first `count` ranks of `comm`, in the order `order` (NULL: as they are), that takes the
 * topology over. Collective; ranks that are not in it get MPI_COMM_NULL. Raises what goes wrong. */
int dvm_comm_shaped(struct dvm_comm* comm, int count, const int* order, struct dvm_topology* topology, MPI_Comm* made,
                    const char* call);

/* Cartesian: the rank at these coordinates, MPI_PROC_NULL outside. */
int dvm_cart_rank(const struct dvm_topology* topology, const int* coordinates);
void dvm_cart_place(const struct dvm_topology* topology, int rank, int* coordinates);

/* Fills `order`, by new rank: the present one, so that neighbours in the grid are neighbours in the interconnect where
 * its shape allows. The same for all ranks, collective. */
int dvm_cart_order(struct dvm_comm* comm, int dimensions, const int* sizes, const int* periods, int count, int* order);

#endif
