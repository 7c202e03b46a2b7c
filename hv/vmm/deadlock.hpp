// What is done about a job whose ranks wait for each other for ever, in nodes or natively.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace divisi::hv::vmm {

// The code of a job that was ended for it.
inline constexpr int kDeadlockExit = 123;

enum class OnDeadlock : std::uint8_t { kEnd, kReport, kIgnore };

// Of "end", "report" or "ignore". Errors: kUsage for another word.
Result<OnDeadlock> parse_on_deadlock(std::string_view word);

}  // namespace divisi::hv::vmm
