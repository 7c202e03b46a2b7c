// System calls that are answered on the node's own processor, without an exit.
//
// Where KVM virtualizes by page tables alone, SYSCALL leaves the processor in ring 3, and costs little as long as
// nothing else is asked of KVM: about 1 µs, against 30 µs and more for an exit. There, system calls enter a page of
// code in the program's own address space, which answers what needs no VMM: FUTEX_WAKE when nobody waits, of which
// libgomp, among others, makes one for every barrier; and FUTEX_WAIT on a word that another thread changes so soon that
// to look at it for a while costs less than an exit (PageTables::looks says for how long). For all else it leaves the
// guest by a store to a page without memory (the *door*), which costs KVM less than anything that enters ring 0.
//
// Nothing is entrusted to it: it runs with the program's own rights, on pages that the program can read and not write.
#pragma once

#include <cstddef>
#include <span>

#include "hv/layout.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

[[nodiscard]] std::span<const std::byte> fast_calls_code();
// Where a processor stands that has just left the guest by that store.
[[nodiscard]] Gva fast_calls_left();

// For a processor that stands in that code: its registers as they were at the SYSCALL that led there, which is then
// executed again. False where it stands elsewhere.
bool back_to_call(Registers& regs);

}  // namespace divisi::hv
