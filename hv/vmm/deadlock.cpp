#include "hv/vmm/deadlock.hpp"

#include <string>

namespace divisi::hv::vmm {

Result<OnDeadlock> parse_on_deadlock(std::string_view word) {
    if (word == "end") return OnDeadlock::kEnd;
    if (word == "report") return OnDeadlock::kReport;
    if (word == "ignore") return OnDeadlock::kIgnore;
    return make_error(Errc::kUsage, "no such thing to do about a deadlock", "'" + std::string(word) + "'",
                      "use end, report or ignore");
}

}  // namespace divisi::hv::vmm
