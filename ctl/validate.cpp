// divisi validate: are these policies well-formed? Looks at no machine.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "ctl/output.hpp"
#include "ctl/policy_file.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct ValidateRequest {
    std::vector<std::string> policies;
    bool quiet = false;
};

// All files are looked at; the exit code is the first failure's.
Result<int> validate(const ValidateRequest& request) {
    int code = 0;
    for (const std::string& path : request.policies) {
        const auto policy = load_policy(path);
        if (!policy) {
            report(policy.error());
            if (code == 0) code = policy.error().exit_code();
        } else if (!request.quiet) {
            DIVISI_TRY(print(fmt::format("{}: ok, policy '{}'\n", policy->source, policy->name)));
        }
    }
    return code;
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
    const auto request = std::make_shared<ValidateRequest>();
    CLI::App* verb = app.add_subcommand("validate", "Check policies, without looking at any machine");
    verb->add_option("POLICY", request->policies, "The policies' files, - for standard input")->required();
    verb->add_flag("-q,--quiet", request->quiet, "Say nothing about those that are well-formed");
    verb->callback([request, &context] { context.action = [request] { return validate(*request); }; });
}

}  // namespace divisi::ctl
