// A batch of system calls for a task of a stub process, written into its control page (stub_abi.h).
//
// Threads: the page's users serialize themselves.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "hv/direct/stub_abi.h"
#include "hv/layout.hpp"

namespace divisi::hv {

class Batch {
public:
    // `page` is the control page here, `at` where it is in the stub.
    Batch(std::byte* page, Gva at) : page_(page), at_(at) {}

    // Puts data where arguments can point to it, and gives its address in the stub.
    template <typename T>
    Gva put(const T& data) {
        return put_bytes(std::as_bytes(std::span(&data, 1)));
    }
    Gva put_bytes(std::span<const std::byte> bytes);
    void add(long number, std::array<std::uint64_t, 6> arguments);
    // Tells the task to begin. For a task that is yet to be made, it begins by itself.
    void post();

private:
    std::byte* page_;
    Gva at_;
    std::uint32_t count_ = 0;
    std::size_t data_ = DIVISI_CONTROL_DATA;
};

}  // namespace divisi::hv
