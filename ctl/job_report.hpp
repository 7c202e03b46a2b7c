// What a job's report means to the person who started it.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace divisi::ctl {

// One line for each fault ("rank 3 (node 3, thread 1): SIGSEGV (Segmentation fault) at address 0x0, in main+0x12,
// rip 0x401136"); for several ranks one for each way they failed; for a job that failed, the system calls it asked for
// in vain. Empty where all went well.
std::vector<std::string> explain(const json::object& report, int exit_code);

}  // namespace divisi::ctl
