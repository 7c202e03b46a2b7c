#include "ctl/policy_file.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/fd.hpp"
#include "base/mode.hpp"
#include "base/printable.hpp"

namespace divisi::ctl {
namespace {

// One byte more than a policy may have: the parser then says that it is too large.
constexpr std::size_t kReadLimit = (1U << 20U) + 65536;

}  // namespace

Result<PolicyText> read_policy(const std::string& path) {
    const bool from_stdin = path == "-";
    const std::string source = from_stdin ? "standard input" : path;
    auto text = from_stdin ? read_fd(STDIN_FILENO, source, kReadLimit) : read_file(path, kReadLimit);
    if (!text && text.error().is(Errc::kFailed))
        return make_error(Errc::kInvalidPolicy, "larger than any policy may be (1MiB)", source);
    DIVISI_TRY_ASSIGN(std::string content, std::move(text));
    return PolicyText{source, std::move(content)};
}

Result<partitioner::Policy> load_policy(const std::string& path) {
    DIVISI_TRY_ASSIGN(const PolicyText policy, read_policy(path));
    return partitioner::parse_policy(policy.text, policy.source);
}

Result<partitioner::Machine> load_machine(const std::string& description) {
    if (description.empty()) return partitioner::discover();
    return partitioner::describe_machine(description);
}

void add_override_options(CLI::App& verb, OverrideOptions& options) {
    verb.add_option("--name", options.name, "Name of the topology, in place of the policy's")->type_name("NAME");
    verb.add_option("--mode", options.mode, "shared-memory or message-passing, in place of the policy's")
        ->type_name("MODE");
    verb.add_option("--backend", options.backend, "auto, kvm or direct, in place of the policy's")
        ->type_name("BACKEND");
}

Result<std::string> wanted_backend(const OverrideOptions& options) {
    const char* const set = std::getenv("DIVISI_BACKEND");
    if (!options.backend.empty() || set == nullptr || *set == '\0') return options.backend;
    if (auto known = partitioner::parse_backend(set); !known) {
        Error error = std::move(known).error();
        error.object = "DIVISI_BACKEND=" + printable(set);
        return error;
    }
    return std::string(set);
}

Result<partitioner::PlanOptions> plan_options(const OverrideOptions& options) {
    partitioner::PlanOptions result;
    if (!options.name.empty()) result.name = options.name;
    if (!options.mode.empty()) {
        DIVISI_TRY_ASSIGN(result.mode, parse_mode(options.mode));
    }
    DIVISI_TRY_ASSIGN(const std::string backend, wanted_backend(options));
    if (!backend.empty()) {
        DIVISI_TRY_ASSIGN(result.backend, partitioner::parse_backend(backend));
    }
    return result;
}

}  // namespace divisi::ctl
