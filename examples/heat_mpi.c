/* A plate that is hot at one edge: its heat spreads, cell by cell, over ranks that know nothing but their neighbours.
 *
 *   mpicc -O2 -o heat_mpi heat_mpi.c && mpiexec -n 6 ./heat_mpi [CELLS [STEPS]]
 *
 * An ordinary MPI program, in the shape that most simulations have: the plate is cut into blocks, one a rank; around
 * its block each rank keeps a rim of cells that belong to others, the halo; before every step, neighbours exchange what
 * the other's halo should hold. Every cell is computed from the same numbers whichever rank does it, so the result does
 * not depend on how many there are.
 *
 * The ranks form a grid (MPI_Cart_create). On a topology whose interconnect is a mesh or torus they are put so that
 * neighbours in the grid share a link, as far as can be. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { kUp, kDown, kLeft, kRight, kSides };

struct block {
    MPI_Comm grid;
    int neighbours[kSides]; /* MPI_PROC_NULL at the edge of the plate: sends there go nowhere, receives leave all as is
                             */
    int first[2];           /* row and column of the plate at which this block begins */
    int rows, columns;      /* of the block, without its halo */
    MPI_Datatype column;    /* a column of cells lies scattered in memory */
    double* now;            /* (rows + 2) x (columns + 2), halo included */
    double* next;
};

static double* cell(const struct block* block, double* cells, int row, int column) {
    return &cells[row * (block->columns + 2) + column];
}

/* Cells first … first + count of `all`, for part `part` of `parts`: as even as it gets. */
static void share(int all, int parts, int part, int* first, int* count) {
    *first = (int)((long)all * part / parts);
    *count = (int)((long)all * (part + 1) / parts) - *first;
}

static void make(struct block* block, int cells) {
    int ranks = 0;
    int rank = 0;
    int dims[2] = {0, 0};
    int place[2] = {0, 0};
    const int open[2] = {0, 0};
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Dims_create(ranks, 2, dims);
    /* 1: ranks may be renumbered, so that the grid fits the interconnect. */
    MPI_Cart_create(MPI_COMM_WORLD, 2, dims, open, 1, &block->grid);
    MPI_Comm_rank(block->grid, &rank);
    MPI_Cart_coords(block->grid, rank, 2, place);
    MPI_Cart_shift(block->grid, 0, 1, &block->neighbours[kUp], &block->neighbours[kDown]);
    MPI_Cart_shift(block->grid, 1, 1, &block->neighbours[kLeft], &block->neighbours[kRight]);
    share(cells, dims[0], place[0], &block->first[0], &block->rows);
    share(cells, dims[1], place[1], &block->first[1], &block->columns);
    MPI_Type_vector(block->rows, 1, block->columns + 2, MPI_DOUBLE, &block->column);
    MPI_Type_commit(&block->column);
    const size_t count = (size_t)(block->rows + 2) * (size_t)(block->columns + 2);
    block->now = calloc(count, sizeof(double));
    block->next = calloc(count, sizeof(double));
    if (block->now == NULL || block->next == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
    /* The hot edge is above the first row: there, the halo is nobody's, and stays as it is. */
    for (int column = 0; column < block->columns + 2 && block->neighbours[kUp] == MPI_PROC_NULL; ++column)
        *cell(block, block->now, 0, column) = *cell(block, block->next, 0, column) = 100;
}

/* All receives first, then all sends: so nobody waits for one who waits in turn. */
static void exchange_halos(struct block* block) {
    double* const now = block->now;
    const int rows = block->rows;
    const int columns = block->columns;
    const int* const to = block->neighbours;
    MPI_Request requests[2 * kSides];
    MPI_Irecv(cell(block, now, 0, 1), columns, MPI_DOUBLE, to[kUp], kDown, block->grid, &requests[0]);
    MPI_Irecv(cell(block, now, rows + 1, 1), columns, MPI_DOUBLE, to[kDown], kUp, block->grid, &requests[1]);
    MPI_Irecv(cell(block, now, 1, 0), 1, block->column, to[kLeft], kRight, block->grid, &requests[2]);
    MPI_Irecv(cell(block, now, 1, columns + 1), 1, block->column, to[kRight], kLeft, block->grid, &requests[3]);
    MPI_Isend(cell(block, now, 1, 1), columns, MPI_DOUBLE, to[kUp], kUp, block->grid, &requests[4]);
    MPI_Isend(cell(block, now, rows, 1), columns, MPI_DOUBLE, to[kDown], kDown, block->grid, &requests[5]);
    MPI_Isend(cell(block, now, 1, 1), 1, block->column, to[kLeft], kLeft, block->grid, &requests[6]);
    MPI_Isend(cell(block, now, 1, columns), 1, block->column, to[kRight], kRight, block->grid, &requests[7]);
    MPI_Waitall(2 * kSides, requests, MPI_STATUSES_IGNORE);
}

/* Each cell becomes the mean of its four neighbours. The largest change. */
static double step(struct block* block) {
    double largest = 0;
    for (int row = 1; row <= block->rows; ++row) {
        for (int column = 1; column <= block->columns; ++column) {
            double* const at = cell(block, block->now, row, column);
            const int line = block->columns + 2;
            const double mean = 0.25 * ((at[-line] + at[line]) + (at[-1] + at[1]));
            const double change = mean > *at ? mean - *at : *at - mean;
            if (change > largest) largest = change;
            *cell(block, block->next, row, column) = mean;
        }
    }
    double* const last = block->now;
    block->now = block->next;
    block->next = last;
    return largest;
}

/* Below the middle of the hot edge; 0 on the ranks that do not have that cell. */
static double sample(const struct block* block, int cells) {
    const int row = cells / 4 - block->first[0];
    const int column = cells / 2 - block->first[1];
    const int mine = row >= 0 && row < block->rows && column >= 0 && column < block->columns;
    return mine ? *cell(block, block->now, row + 1, column + 1) : 0;
}

int main(int argc, char** argv) {
    struct block block;
    int rank = 0;
    int ranks = 0;
    MPI_Init(&argc, &argv);
    const int cells = argc > 1 ? atoi(argv[1]) : 128;
    const int steps = argc > 2 ? atoi(argv[2]) : 500;
    make(&block, cells);
    MPI_Comm_rank(block.grid, &rank);
    MPI_Comm_size(block.grid, &ranks);
    double change = 0;
    const double begin = MPI_Wtime();
    for (int i = 0; i < steps; ++i) {
        exchange_halos(&block);
        change = step(&block);
    }
    double mine[2] = {change, sample(&block, cells)};
    double all[2] = {0, 0};
    MPI_Reduce(mine, all, 2, MPI_DOUBLE, MPI_MAX, 0, block.grid);
    if (rank == 0) {
        printf("%d x %d cells, %d steps: %.9f degrees below the hot edge, last change %.3e\n", cells, cells, steps,
               all[1], all[0]);
        printf("%d ranks, %.3f s\n", ranks, MPI_Wtime() - begin);
    }
    free(block.now);
    free(block.next);
    MPI_Type_free(&block.column);
    MPI_Comm_free(&block.grid);
    MPI_Finalize();
    return 0;
}
