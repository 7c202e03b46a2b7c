// The daemon as verbs reach it, and what they print of its answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/client.hpp"

namespace divisi::ctl {

struct DaemonAccess {
    std::string state;  // the state folder
    api::Client client;
};

// Starts the daemon where none runs. Errors: kUnreachable, with why it did not start.
Result<DaemonAccess> reach_daemon();
// Only where one runs already.
Result<std::optional<DaemonAccess>> running_daemon();

// Fields of an answer as text for people: "-" where there is none, or it is of another type.
std::string text_of(const json::object& object, std::string_view name);
std::uint64_t count_of(const json::object& object, std::string_view name);
// The objects in an array; empty where there is no such array.
std::vector<const json::object*> objects_of(const json::object& object, std::string_view name);

// "3min", "2h": how long ago a point in unix seconds was.
std::string age_of(std::uint64_t unix_seconds);
// The notes an answer carries, on standard error.
void print_notes(const json::object& answer);

}  // namespace divisi::ctl
