program sum_f08
  use mpi_f08
  implicit none
  integer :: rank, ranks, mine, total, from
  integer(kind=MPI_COUNT_KIND) :: one, got
  type(MPI_Op) :: add
  type(MPI_Comm) :: comm
  type(MPI_Status) :: status
  call MPI_Init()
  call MPI_Comm_dup(MPI_COMM_WORLD, comm)
  if (comm == MPI_COMM_WORLD) call MPI_Abort(MPI_COMM_WORLD, 2)
  call MPI_Comm_rank(comm, rank)
  call MPI_Comm_size(comm, ranks)
  mine = rank + 1
  call MPI_Op_create(add_up, .true., add)
  call MPI_Allreduce(mine, total, 1, MPI_INTEGER, add, comm)
  call MPI_Op_free(add)
  call MPI_Sendrecv(mine, 1, MPI_INTEGER, mod(rank + 1, ranks), 7, from, 1, MPI_INTEGER, MPI_ANY_SOURCE, 7, comm, status)
  if (status%MPI_SOURCE /= mod(rank + ranks - 1, ranks)) call MPI_Abort(MPI_COMM_WORLD, 4)
  one = 1
  call MPI_Sendrecv(rank, one, MPI_INTEGER, rank, 8, from, one, MPI_INTEGER, rank, 8, comm, status)
  call MPI_Get_count(status, MPI_INTEGER, got)
  if (from /= rank .or. got /= one) call MPI_Abort(MPI_COMM_WORLD, 7)
  call MPI_Comm_free(comm)
  if (comm /= MPI_COMM_NULL) call MPI_Abort(MPI_COMM_WORLD, 5)
  if (rank == 0) print '(i0, a, i0)', ranks, ' ranks, sum ', total
  call MPI_Finalize()

contains

  subroutine add_up(invec, inoutvec, len, datatype)
    use, intrinsic :: iso_c_binding, only: c_ptr, c_f_pointer
    type(c_ptr), value :: invec, inoutvec
    integer :: len
    type(MPI_Datatype) :: datatype
    integer, pointer :: from(:), to(:)
    if (datatype /= MPI_INTEGER) call MPI_Abort(MPI_COMM_WORLD, 6)
    call c_f_pointer(invec, from, [len])
    call c_f_pointer(inoutvec, to, [len])
    to = to + from
  end subroutine
end program
