// The frame that the kernel leaves on a task's alternate stack when a signal stops it: its registers and vector state,
// and what happened. divisi-vmm reads them there and writes there how the task goes on.
//
// Everything in it may be written by the program at any time: it is read once, into values, and a value is only ever
// given back to the program or to the kernel, which checks it again.
//
// Source: arch/x86/kernel/signal_64.c and arch/x86/include/uapi/asm/sigcontext.h of the Linux kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "hv/layout.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

class SignalFrame {
public:
    // `page` are a task's frames here, `at` where they are in the stub; `ucontext` is where the first frame says its
    // ucontext is. All later ones are at the same place. Errors: kUnsupported for a frame of another shape.
    static Result<SignalFrame> learn(std::byte* page, Gva at, Gva ucontext);

    // Whether a stop's ucontext is this frame.
    [[nodiscard]] bool is_at(Gva ucontext) const { return ucontext == ucontext_at_; }

    [[nodiscard]] Registers registers() const;
    void set_registers(const Registers& regs);

    struct Trap {
        int signal_code = 0;       // si_code
        std::uint64_t number = 0;  // the processor's vector; of an earlier exception if this signal is none
        std::uint64_t error_code = 0;
        std::uint64_t address = 0;
    };
    [[nodiscard]] Trap trap() const;

    // The XSAVE image in the standard format, 4096 bytes; an empty one is the initial state.
    [[nodiscard]] std::vector<std::byte> xsave() const;
    void set_xsave(const std::vector<std::byte>& image);

    // Overwrites all that a program may have left in the page, its own registers too. `in_use`: the task is stopped
    // with this frame, and goes on by it: with the signal mask and the alternate stack of its beginning.
    void forget(bool in_use);

    [[nodiscard]] std::uint64_t fs_base() const;
    [[nodiscard]] std::uint64_t gs_base() const;
    // Both below kUserEnd.
    void set_fs_base(std::uint64_t base);
    void set_gs_base(std::uint64_t base);
    static constexpr std::uint64_t kUserEnd = 0x7fff'ffff'f000;

private:
    SignalFrame(std::byte* page, Gva ucontext_at, std::size_t ucontext, std::size_t xsave, std::size_t xsave_bytes);

    std::byte* page_;
    Gva ucontext_at_;
    std::size_t ucontext_;  // offsets in the page
    std::size_t xsave_;
    std::size_t xsave_bytes_;
    std::uint64_t components_ = 0;     // that the host's processor has
    std::vector<std::byte> first_;     // the ucontext of the first frame
    std::vector<std::byte> software_;  // the kernel's own part of the image, as it was
};

}  // namespace divisi::hv
