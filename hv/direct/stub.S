/* A stub process: its whole program image, ELF header included, as read-only data of divisi-vmm (stub_image.hpp).
 *
 * The code uses no stack and trusts no memory that the guest's program can write: what it does is told by its registers
 * and by pages that are read-only there. A program may jump to any of it: every system call in it is then treated as
 * the program's own, but for those that the filter knows by their arguments and their place (seccomp_filter.hpp).
 */
#include <asm/errno.h>
#include <asm/unistd.h>

#include "hv/direct/stub_abi.h"

    .section .rodata.divisi_stub, "a", @progbits
    .balign 64
    .globl divisi_stub_begin
divisi_stub_begin:
    /* ELF header: a static x86-64 executable with one segment, which is this very file. */
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .short 2, 62
    .long 1
    .quad DIVISI_STUB_BASE + (start - divisi_stub_begin)
    .quad segments - divisi_stub_begin
    .quad 0
    .long 0
    .short 64, 56, 2, 64, 0, 0
segments:
    .long 1, 5                  /* PT_LOAD, readable and executable */
    .quad 0, DIVISI_STUB_BASE, DIVISI_STUB_BASE
    .quad divisi_stub_end - divisi_stub_begin, divisi_stub_end - divisi_stub_begin, 4096
    .long 0x6474e551, 6         /* PT_GNU_STACK, not executable */
    .quad 0, 0, 0, 0, 0, 16

start:
    mov $__NR_mmap, %eax
    movabs $DIVISI_STUB_CONTROL_BASE, %rdi
    mov $(DIVISI_STUB_TASKS * DIVISI_CONTROL_BYTES), %esi
    mov $1, %edx                /* PROT_READ */
    mov $0x11, %r10d            /* MAP_SHARED | MAP_FIXED */
    mov $DIVISI_STUB_CONTROL_FD, %r8d
    xor %r9d, %r9d
    syscall
    mov %rax, %rbp              /* rbp: this task's control page */
    xor %r14d, %r14d            /* r14: the last sequence that was seen */
    test %rax, %rax
    js leave

/* Makes the calls that divisi-vmm asks for, a batch after another. */
wait:
    mov DIVISI_CONTROL_SEQUENCE(%rbp), %eax
    cmp %r14d, %eax
    jne batch
    mov $__NR_futex, %eax
    mov %rbp, %rdi
    xor %esi, %esi              /* FUTEX_WAIT */
    mov %r14d, %edx
    mov DIVISI_CONTROL_TIMEOUT(%rbp), %r10
    syscall
    cmp $-ETIMEDOUT, %rax
    jne wait
    /* Born of a parent that died before this task could ask to die with it? */
    mov $__NR_getppid, %eax
    syscall
    cmp DIVISI_CONTROL_PARENT(%rbp), %rax
    je wait
leave:
    mov $__NR_exit_group, %eax
    mov $1, %edi
    syscall
    hlt

batch:
    mov %eax, %r14d
    mov DIVISI_CONTROL_COUNT(%rbp), %r13d
    lea DIVISI_CONTROL_CALLS(%rbp), %r12
call:
    mov (%r12), %rax
    mov 8(%r12), %rdi
    mov 16(%r12), %rsi
    mov 24(%r12), %rdx
    mov 32(%r12), %r10
    mov 40(%r12), %r8
    mov 48(%r12), %r9
    syscall
    .globl divisi_stub_after_call
divisi_stub_after_call:
    cmp $-4095, %rax
    jae failed
    cmpq $__NR_clone, (%r12)
    jne done
    test %rax, %rax
    jz child
done:
    add $DIVISI_CONTROL_CALL_BYTES, %r12
    dec %r13d
    jnz call
    xor %eax, %eax

/* One byte for a batch: 0, or the error number of the call that failed. */
reply:
    lea divisi_stub_replies(%rip), %rsi
    add %rax, %rsi
    mov $__NR_write, %eax
    mov $DIVISI_STUB_REPLY_FD, %edi
    mov $1, %edx
    syscall
    jmp wait

failed:
    neg %rax
    cmp $255, %rax
    jbe reply
    mov $255, %eax
    jmp reply

child:
    mov DIVISI_CONTROL_CHILD(%rbp), %rbp
    xor %r14d, %r14d
    jmp wait

/* Every signal's handler. The kernel has put the registers into the frame at rsp, on this task's frames pages, and the
 * arguments (signal, siginfo, ucontext) go on to divisi-vmm as they are. It answers when the frame says how to go on.
 */
    .globl divisi_stub_handler
divisi_stub_handler:
    mov %rsp, %rbx
    or $(DIVISI_FRAMES_BYTES - 1), %rbx
    sub $(DIVISI_FRAMES_BYTES - 1 - DIVISI_FRAMES_BASES), %rbx
    rdfsbase %rax
    mov %rax, (%rbx)
    rdgsbase %rax
    mov %rax, 8(%rbx)
    mov $DIVISI_STUB_NOTIFY, %eax
    syscall
    .globl divisi_stub_after_notify
divisi_stub_after_notify:
    mov (%rbx), %rax
    wrfsbase %rax
    mov 8(%rbx), %rax
    wrgsbase %rax
    add $8, %rsp
    .globl divisi_stub_restorer
divisi_stub_restorer:
    mov $__NR_rt_sigreturn, %eax
    syscall
    .globl divisi_stub_after_return
divisi_stub_after_return:
    hlt

    .globl divisi_stub_replies
    .balign 64
divisi_stub_replies:
    .set value, 0
    .rept 256
    .byte value
    .set value, value + 1
    .endr

    .globl divisi_stub_end
divisi_stub_end:

    .section .note.GNU-stack, "", @progbits
