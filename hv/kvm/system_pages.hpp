// A KVM node's own pages: the tables a long-mode processor needs to take system calls and exceptions, and the
// ring-0 code that they lead to, which is one instruction each.
//
// Layout (guest-physical offsets in the system slot; the same offsets at kSystemGva):
//
//   0x1000  GDT             0x6000  exception stack (one page, grows down)
//   0x2000  IDT             0x7000  the frame that IRETQ returns through
//   0x3000  TSS             0x8000  page tables of this quarter: PDPT, directory, table (3 pages)
//   0x4000  stubs: +0 system call: HLT; +0x10: IRETQ; +0x100 + 8n: exception n: HLT
//
// Everything the processor pushes and everything it returns through lies here, out of the program's reach: nothing is
// ever pushed on the program's stack, so its red zone is safe.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <optional>

#include "base/mapping.hpp"
#include "hv/layout.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

class SystemPages {
public:
    static Result<SystemPages> create();

    [[nodiscard]] std::byte* host() const { return pages_.data(); }

    // The special registers of a processor that runs a program in ring 3.
    static void fill_sregs(kvm_sregs& sregs);
    static constexpr Gva kSyscallEntry = kSystemGva + 0x4000;

    // Where in the ring-0 code a stopped processor stands.
    enum class Place : std::uint8_t { kUser, kSyscall, kReturn, kException };
    [[nodiscard]] static Place place_of(Gva rip);
    [[nodiscard]] static std::uint8_t vector_of(Gva rip);

    // What the processor pushed for the exception it is in.
    struct Pushed {
        std::uint32_t error_code = 0;
        std::uint64_t rip = 0, rflags = 0, rsp = 0;
    };
    // `rsp` is the ring-0 stack pointer. Nothing if it does not point into the exception stack.
    [[nodiscard]] std::optional<Pushed> pushed(std::uint8_t vector, Gva rsp) const;

    // Prepares the return to ring 3, and gives what RIP and RSP must be for it.
    struct Return {
        Gva rip;
        Gva rsp;
    };
    Return prepare_return(std::uint64_t rip, std::uint64_t rflags, std::uint64_t rsp);
    // What a prepared return that has not happened yet leads to.
    [[nodiscard]] Pushed pending_return() const;

private:
    explicit SystemPages(Mapping pages) : pages_(std::move(pages)) {}
    void write_descriptors();
    void write_stubs();
    void write_page_tables();

    Mapping pages_;
};

}  // namespace divisi::hv
