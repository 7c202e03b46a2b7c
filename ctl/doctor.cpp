// divisi doctor: what this machine offers, and how to get more out of it.
#include <algorithm>
#include <memory>

#include "ctl/doctor/checks.hpp"
#include "ctl/output.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

using doctor::Check;
using doctor::Verdict;

json::value text(std::string_view from) {
    return json::value(json::string_view(from.data(), from.size()));
}

json::object as_json(const std::vector<Check>& checks, Verdict worst) {
    json::array list;
    for (const Check& check : checks)
        list.push_back(json::object{{"check", text(check.topic)},
                                    {"status", text(to_string(check.verdict))},
                                    {"text", text(check.text)},
                                    {"way_out", text(check.way_out)}});
    return {{"status", text(to_string(worst))}, {"checks", std::move(list)}};
}

std::string as_text(const std::vector<Check>& checks) {
    Table table({"STATUS", "CHECK", "FINDING"});
    for (const Check& check : checks) {
        table.row({std::string(to_string(check.verdict)), check.topic, check.text});
        if (!check.way_out.empty()) table.row({"", "", "-> " + check.way_out});
    }
    return table.text();
}

Result<int> examine(Format format) {
    const std::vector<Check> checks = doctor::judge(doctor::gather());
    Verdict worst = Verdict::kOk;
    for (const Check& check : checks) worst = std::max(worst, check.verdict);
    if (format == Format::kJson) {
        DIVISI_TRY(print_json(as_json(checks, worst)));
    } else {
        DIVISI_TRY(print(as_text(checks)));
    }
    return worst == Verdict::kProblem ? 1 : 0;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
    const auto format = std::make_shared<Format>(Format::kTable);
    CLI::App* verb = app.add_subcommand("doctor", "Say what this machine offers, and how to mend what is missing");
    verb->footer("Exit code 1 where divisi cannot work, 0 otherwise, warnings included.");
    add_output_option(*verb, *format);
    verb->callback([format, &context] { context.action = [format] { return examine(*format); }; });
}

}  // namespace divisi::ctl
