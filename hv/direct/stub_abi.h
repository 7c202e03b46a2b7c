/* What divisi-vmm and the code in a stub process (stub.S) agree on: addresses, page layouts, descriptor numbers.
 *
 * A stub's address space, above the program's 128 GiB:
 *
 *   kStubBase       code      the stub's image, read-only and executable
 *   kControlBase    control   a page a task, read-only here; divisi-vmm writes it
 *   kFramesBase     frames    16 KiB a task, writable: its signal frames, on which its registers are exchanged
 *
 * The control page of a task (offsets in bytes):
 *
 *      0  u32  sequence      changes when there is a batch of calls to make
 *      4  u32  count         of calls in the batch
 *      8  u64  child         the control page for the child that a clone in the batch makes
 *     16  u64  timeout       pointer to a timespec, or 0: how often to look whether the parent lives
 *     24  u64  parent        its process id
 *     64  the calls, 64 bytes each: number, six arguments, unused
 *   2112  data that arguments point to
 *
 * The frames of a task: the alternate signal stack, and in the last 64 bytes the segment bases:
 *
 *      0  u64  FS base       8  u64  GS base
 */
#pragma once

#define DIVISI_STUB_BASE 0x600000000000
#define DIVISI_STUB_CONTROL_BASE 0x600000100000
#define DIVISI_STUB_FRAMES_BASE 0x600001000000
#define DIVISI_STUB_END 0x600002000000

#define DIVISI_STUB_TASKS 1024

#define DIVISI_CONTROL_BYTES 4096
#define DIVISI_CONTROL_SEQUENCE 0
#define DIVISI_CONTROL_COUNT 4
#define DIVISI_CONTROL_CHILD 8
#define DIVISI_CONTROL_TIMEOUT 16
#define DIVISI_CONTROL_PARENT 24
#define DIVISI_CONTROL_CALLS 64
#define DIVISI_CONTROL_CALL_BYTES 64
#define DIVISI_CONTROL_MAX_CALLS 32
#define DIVISI_CONTROL_DATA 2112

#define DIVISI_FRAMES_BYTES 0x4000
#define DIVISI_FRAMES_BASES 0x3fc0

/* A system call that no kernel has: by it a signal handler says that its frame is complete. */
#define DIVISI_STUB_NOTIFY 0x00444956

/* Descriptors of a stub process; 0 stays free for the listener that its filter makes. */
#define DIVISI_STUB_LISTENER 0
#define DIVISI_STUB_CONTROL_FD 3
#define DIVISI_STUB_FRAMES_FD 4
#define DIVISI_STUB_REPLY_FD 5
#define DIVISI_STUB_SOCKET_FD 6
#define DIVISI_STUB_IMAGE_FD 7
#define DIVISI_STUB_FIRST_MEMORY_FD 8
