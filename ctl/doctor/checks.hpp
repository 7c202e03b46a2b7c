// What `divisi doctor` makes of what it saw.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/doctor/facts.hpp"

namespace divisi::ctl::doctor {

enum class Verdict : std::uint8_t {
    kOk,
    kWarning,  // divisi works, with less than it could
    kProblem,  // something that divisi needs is missing
};
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

struct Check {
    std::string topic;
    Verdict verdict = Verdict::kOk;
    std::string text;
    std::string way_out;  // empty where there is nothing to do
};

// One check a topic, in the order in which they should be read.
std::vector<Check> judge(const Facts& facts);

// /dev/kvm and what is behind it; `judge` includes it. Says how to mend what can be mended.
Check judge_kvm(const Facts& facts);

}  // namespace divisi::ctl::doctor
