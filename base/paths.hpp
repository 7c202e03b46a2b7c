// Where divisi keeps its run-time state.
//
//   <state>/divisid.sock           the daemon's HTTP socket
//   <state>/divisid.lock           held (flock) by the running daemon
//   <state>/divisid.log            the log of a daemon that was started by itself
//   <state>/topologies/NAME/       one folder a live topology; divisi-vmm owns it while it lives
//       config.json                what divisi-vmm was told to carve
//       vmm.sock                   its control socket (docs/vmm-protocol.md)
//       vmm.log                    its diagnostics
#pragma once

#include <string>

#include "base/result.hpp"

namespace divisi {

// $DIVISI_STATE_DIR, else $XDG_RUNTIME_DIR/divisi, else /run/divisi for root, else /tmp/divisi-<uid>.
// An absolute path. Made with mode 0700 where it is missing. Errors: errno; kFailed when it exists and is no folder, or
// belongs to someone else.
Result<std::string> state_dir();

std::string daemon_socket(const std::string& state);
std::string topologies_dir(const std::string& state);
std::string topology_dir(const std::string& state, const std::string& name);
std::string vmm_socket(const std::string& topology_dir);

// The folder this program's binary lies in: its siblings (divisid, divisi-vmm) are found there.
Result<std::string> own_bin_dir();

}  // namespace divisi
