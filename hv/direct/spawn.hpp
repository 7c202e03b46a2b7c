// The birth of a stub process.
#pragma once

#include <sys/types.h>

#include <span>

#include "base/result.hpp"

namespace divisi::hv {

// Executes the image `image` in a new child of the calling thread, and dies with it: a session of its own, no
// privileges to gain, no core dumps, and no descriptors but `fds`, which become 3, 4, …
// Errors: those of clone and execve.
Result<pid_t> spawn_stub(int image, std::span<const int> fds);

}  // namespace divisi::hv
