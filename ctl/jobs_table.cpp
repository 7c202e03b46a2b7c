#include "ctl/jobs_table.hpp"

#include <algorithm>
#include <chrono>

#include "base/printable.hpp"
#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"

namespace divisi::ctl {
namespace {

constexpr std::size_t kCommandWidth = 60;

std::string shortened(const std::string& text) {
    std::size_t end = 0;
    for (std::size_t shown = 0; shown < kCommandWidth && end < text.size(); ++shown)
        end += std::max<std::size_t>(1, utf8_length(std::string_view(text).substr(end)));
    return end < text.size() ? text.substr(0, end) + "…" : text;
}

std::string command_of(const json::object& job) {
    std::string command;
    const auto argv = array_field(job, "argv");
    if (!argv) return "-";
    for (const json::value& word : **argv) {
        const json::string* text = word.if_string();
        if (text == nullptr) continue;
        if (!command.empty()) command += ' ';
        command += printable({text->data(), text->size()});
    }
    return shortened(command);
}

}  // namespace

std::string jobs_table(const std::vector<const json::object*>& jobs) {
    Table table({"JOB", "STATE", "RANKS", "THREADS", "NODES", "MODE", "TIME", "EXIT", "COMMAND"});
    for (const json::object* job : jobs) {
        const auto elapsed = std::chrono::nanoseconds(static_cast<std::int64_t>(count_of(*job, "elapsed_ns")));
        table.row({text_of(*job, "id"), text_of(*job, "state"), text_of(*job, "ranks"), text_of(*job, "threads"),
                   text_of(*job, "nodes"), text_of(*job, "mode"), format_duration(elapsed), text_of(*job, "exit"),
                   command_of(*job)});
    }
    return table.text();
}

std::vector<const json::object*> running_jobs(const json::object& holder) {
    std::vector<const json::object*> jobs = objects_of(holder, "jobs");
    std::erase_if(jobs, [](const json::object* job) { return text_of(*job, "state") != "running"; });
    return jobs;
}

}  // namespace divisi::ctl
