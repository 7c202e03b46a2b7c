// Jobs as people see them.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace divisi::ctl {

// One row a job, with a header.
std::string jobs_table(const std::vector<const json::object*>& jobs);

// Of the "jobs" in `holder`, those that run. They stay its own.
std::vector<const json::object*> running_jobs(const json::object& holder);

}  // namespace divisi::ctl
