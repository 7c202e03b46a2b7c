// Reaching the daemon of this state folder, starting it where none runs.
#pragma once

#include <string>

#include "base/result.hpp"

namespace divisi::api {

// Whether a daemon answers there. Errors: kUnreachable, when one listens and keeps silent.
Result<bool> daemon_answers(const std::string& state);

// Makes sure that a daemon answers at `<state>/divisid.sock`: returns once it does. However many processes call this at
// once, one daemon is started. The daemon started so ends by itself after some time without topologies.
// `program`: the path of divisid. Errors: kUnreachable, with why it did not start.
Result<void> ensure_daemon(const std::string& state, const std::string& program);

}  // namespace divisi::api
