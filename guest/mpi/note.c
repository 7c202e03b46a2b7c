/* What the VMM looks for to know that a program is one of MPI: it starts as one rank a node (shm/abi/node_page.h). The
 * compiler wrappers ask for this symbol, so that every program linked with MPI has the note, even one that calls none
 * of it. */
#include "shm/abi/node_page.h"

/* NOLINTNEXTLINE(readability-identifier-naming): what the wrappers ask for. */
const char divisi_mpi_note[1] __attribute__((visibility("default")));

__asm__(
    ".pushsection .note.divisi, \"a\", @note\n"
    ".balign 4\n"
    ".long 7, 4, 2\n" /* owner's length, descriptor's length, DIVISI_NOTE_TYPE_MPI */
    ".asciz \"divisi\"\n"
    ".balign 4\n"
    ".long 3\n" /* DIVISI_ABI_VERSION */
    ".popsection\n");
DIVISI_ABI_ASSERT(DIVISI_NOTE_TYPE_MPI == 2u && DIVISI_ABI_VERSION == 3u);
