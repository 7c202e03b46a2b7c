// divisi show --threads: what the threads of a topology's running job do.
#pragma once

#include <string>

#include "base/result.hpp"
#include "ctl/output.hpp"

namespace divisi::ctl {

Result<int> show_threads(const std::string& topology, bool backtrace, Format format);

}  // namespace divisi::ctl
