program sum_mpi
  use mpi
  implicit none
  integer :: rank, ranks, mine, total, ierror, status(MPI_STATUS_SIZE), from
  real :: half
  call MPI_Init(ierror)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierror)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierror)
  mine = rank + 1
  total = mine
  call MPI_Allreduce(MPI_IN_PLACE, total, 1, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierror)
  ! A real after an integer, in the same place.
  half = real(mine) / 2
  call MPI_Allreduce(MPI_IN_PLACE, half, 1, MPI_REAL, MPI_SUM, MPI_COMM_WORLD, ierror)
  if (abs(2 * half - total) > 0.1) call MPI_Abort(MPI_COMM_WORLD, 3, ierror)
  call MPI_Sendrecv(mine, 1, MPI_INTEGER, mod(rank + 1, ranks), 7, from, 1, MPI_INTEGER, MPI_ANY_SOURCE, 7, &
                    MPI_COMM_WORLD, status, ierror)
  if (status(MPI_SOURCE) /= mod(rank + ranks - 1, ranks)) call MPI_Abort(MPI_COMM_WORLD, 4, ierror)
  if (rank == 0) print '(i0, a, i0)', ranks, ' ranks, sum ', total
  call MPI_Finalize(ierror)
end program
