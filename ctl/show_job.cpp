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

std::string unserved_text(const json::object& holder) {
    const auto calls = objects_of(holder, "unserved");
    if (calls.empty()) return {};
    Table table({"NOT SERVED", "NUMBER", "TIMES"});
    for (const json::object* call : calls)
        table.row({text_of(*call, "call"), text_of(*call, "number"), text_of(*call, "count")});
    return "\n" + table.text();
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
        text +=
            "\n" + ranks_table(**report) + unserved_text(**report) + deadlock_text(**report) + faults_text(**report);
    } else {
        text += unserved_text(job) + deadlock_text(job);
    }
    DIVISI_TRY(print(text));
    return 0;
}

}  // namespace divisi::ctl
