#include "base/mode.hpp"

namespace divisi {

std::string_view to_string(Mode mode) noexcept {
    return mode == Mode::kSharedMemory ? "shared-memory" : "message-passing";
}

Result<Mode> parse_mode(std::string_view text) {
    if (text == "shared-memory") return Mode::kSharedMemory;
    if (text == "message-passing") return Mode::kMessagePassing;
    return make_error(Errc::kUsage, "no such mode", "'" + std::string(text) + "'",
                      "use shared-memory or message-passing");
}

}  // namespace divisi
