// The birth of a stub process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace divisi::hv {

// Executes the image `image` in a new child of the calling thread, and dies with it: a session of its own, no
// privileges to gain, no core dumps, and no descriptors but `fds`, which become 3, 4, … `stack` is lent to the child
// until it executes. Its process id, or the negative errno of clone or execve.
pid_t spawn_stub(int image, std::span<const int> fds, std::span<std::byte> stack);

}  // namespace divisi::hv
