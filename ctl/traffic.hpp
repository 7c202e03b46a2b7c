// What a topology's ranks have sent to each other, for people.
#pragma once

#include <string>

#include "base/json.hpp"

namespace divisi::ctl {

// `traffic`: as the daemon gives it. Links over which something went, then ranks by ranks: bytes, or a list of the
// pairs where there are too many ranks for a matrix.
std::string traffic_text(const json::object& traffic);

}  // namespace divisi::ctl
