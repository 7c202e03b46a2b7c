# The guest suite's table: which claim, which program, how built, how run. See CMakeLists.txt for the columns.

divisi_guest_test(bare SOURCE bare.S FLAVOURS glibc pie EXIT 3)
divisi_guest_test(hello SOURCE hello.c FLAVOURS glibc pie musl musl-pie high packed huge-aligned)
divisi_guest_test(arguments SOURCE arguments.c FLAVOURS glibc pie musl musl-pie ARGS one "two words" "" "ü*$x")

foreach(way return exit _exit thread)
  divisi_guest_test(exit_${way} SOURCE exit_code.c ARGS ${way} 7 EXIT 7)
endforeach()
divisi_guest_test(exit_255 SOURCE exit_code.c ARGS return 255 EXIT 255)
divisi_guest_test(exit_wraps SOURCE exit_code.c ARGS exit 513 EXIT 1)

# Files and streams
divisi_guest_test(input SOURCE input.c STDIN_LINES 30000)
divisi_guest_test(input_empty SOURCE input.c)
divisi_guest_test(output SOURCE output.c RANKS 1)
divisi_guest_test(stdio SOURCE stdio.c)
divisi_guest_test(files SOURCE files.c)
divisi_guest_test(attributes SOURCE attributes.c)
divisi_guest_test(view SOURCE view.c NATIVE_DIFFERS)
divisi_guest_test(files_cpp SOURCE files.cpp FLAVOURS glibc pie)
divisi_guest_test(streams SOURCE streams.cpp STDIN_LINES 2000)
divisi_guest_test(pipes SOURCE pipes.c)
divisi_guest_test(waiting SOURCE waiting.c)
divisi_guest_test(sockets SOURCE sockets.c)
divisi_guest_test(splices SOURCE splices.c FLAVOURS glibc)
divisi_guest_test(watches SOURCE watches.c)

# Memory
divisi_guest_test(memory SOURCE memory.c FLAVOURS glibc pie musl)
divisi_guest_test(big SOURCE big.c FLAVOURS glibc pie musl)
divisi_guest_test(shared_map SOURCE shared_map.c)
divisi_guest_test(mapped_files SOURCE mapped_files.c)
divisi_guest_test(limits SOURCE limits.c)
divisi_guest_test(limit_of_time SOURCE limits.c FLAVOURS glibc ARGS time RANKS 1 EXIT 137)
divisi_guest_test(bounds SOURCE bounds.c FLAVOURS glibc NATIVE_DIFFERS)
divisi_guest_test(bad_pointers SOURCE bad_pointers.c)
# Linux ends a program whose rseq area, which glibc registers, it cannot write at a signal.
if(DIVISI_MUSL_GCC)
  divisi_guest_test(closed_keys SOURCE closed_keys.c FLAVOURS musl)
endif()

# The processor's state
divisi_guest_test(registers SOURCE registers.c)
divisi_guest_test(vectors SOURCE vectors.c)
divisi_guest_test(floats SOURCE floats.c OPTIONS -lm)
divisi_guest_test(compute SOURCE compute.c OPTIONS -lm)
divisi_guest_test(exceptions SOURCE exceptions.cpp FLAVOURS glibc pie)

# Time, identity, processors
divisi_guest_test(clocks SOURCE clocks.c)
divisi_guest_test(vdso SOURCE vdso.c FLAVOURS glibc pie musl)
divisi_guest_test(identity SOURCE identity.c)
divisi_guest_test(identities SOURCE identities.c FLAVOURS glibc)
divisi_guest_test(cpus SOURCE cpus.c ARGS @cpus@)
divisi_guest_test(made_up_files SOURCE made_up_files.c ARGS @cpus@ NATIVE_DIFFERS)
divisi_guest_test(refused SOURCE refused.c NATIVE_DIFFERS)

