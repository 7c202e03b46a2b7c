// The state of a guest thread while no node runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace divisi::hv {

// General registers, in the order of the Linux `user_regs_struct`'s names. Always the user's: after a system call
// `rip` is the instruction that follows it and `rax` the call's number.
struct Registers {
    std::uint64_t rax = 0, rbx = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, rsp = 0, rbp = 0;
    std::uint64_t r8 = 0, r9 = 0, r10 = 0, r11 = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
    std::uint64_t rip = 0;
    std::uint64_t rflags = 0x202;
};

struct ThreadContext {
    Registers regs;
    std::uint64_t fs_base = 0;
    std::uint64_t gs_base = 0;
    // The vector state in the CPU's XSAVE format; empty means the initial state.
    std::vector<std::byte> xsave;
};

}  // namespace divisi::hv
