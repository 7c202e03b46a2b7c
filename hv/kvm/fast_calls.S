/* Code in every program's address space, one page at kFastCallsGva, that system calls enter where SYSCALL leaves the
 * processor in ring 3 (fast_calls.hpp). It runs as the program itself: it can do nothing that the program could not.
 *
 * It has RAX to itself (the call's number, where it is a futex's, is known), and must leave all else as it found it: RCX
 * and R11 hold where to go back to and the flags, as SYSCALL put them there. It may be left at any instruction, by a
 * fault or a kick; divisi-vmm then acts as if the SYSCALL had not been executed yet, or serves it.
 */
    .set FUTEX_CALL, 202
    .set FUTEX_WAKE, 1
    .set FUTEX_WAIT_BITSET, 9
    .set FUTEX_PRIVATE, 128
    .set FUTEX_CLOCK_REALTIME, 256
    .set EAGAIN, 11
    .set WINDOWS_ABOVE, 0x1f        /* kWindowGva >> 32 */
    .set COUNTER_OFFSET, 0xffc      /* a counter of 4 bytes for the words at addresses that end alike */

    .set door, divisi_fast_calls_begin + 0x2000     /* kDoorGva */
    .set looks, divisi_fast_calls_begin + 0xffc     /* PageTables::looks */

    /* Back to the program with `result`. Linux gives all flags back: OF by an addition, the others by SAHF. */
    .macro give result
    btl $11, %r11d
    setc %al
    addb $127, %al
    movzbl %r11b, %eax
    xchgb %al, %ah
    sahf
    movq $\result, %rax
    jmp *%rcx
    .endm

    .section .rodata
    .balign 64
    .globl divisi_fast_calls_begin
    .hidden divisi_fast_calls_begin
    .globl divisi_fast_calls_scratch
    .hidden divisi_fast_calls_scratch
    .globl divisi_fast_calls_end
    .hidden divisi_fast_calls_end
divisi_fast_calls_begin:
    cmpq $FUTEX_CALL, %rax
    je divisi_fast_calls_scratch
leave:
    movl %eax, door(%rip)           /* an exit */
    .globl divisi_fast_calls_left
    .hidden divisi_fast_calls_left
divisi_fast_calls_left:
    ud2

    /* From here on RAX may hold anything. */
divisi_fast_calls_scratch:
    testb $3, %dil
    jne leave_futex
    movq %rdi, %rax
    shrq $32, %rax
    cmpl $WINDOWS_ABOVE, %eax
    jae leave_futex
    movl %esi, %eax
    andl $~FUTEX_PRIVATE, %eax
    cmpl $FUTEX_WAKE, %eax
    jne no_wake
    /* ORDER: what the program stored before, it stored before this looks for who waits: a thread counts itself before it
     * looks at the word (FutexTable::wait). */
    mfence
    movl %edi, %eax
    andl $COUNTER_OFFSET, %eax
    addq counters_address(%rip), %rax
    cmpl $0, (%rax)
    jne leave_futex
    give 0                          /* nobody waits: none was woken */

    /* A wait without an end set by time: as long as every thread has a PU to itself, what it waits for may be done on
     * another in less time than an exit takes. */
no_wake:
    andl $~FUTEX_CLOCK_REALTIME, %eax
    jz look
    cmpl $FUTEX_WAIT_BITSET, %eax
    jne leave_futex
    testl %r9d, %r9d
    jz leave_futex
look:
    testq %r10, %r10
    jnz leave_futex
    movl looks(%rip), %eax
    testl %eax, %eax
    jz leave_futex
look_again:
    cmpl %edx, (%rdi)               /* may fault: the call is then made by an exit */
    jne changed
    pause
    decl %eax
    jnz look_again
leave_futex:
    movl $FUTEX_CALL, %eax
    jmp leave

changed:
    give -EAGAIN

    .balign 8
counters_address:
    .quad 0x1fffff1000              /* kWaitersGva */
divisi_fast_calls_end:
    .section .note.GNU-stack, "", @progbits
