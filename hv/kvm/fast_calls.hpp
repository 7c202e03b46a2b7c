// System calls that are answered on the node's own processor, without an exit.
//
// Where KVM virtualizes by page tables alone, SYSCALL leaves the processor in ring 3, and costs little as long as
// nothing else is asked of KVM: about 1 µs, against 30 µs and more for an exit. There, system calls enter a page of
// code in the program's own address space, which answers what needs no VMM, and leaves the guest for all else. It is
// what libgomp, among others, makes of every barrier: FUTEX_WAKE when nobody waits.
//
// Nothing is entrusted to it: it runs with the program's own rights, on pages that the program can read and not write.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "hv/layout.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

[[nodiscard]] std::span<const std::byte> fast_calls_code();

// For a processor that stands in that code: its registers as they were at the SYSCALL that led there, which is then
// executed again. False where it stands elsewhere.
bool back_to_call(Registers& regs);

}  // namespace divisi::hv
