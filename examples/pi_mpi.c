/* Pi by midpoints, the terms dealt out over the ranks: an ordinary MPI program, which knows nothing of divisi.
 *
 *   mpicc -O2 -o pi_mpi pi_mpi.c && mpiexec -n 8 ./pi_mpi */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char** argv) {
    const long terms = 10000000;
    int rank = 0;
    int size = 1;
    double mine = 0;
    double sum = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const double begin = MPI_Wtime();
    for (long i = rank; i < terms; i += size) {
        const double x = ((double)i + 0.5) / (double)terms;
        mine += 4.0 / (1.0 + x * x);
    }
    MPI_Reduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("pi is about %.12f, by %d ranks in %.3f s\n", sum / (double)terms, size, MPI_Wtime() - begin);
    MPI_Finalize();
    return 0;
}
