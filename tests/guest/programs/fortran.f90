! A Fortran program: formatted output, files, allocatable arrays, OpenMP.
program fortran
    use omp_lib
    implicit none
    real(8), allocatable :: values(:)
    real(8) :: total
    integer :: i, unit_number, read_back
    character(len=32) :: line

    allocate (values(100000))
    do i = 1, size(values)
        values(i) = sqrt(real(i, 8))
    end do
    total = 0
    !$omp parallel do reduction(+:total) num_threads(4)
    do i = 1, size(values)
        total = total + values(i)
    end do
    write (*, '(a, f16.4)') 'total', total
    open (newunit=unit_number, status='scratch')
    write (unit_number, *) 12345
    rewind (unit_number)
    read (unit_number, *) read_back
    close (unit_number)
    write (line, '(i0)') read_back
    print *, 'read back ', trim(line)
    print *, 'threads make sense:', omp_get_max_threads() >= 1
    stop 3
end program fortran
