// `divisi run --native`: the ranks of a job as plain host processes, over the channels that a topology would have.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "ctl/job_session.hpp"
#include "ctl/policy_file.hpp"

namespace divisi::ctl {

struct NativeRun {
    std::string topology;  // whose shape and mode to take; or
    std::string
        policy;  // a policy's file; or neither: as many fully linked nodes as are asked for, or as there are PUs
    OverrideOptions overrides;
};

// Becomes divisi-native, so that signals, exit code and terminal are its own; returns only with an error.
Error run_native(const NativeRun& run, const PreparedJob& job, const Fd& report);

}  // namespace divisi::ctl
