#include "hv/kvm/fast_calls.hpp"

#include <sys/syscall.h>

// NOLINTBEGIN(modernize-avoid-c-arrays, readability-identifier-naming): symbols of an assembly file.
extern "C" {
extern const std::byte divisi_fast_calls_begin[];
extern const std::byte divisi_fast_calls_scratch[];
extern const std::byte divisi_fast_calls_left[];
extern const std::byte divisi_fast_calls_end[];
}
// NOLINTEND(modernize-avoid-c-arrays, readability-identifier-naming)

namespace divisi::hv {

// The numbers in fast_calls.S.
static_assert(kWaitersGva == 0x1f'ffff'1000);
static_assert(kDoorGva == kFastCallsGva + 0x2000);
static_assert(kWindowGva == 0x1f'0000'0000);

std::span<const std::byte> fast_calls_code() {
    return {divisi_fast_calls_begin, divisi_fast_calls_end};
}

Gva fast_calls_left() {
    return kFastCallsGva + static_cast<Gva>(divisi_fast_calls_left - divisi_fast_calls_begin);
}

bool back_to_call(Registers& regs) {
    constexpr std::uint64_t kSyscallBytes = 2;
    if (regs.rip < kFastCallsGva || regs.rip >= kFastCallsGva + kPageBytes) return false;
    const auto scratch = static_cast<Gva>(divisi_fast_calls_scratch - divisi_fast_calls_begin);
    if (regs.rip >= kFastCallsGva + scratch) regs.rax = SYS_futex;
    regs.rip = regs.rcx - kSyscallBytes;
    regs.rflags = regs.r11;
    return true;
}

}  // namespace divisi::hv
