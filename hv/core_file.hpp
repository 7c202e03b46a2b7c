// An ELF core file of a program that has ended, as gdb and its like open it.
//
// Shape: sparse; notes (each thread's registers, vector state and signal, the auxiliary vector, the mapped files), then
// all memory that the program could see, windows excepted (other nodes' messages pass there).
// Source: core(5), the kernel's fs/binfmt_elf.c; gdb's bfd/elf.c for what it needs.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "hv/program.hpp"

namespace divisi::hv {

// Writes to `fd`, an empty file, no more than `limit` bytes: what is beyond is missing then (RLIMIT_CORE). The
// program's nodes have stopped, and have left their threads' vector state in its place (ProgramSpec::keep_state).
// `fault` is what ended it. Errors: errno, a full disk for one; the file is then incomplete.
Result<void> write_core(const Program& program, const FaultReport& fault, const Fd& fd, std::uint64_t limit);

}  // namespace divisi::hv
