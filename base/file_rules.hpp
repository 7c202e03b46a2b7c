// Which of the host's files a program may see, and which it may change: what the `files` section of a policy says
// (docs/policy.md).
//
// A path is absolute, or relative to the working folder of a job; the rule that is nearest above a file counts for it.
// Threads: values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi {

struct FileRules {
    std::vector<std::string> hidden;
    std::vector<std::string> readable{"/"};
    std::vector<std::string> writable{"."};

    bool operator==(const FileRules&) const = default;
};

inline constexpr std::size_t kMaxFileRules = 64;  // a list

// Why a path cannot stand in a rule, and what to write instead; nothing where it can.
struct FileRuleFault {
    std::string problem;
    std::string way_out;
};
std::optional<FileRuleFault> check_file_rule(std::string_view path);
// One spelling a path: "/a//b/./" is "/a/b", "./" is ".".
std::string plain_path(std::string_view path);

json::object to_json(const FileRules& rules);
// Errors: kProtocol.
Result<FileRules> file_rules_from_json(const json::object& object);

}  // namespace divisi
