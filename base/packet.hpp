// One packet over a Unix socket, with descriptors.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.hpp"

namespace divisi {

// As many as Linux lets come along (SCM_MAX_FD).
inline constexpr std::size_t kMostPacketFds = 253;

// Sends `packet`, whole, with at most kMostPacketFds descriptors, which stay the caller's. Waits for room.
// Errors: the system's, as "cannot `purpose`" of `object`.
Result<void> send_packet(int socket, std::span<const std::byte> packet, std::span<const int> fds,
                         const std::string& purpose, const std::string& object = {});

}  // namespace divisi
