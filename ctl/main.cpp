// divisi: the command line.
//
// Exit codes: 0 ok; 1 failed; 2 usage; 3 invalid policy; 4 not enough resources; 5 daemon or backend out of reach.
// `run` passes the program's own code through and uses 125 for its own failures.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/nearest.hpp"
#include "ctl/context.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

constexpr int kUsageExit = 2;

// The first argument, where it should have been a verb and is none.
std::optional<std::string> unknown_verb(const CLI::App& app, std::span<char* const> arguments) {
    if (!app.get_subcommands().empty() || arguments.size() < 2 || *arguments[1] == '-') return std::nullopt;
    return arguments[1];
}

std::string did_you_mean(const CLI::App& app, const std::string& word) {
    const std::vector<const CLI::App*> verbs = app.get_subcommands([](const CLI::App*) { return true; });
    std::vector<std::string> names;
    names.reserve(verbs.size());
    for (const CLI::App* verb : verbs) names.push_back(verb->get_name());
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view close = nearest(word, views);
    return close.empty() ? "see 'divisi --help'" : fmt::format("did you mean '{}'?", close);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, std::span<char* const> arguments,
                const Context& context) {
    if (const auto word = unknown_verb(app, arguments)) {
        report(make_error(Errc::kUsage, fmt::format("no such verb: '{}'", *word), {}, did_you_mean(app, *word)));
        return kUsageExit;
    }
    const CLI::App* asked = &app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
    std::string command = "divisi";
    if (asked != &app) command += " " + asked->get_name();
    report(make_error(Errc::kUsage, error.what(), {}, fmt::format("see '{} --help'", command)));
    return context.own_failure_exit != 0 ? context.own_failure_exit : kUsageExit;
}

// Cuts a program's command line off: returns how many words are left.
int cut_command(int argc, char** argv, Context& context) {
    if (argc < 2 || (std::string_view(argv[1]) != "run" && std::string_view(argv[1]) != "join")) return argc;
    char** const end = argv + argc;
    char** const mark = std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
    if (mark == end) return argc;
    context.command.emplace(mark + 1, end);
    return static_cast<int>(mark - argv);
}

int run(int argc, char** argv) {
    CLI::App app("Divide the cores of a machine into virtual computers, and run parallel programs over them.",
                 "divisi");
    Context context;
    app.set_version_flag("--version", "divisi " DIVISI_VERSION, "Print the version and leave");
    app.require_subcommand(0, 1);
    add_verbs(app, context);
    try {
        app.parse(cut_command(argc, argv, context), argv);
    } catch (const CLI::Success& wanted) {  // --help, --version
        return app.exit(wanted);
    } catch (const CLI::ParseError& error) {
        return usage_error(app, error, {argv, static_cast<std::size_t>(argc)}, context);
    }
    if (!context.action) {
        fmt::print(stderr, "{}", app.help());
        return kUsageExit;
    }
    Result<int> result = context.action();
    if (result) return *result;
    report(result.error());
    return context.own_failure_exit != 0 ? context.own_failure_exit : result.error().exit_code();
}

}  // namespace
}  // namespace divisi::ctl

int main(int argc, char** argv) {
    try {
        return divisi::ctl::run(argc, argv);
    } catch (const std::exception& error) {  // what libraries throw where we expected nothing: memory, mostly
        fmt::print(stderr, "divisi: {}\n", error.what());
        return 1;
    }
}
