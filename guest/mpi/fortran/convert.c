/* Strings, lengths, and the common blocks that are known by their addresses. */
#include "fortran.h"

/* gfortran aligns its common blocks so; the linker complains where we do less. */
#define DVF_COMMON _Alignas(32)

DVF_COMMON MPI_Fint mpi_fortran_bottom_;
DVF_COMMON MPI_Fint mpi_fortran_in_place_;
DVF_COMMON MPI_Fint mpi_fortran_buffer_automatic_;
DVF_COMMON MPI_Fint mpi_fortran_unweighted_[1];
DVF_COMMON MPI_Fint mpi_fortran_weights_empty_[1];
DVF_COMMON MPI_Fint mpi_fortran_errcodes_ignore_[1];
DVF_COMMON MPI_Fint mpi_fortran_status_ignore_[MPI_F_STATUS_SIZE];
DVF_COMMON MPI_Fint mpi_fortran_statuses_ignore_[MPI_F_STATUS_SIZE];

char* dvf_string(const char* text, size_t length) {
    while (length != 0 && text[length - 1] == ' ') --length;
    while (length != 0 && *text == ' ') ++text, --length;
    char* const copy = malloc(length + 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

void dvf_pad(char* text, size_t length, const char* from) {
    const size_t known = strlen(from);
    const size_t copied = known < length ? known : length;
    memcpy(text, from, copied);
    memset(text + copied, ' ', length - copied);
}

int dvf_peers(MPI_Fint comm) {
    const MPI_Comm handle = dvm_from_int(comm);
    int size = 0;
    int inter = 0;
    if (handle == NULL || handle == MPI_COMM_NULL) return 0;
    if (PMPI_Comm_test_inter(handle, &inter) != MPI_SUCCESS) return 0;
    const int result = inter ? PMPI_Comm_remote_size(handle, &size) : PMPI_Comm_size(handle, &size);
    return result == MPI_SUCCESS ? size : 0;
}

int dvf_neighbours(MPI_Fint comm, int out) {
    const MPI_Comm handle = dvm_from_int(comm);
    int in_degree = 0;
    int out_degree = 0;
    int weighted = 0;
    int kind = MPI_UNDEFINED;
    if (handle == NULL || handle == MPI_COMM_NULL || PMPI_Topo_test(handle, &kind) != MPI_SUCCESS) return 0;
    if (kind == MPI_DIST_GRAPH) {
        PMPI_Dist_graph_neighbors_count(handle, &in_degree, &out_degree, &weighted);
        return out ? out_degree : in_degree;
    }
    int rank = 0;
    int count = 0;
    if (kind == MPI_GRAPH && PMPI_Comm_rank(handle, &rank) == MPI_SUCCESS)
        PMPI_Graph_neighbors_count(handle, rank, &count);
    if (kind == MPI_CART && PMPI_Cartdim_get(handle, &count) == MPI_SUCCESS) count *= 2;
    return count;
}
