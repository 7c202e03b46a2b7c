#include "ctl/show_threads.hpp"

#include <fmt/format.h>

#include "base/crash_text.hpp"
#include "ctl/daemon_access.hpp"

namespace divisi::ctl {
namespace {

// "waiting in futex 0x4c8e10".
std::string activity(const json::object& thread) {
    std::string text = text_of(thread, "state");
    if (const std::string call = text_of(thread, "call"); call != "-") text += " in " + call;
    // In its own words: better than an address.
    if (std::string waits = text_of(thread, "waits"); waits != "-") return waits;
    if (const std::string futex = text_of(thread, "futex"); futex != "-") text += " " + futex;
    return text;
}

std::vector<std::string> cells(const json::object& thread) {
    std::string where = text_of(thread, "symbol");
    if (where.empty()) where = "??";
    if (const std::string source = text_of(thread, "source"); source != "-" && !source.empty())
        where += " at " + source;
    return {text_of(thread, "rank"),
            text_of(thread, "thread"),
            text_of(thread, "name"),
            text_of(thread, "node"),
            activity(thread),
            text_of(thread, "rip"),
            where};
}

// With backtraces a paragraph each, else a row.
std::string text_for(const std::vector<const json::object*>& threads, bool backtrace) {
    if (backtrace) {
        std::string text;
        for (const json::object* thread : threads) {
            text += fmt::format("rank {}, thread {} '{}' on node {}: {}\n", text_of(*thread, "rank"),
                                text_of(*thread, "thread"), text_of(*thread, "name"), text_of(*thread, "node"),
                                activity(*thread));
            for (const std::string& line : backtrace_lines(*thread)) text += "  " + line + "\n";
            text += "\n";
        }
        return text;
    }
    Table table({"RANK", "THREAD", "NAME", "NODE", "STATE", "RIP", "WHERE"});
    for (const json::object* thread : threads) table.row(cells(*thread));
    return table.text();
}

}  // namespace

Result<int> show_threads(const std::string& topology, bool backtrace, Format format) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object answer, daemon.client.threads(topology, backtrace));
    if (format == Format::kJson) {
        DIVISI_TRY(print_json(answer));
        return 0;
    }
    DIVISI_TRY(
        print(fmt::format("job {}\n\n", text_of(answer, "job")) + text_for(objects_of(answer, "threads"), backtrace)));
    return 0;
}

}  // namespace divisi::ctl
