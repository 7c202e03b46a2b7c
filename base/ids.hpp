// Strong types for the numbers that are easily confused.
#pragma once

#include <compare>
#include <cstdint>

namespace divisi {

// A node's number within its topology: 0 … count-1.
struct NodeId {
    std::uint32_t value = 0;
    auto operator<=>(const NodeId&) const = default;
};

// The two kinds of machine a topology can be.
enum class Mode : std::uint8_t { kSharedMemory, kMessagePassing };

}  // namespace divisi
