/* The vDSO's bytes, in the VMM. */
    .section .rodata
    .balign 4096
    .globl kVdsoImage
    .globl kVdsoImageEnd
    .hidden kVdsoImage
    .hidden kVdsoImageEnd
kVdsoImage:
    .incbin "vdso.so"
kVdsoImageEnd:
    .section .note.GNU-stack, "", @progbits
