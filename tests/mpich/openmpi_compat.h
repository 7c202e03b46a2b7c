/* Put before the suite's sources where Debian's Open MPI builds them: its mpi.h refuses the names that MPI-3.0 removed,
 * and the suite's own helper library uses three of them. Without these nothing in C would build with it. */
#include <mpi.h>
#undef MPI_Type_hvector
#undef MPI_Type_hindexed
#undef MPI_Type_struct
#define MPI_Type_hvector MPI_Type_create_hvector
#define MPI_Type_hindexed MPI_Type_create_hindexed
#define MPI_Type_struct MPI_Type_create_struct
