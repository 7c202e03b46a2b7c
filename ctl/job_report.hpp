// What a job's report means to the person who started it.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace divisi::ctl {

// For each fault its headline (base/crash_text.hpp) and, for the first few, backtrace and registers on further lines;
// for several ranks one for each way they failed; for a job that failed, the system calls it asked for in vain. Empty
// where all went well.
std::vector<std::string> explain(const json::object& report, int exit_code);

}  // namespace divisi::ctl
