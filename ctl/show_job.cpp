#include "ctl/show_job.hpp"

#include <fmt/format.h>

#include "base/crash_text.hpp"
#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"

namespace divisi::ctl {
namespace {

std::chrono::nanoseconds time_of(const json::object& object, std::string_view name) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(count_of(object, name)));
}

std::string ranks_table(const json::object& report) {
    Table table({"RANK", "EXIT", "SIGNAL", "EXITS", "CPU"});
    for (const json::object* rank : objects_of(report, "ranks")) {
        const std::uint64_t signo = count_of(*rank, "signal");
        table.row({text_of(*rank, "rank"), text_of(*rank, "exit"), signo == 0 ? "-" : signal_name(signo),
                   text_of(*rank, "exits"), format_duration(time_of(*rank, "cpu_time_ns"))});
    }
    return table.text();
}

std::string faults_text(const json::object& report) {
    std::string text;
    for (const json::object* fault : objects_of(report, "faults")) {
        text += "\n" + crash_headline(*fault) + "\n";
        for (const std::string& line : crash_details(*fault)) text += "  " + line + "\n";
    }
    return text;
}

std::string deadlock_text(const json::object& holder) {
    const auto deadlock = object_field(holder, "deadlock");
    std::string text;
    if (!deadlock) return text;
    for (const std::string& line : deadlock_lines(**deadlock)) text += text.empty() ? "\n" + line + "\n" : line + "\n";
    return text;
}

// Why its nodes left guest code.
std::string causes_text(const json::object& holder) {
    std::string text;
    for (const auto& [name, what] : {std::pair{"page_faults", "page faults"}, std::pair{"exceptions", "exceptions"},
                                     std::pair{"kicks", "kicks"}}) {
        const std::uint64_t count = count_of(holder, name);
        if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "among them " : ", ", what, count);
    }
    return text.empty() ? text : text + "\n";
}

std::string calls_text(const json::object& holder, std::string_view list, const char* heading) {
    const auto calls = objects_of(holder, list);
    if (calls.empty()) return {};
    Table table({heading, "NUMBER", "TIMES"});
    for (const json::object* call : calls)
        table.row({text_of(*call, "call"), text_of(*call, "number"), text_of(*call, "count")});
    return "\n" + table.text();
}

std::string exits_text(const json::object& holder) {
    return calls_text(holder, "served", "SERVED") + calls_text(holder, "unserved", "NOT SERVED");
}

}  // namespace

Result<int> show_job(const std::string& id, Format format) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object job, daemon.client.job(id));
    if (format == Format::kJson) {
        DIVISI_TRY(print_json(job));
        return 0;
    }
    std::string text = jobs_table({&job});
    text += fmt::format("\nprocessor time {}, exits {}\n", format_duration(time_of(job, "cpu_time_ns")),
                        text_of(job, "exits"));
    if (const auto report = object_field(job, "report")) {
        text += causes_text(**report) + "\n" + ranks_table(**report) + exits_text(**report) + deadlock_text(**report) +
                faults_text(**report);
    } else {
        text += causes_text(job) + exits_text(job) + deadlock_text(job);
    }
    DIVISI_TRY(print(text));
    return 0;
}

}  // namespace divisi::ctl
