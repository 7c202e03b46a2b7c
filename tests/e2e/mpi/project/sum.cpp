#include <mpi.h>

#include <iostream>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    std::vector<int> all(static_cast<std::size_t>(size));
    int mine = 0;
    std::thread([&] { mine = rank + 1; }).join();
    MPI_Allgather(&mine, 1, MPI_INT, all.data(), 1, MPI_INT, MPI_COMM_WORLD);
    int sum = 0;
    for (const int value : all) sum += value;
    if (rank == 0) std::cout << size << " ranks, sum " << sum << "\n";
    MPI_Finalize();
}
