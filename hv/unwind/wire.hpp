// What divisi-vmm and divisi-unwind say to each other, one packet each, over SOCK_SEQPACKET sockets.
//
// divisi-unwind is started with one that is its standard input. Each packet there is an UnwindTask, with descriptors: a
// socket, the image, the vDSO's file. For each it makes a child, shut in, that serves that socket:
//
//   vmm    → unwind   UnwindRequest: the registers to start from
//   unwind → vmm      UnwindRead: the page at an address, please …
//   vmm    → unwind   … a byte 1 and its 4096 bytes, or a byte 0 alone
//   unwind → vmm      '{': a JSON object, the answer: {"frames": [{"pc", "symbol", "source"}, …]}, innermost first
//
// Each side takes the other for hostile: the one reads a program's image, the other is in a program's hands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace divisi::hv {

inline constexpr std::size_t kUnwindRegisters = 17;
inline constexpr std::size_t kUnwindReadBytes = 4096;
inline constexpr std::size_t kUnwindAnswerBytes = 128U << 10U;
inline constexpr std::size_t kUnwindFrames = 64;
inline constexpr std::size_t kUnwindTextBytes = 512;  // of a symbol, of a source's name

struct UnwindTask {
    std::uint64_t load_base = 0;
    std::uint64_t vdso_base = 0;  // 0: there is none, and no descriptor of it
};
inline constexpr std::size_t kUnwindTaskFds = 3;

struct UnwindRequest {
    // In DWARF's order: rax rdx rcx rbx rsi rdi rbp rsp r8 … r15 rip.
    std::array<std::uint64_t, kUnwindRegisters> registers{};
    std::uint64_t most = kUnwindFrames;  // frames that are wanted
};

struct UnwindRead {
    char kind = 'R';
    std::uint64_t address = 0;  // of a page
};

}  // namespace divisi::hv
