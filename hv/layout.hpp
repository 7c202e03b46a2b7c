// Where everything lies: the guest-physical and guest-virtual address maps of a node.
//
// Guest-physical (each line one memory slot; the VMM's host mapping behind it may be shared by several nodes):
//
//   0x0'0000'0000   system pages      64 KiB   a node's own GDT, IDT, TSS, ring-0 stubs          slot kSystemSlot
//   0x0'1000'0000   program region    257 MiB+ page tables of the program, its windows, views    slot kProgramSlot
//   0xf'0000'0000   nothing: to store here is an exit (kvm/fast_calls.hpp)
//   0x10'0000'0000  RAM                        the node's or the multiprocessor's memory         slot kRamSlot
//
// Guest-virtual:
//
//   0x0'0001'0000 … 0x1f'0000'0000   the program: image, heap, mappings, stacks
//   0x1f'0000'0000                   windows: the node page, channels, the shared region
//   0x1f'e000'0000                   views: what other programs of the job lend it (view_window.hpp)
//   0x1f'ffff'0000                   code for system calls that take no exit, and what it looks at (page_tables.hpp)
//   0xffff'ff80'0000'0000            system pages, supervisor only
#pragma once

#include <cstddef>
#include <cstdint>

namespace divisi::hv {

// A guest-physical and a guest-virtual address.
using Gpa = std::uint64_t;
using Gva = std::uint64_t;

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageShift = 12;

inline constexpr Gpa kSystemGpa = 0;
inline constexpr std::size_t kSystemBytes = 64U << 10U;
inline constexpr Gpa kProgramGpa = 0x1000'0000;
inline constexpr Gpa kDoorGpa = 0xf'0000'0000;
inline constexpr Gpa kRamGpa = 0x10'0000'0000;

inline constexpr std::uint32_t kSystemSlot = 0;
inline constexpr std::uint32_t kProgramSlot = 1;
inline constexpr std::uint32_t kRamSlot = 2;

// The program's part of the address space: 128 GiB, so that its page tables are one flat array (page_tables.hpp).
inline constexpr Gva kUserBytes = 128ULL << 30U;
inline constexpr Gva kLowestGva = 0x1'0000;
inline constexpr Gva kWindowGva = 0x1f'0000'0000;
// The page before them counts how often a view was taken back.
inline constexpr Gva kViewsGva = 0x1f'e000'0000;
inline constexpr std::size_t kViewBytes = 32U << 20U;
inline constexpr Gva kFastCallsGva = 0x1f'ffff'0000;
inline constexpr Gva kWaitersGva = kFastCallsGva + kPageBytes;
inline constexpr Gva kDoorGva = kWaitersGva + kPageBytes;
inline constexpr Gva kStackTop = 0x1e'ffff'0000;
inline constexpr Gva kMmapTop = 0x1e'0000'0000;
inline constexpr Gva kPieBase = 0x5555'5000;  // static-PIE images, and 1 GiB of heap room before anything else
inline constexpr Gva kSystemGva = 0xffff'ff80'0000'0000;

constexpr Gva page_floor(Gva address) {
    return address & ~static_cast<Gva>(kPageBytes - 1);
}
constexpr Gva page_ceil(Gva address) {
    return page_floor(address + kPageBytes - 1);
}

}  // namespace divisi::hv
