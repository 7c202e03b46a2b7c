// Jobs as people see them.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace divisi::ctl {

// One row a job, with a header.
std::string jobs_table(const std::vector<const json::object*>& jobs);

}  // namespace divisi::ctl
