/* Pieces of code that the tests copy into a node and run there: position-independent, each from NAME to NAME_end. */
    .section .rodata.guest_code, "a", @progbits

.macro code name
    .globl \name
\name:
.endm
.macro end name
    .globl \name\()_end
\name\()_end:
.endm

/* A system call with the number and arguments that the registers hold. */
code guest_call
    syscall
end guest_call

code guest_call_int80
    int $0x80
end guest_call_int80

/* The call that the registers hold, and what it gave in rbx by another. */
code guest_two_calls
    syscall
    mov %rax, %rbx
    mov $1000, %eax
    syscall
end guest_two_calls

/* Calls the address in rbx, and says in rdi what it gave. */
code guest_call_rbx
    call *%rbx
    mov %rax, %rdi
    mov $1000, %eax
    syscall
end guest_call_rbx

/* Tells that it runs, by a system call, and then makes none any more. */
code guest_loop
    mov $1001, %eax
    syscall
1:  add $1, %rbx
    jmp 1b
end guest_loop

/* All registers by rotation, rflags by setting them, and what vectors hold by addition; then a system call. */
code guest_state
    vaddpd %ymm15, %ymm15, %ymm15
    vaddpd %ymm0, %ymm0, %ymm0
    xchg %rbx, %rbp
    xchg %r12, %r15
    xchg %r13, %r14
    xchg %r8, %r9
    xchg %rdi, %rsi
    xchg %rdx, %r10
    std
    mov $1002, %eax
    syscall
end guest_state

/* Reads what the segment bases point to. */
code guest_bases
    mov %fs:0, %rdi
    mov %gs:0, %rsi
    mov $1003, %eax
    syscall
end guest_bases

code guest_set_base
    mov $0x123000, %edi
    wrfsbase %rdi
    mov $1004, %eax
    syscall
end guest_set_base

/* Reads at rbx for ever; the rounds are counted in rcx. */
code guest_reader
    xor %ecx, %ecx
1:  mov (%rbx), %rax
    inc %rcx
    jmp 1b
end guest_reader

code guest_read
    mov (%rbx), %rdi
    mov $1005, %eax
    syscall
end guest_read

code guest_write
    movq $7, (%rbx)
    mov $1006, %eax
    syscall
end guest_write

code guest_jump
    jmp *%rbx
end guest_jump

code guest_invalid
    ud2
end guest_invalid

code guest_breakpoint
    int3
end guest_breakpoint

code guest_divide
    xor %ecx, %ecx
    div %ecx
end guest_divide

code guest_halt
    hlt
end guest_halt

    .section .note.GNU-stack, "", @progbits
