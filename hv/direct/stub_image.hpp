// The program image of stub processes (stub.S), as divisi-vmm holds and hands it out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fd.hpp"
#include "hv/direct/stub_abi.h"
#include "hv/layout.hpp"

// NOLINTBEGIN(modernize-avoid-c-arrays, readability-identifier-naming): symbols of an assembly file.
extern "C" {
extern const std::byte divisi_stub_begin[];
extern const std::byte divisi_stub_end[];
extern const std::byte divisi_stub_after_call[];
extern const std::byte divisi_stub_handler[];
extern const std::byte divisi_stub_after_notify[];
extern const std::byte divisi_stub_restorer[];
extern const std::byte divisi_stub_after_return[];
extern const std::byte divisi_stub_replies[];
}
// NOLINTEND(modernize-avoid-c-arrays, readability-identifier-naming)

namespace divisi::hv {

// Where a symbol of the image is in a stub process.
inline Gva in_stub(const std::byte* symbol) {
    return DIVISI_STUB_BASE + static_cast<Gva>(symbol - divisi_stub_begin);
}

// A sealed memory file with the image, to be executed.
Result<Fd> create_stub_image();

// Where a task's pages are in its stub process.
constexpr Gva stub_control(unsigned task) {
    return DIVISI_STUB_CONTROL_BASE + Gva{task} * DIVISI_CONTROL_BYTES;
}
constexpr Gva stub_frames(unsigned task) {
    return DIVISI_STUB_FRAMES_BASE + Gva{task} * DIVISI_FRAMES_BYTES;
}

static_assert(DIVISI_STUB_BASE > kUserBytes);
static_assert(stub_control(DIVISI_STUB_TASKS) <= DIVISI_STUB_FRAMES_BASE);
static_assert(stub_frames(DIVISI_STUB_TASKS) <= DIVISI_STUB_END);

}  // namespace divisi::hv
