// Policies and machines as the command line names them; shared by the verbs that plan.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "partitioner/plan.hpp"

namespace divisi::ctl {

// A policy's text, not looked at yet, and how errors name it.
struct PolicyText {
    std::string source;
    std::string text;
};
// Reads the file at `path` ("-": standard input). Errors: errno of the file; kInvalidPolicy when it is too large.
Result<PolicyText> read_policy(const std::string& path);
// Reads and checks the policy at `path` ("-": standard input). Errors: errno of the file; kInvalidPolicy.
Result<partitioner::Policy> load_policy(const std::string& path);

// This machine where `description` is empty, else the one it describes.
Result<partitioner::Machine> load_machine(const std::string& description);

// --name, --mode and --backend, as given on the command line; empty: the policy decides.
struct OverrideOptions {
    std::string name;
    std::string mode;
    std::string backend;
};
void add_override_options(CLI::App& verb, OverrideOptions& options);
// --backend, or the environment's DIVISI_BACKEND where it is not given; empty: the policy decides. Errors: kUsage.
Result<std::string> wanted_backend(const OverrideOptions& options);
// Errors: kUsage.
Result<partitioner::PlanOptions> plan_options(const OverrideOptions& options);

}  // namespace divisi::ctl
