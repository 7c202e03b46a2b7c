// Telling divisi-vmm processes from others, and finding those that no socket leads to: a daemon that was killed while
// it carved leaves such behind.
#pragma once

#include <sys/types.h>

#include <string>

namespace divisi::daemon {

// Whether this process of ours was started as `… --dir DIR`.
bool serves(pid_t pid, const std::string& dir);

// Kills every process of ours that was started as `… --dir DIR`, and waits until it is gone.
// Returns how many there were.
int kill_orphans(const std::string& dir);

}  // namespace divisi::daemon
