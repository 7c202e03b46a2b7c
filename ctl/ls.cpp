// divisi ls: the topologies there are.
#include <fmt/format.h>

#include <memory>

#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

constexpr std::uint64_t kRecent = 3600;  // seconds

// Topologies that ended by themselves: who looks for one here should learn what became of it.
void note_ended(const json::object& answer) {
    for (const json::object* end : objects_of(answer, "ended")) {
        const std::uint64_t when = count_of(*end, "when");
        if (static_cast<std::uint64_t>(std::time(nullptr)) > when + kRecent) continue;
        note(fmt::format("topology '{}' ended {} ago: {}", text_of(*end, "name"), age_of(when), text_of(*end, "how")));
    }
}

Result<int> list(Format format) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object answer, daemon.client.topologies());
    if (format == Format::kJson) {
        DIVISI_TRY(print_json(answer));
        return 0;
    }
    Table table({"NAME", "MODE", "STATE", "BACKEND", "NODES", "JOBS", "MEMORY", "AGE", "POLICY"});
    for (const json::object* each : objects_of(answer, "topologies"))
        table.row({text_of(*each, "name"), text_of(*each, "mode"), text_of(*each, "state"), text_of(*each, "backend"),
                   text_of(*each, "nodes"), text_of(*each, "jobs"), format_size_rounded(count_of(*each, "memory")),
                   age_of(count_of(*each, "created")), text_of(*each, "source")});
    DIVISI_TRY(print(table.text()));
    note_ended(answer);
    return 0;
}

}  // namespace

void add_ls(CLI::App& app, Context& context) {
    const auto format = std::make_shared<Format>(Format::kTable);
    CLI::App* verb = app.add_subcommand("ls", "List the topologies");
    add_output_option(*verb, *format);
    verb->callback([format, &context] { context.action = [format] { return list(*format); }; });
}

}  // namespace divisi::ctl
