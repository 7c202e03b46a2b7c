// The names of the modes, as they stand in policies, commands and the API.
#pragma once

#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace divisi {

[[nodiscard]] std::string_view to_string(Mode mode) noexcept;
// Accepts exactly "shared-memory" and "message-passing". Errors: kUsage, naming both.
Result<Mode> parse_mode(std::string_view text);

}  // namespace divisi
