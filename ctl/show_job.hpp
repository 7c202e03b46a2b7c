// divisi show --job: how one job goes, or went.
#pragma once

#include <string>

#include "base/result.hpp"
#include "ctl/output.hpp"

namespace divisi::ctl {

Result<int> show_job(const std::string& id, Format format);

}  // namespace divisi::ctl