# Threads
divisi_guest_test(tls SOURCE tls.c FLAVOURS glibc pie musl musl-pie)
divisi_guest_test(threads SOURCE threads.cpp FLAVOURS glibc pie)
divisi_guest_test(pthreads SOURCE pthreads.c)
divisi_guest_test(futexes SOURCE futexes.c)
divisi_guest_test(wake_and_wait SOURCE wake_and_wait.c NATIVE_DIFFERS)
divisi_guest_test(called_by_jumps SOURCE called_by_jumps.c OPTIONS -I${CMAKE_SOURCE_DIR})
divisi_guest_test(many_threads SOURCE many_threads.c ARGS 64 400)
# The issue's figure is 100000, which takes a minute: -DDIVISI_THREAD_TURNOVER=100000.
set(DIVISI_THREAD_TURNOVER 1000 CACHE STRING "How many threads the guest suite makes and joins one after another")
divisi_guest_test(thread_turnover SOURCE thread_turnover.c ARGS ${DIVISI_THREAD_TURNOVER})
divisi_guest_test(busy_threads SOURCE busy_threads.c RANKS 1)
foreach(way_and_code main-returns:4 main-exits-first:5 exit-group:6)
  string(REPLACE ":" ";" way_and_code ${way_and_code})
  list(GET way_and_code 0 way)
  list(GET way_and_code 1 code)
  divisi_guest_test(thread_${way} SOURCE thread_ends.c ARGS ${way} EXIT ${code})
endforeach()
divisi_guest_test(openmp SOURCE openmp.c FLAVOURS glibc OPTIONS -fopenmp ARGS @cpus@)
# libgfortran refers to these weakly, and calls them; a static libc brings along only what someone wants strongly.
set(pull_in)
foreach(function cond_broadcast cond_destroy cond_init cond_signal cond_wait mutex_destroy mutex_init mutex_trylock
    key_create key_delete getspecific setspecific create join)
  list(APPEND pull_in -Wl,-u,pthread_${function})
endforeach()
divisi_guest_test(fortran SOURCE fortran.f90 FLAVOURS glibc OPTIONS -fopenmp ${pull_in} EXIT 3)

# Signals that the program handles itself
divisi_guest_test(signals SOURCE signals.c)
divisi_guest_test(alt_stacks SOURCE alt_stacks.c)
divisi_guest_test(stops SOURCE stops.c FLAVOURS glibc)
divisi_guest_test(cancellation SOURCE cancellation.c)
divisi_guest_test(timers SOURCE timers.c)
divisi_guest_test(signal_queue SOURCE signal_queue.c FLAVOURS glibc OPTIONS -lm)
divisi_guest_test(lock_owners SOURCE lock_owners.c FLAVOURS glibc)

# Faults: the program ends as it would natively
foreach(way null-read null-write null-call low-read wild-read noncanonical kernel-read write-rodata write-code
    execute-data execute-heap write-readonly read-none read-unmapped reserved-read
    reserved-write reserved-fill reserved-add past-break privileged port interrupts-off
    system-register model-register overflow thread-overflow thread-fault)
  divisi_guest_test(fault_${way} SOURCE faults.c FLAVOURS glibc OPTIONS -lm ARGS ${way} EXIT 139)
endforeach()
divisi_guest_test(fault_division SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS division EXIT 136)
divisi_guest_test(fault_float-division SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS float-division EXIT 136)
divisi_guest_test(fault_illegal SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS illegal EXIT 132)
divisi_guest_test(fault_breakpoint SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS breakpoint EXIT 133)
divisi_guest_test(fault_abort SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS abort EXIT 134)
divisi_guest_test(fault_killed SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS killed EXIT 137)
divisi_guest_test(fault_terminated SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS terminated EXIT 143)
divisi_guest_test(fault_user-signal SOURCE faults.c OPTIONS -lm FLAVOURS glibc ARGS user-signal EXIT 138)
divisi_guest_test(fault_terminate SOURCE terminate.cpp EXIT 134)
