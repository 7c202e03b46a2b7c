#include "ctl/job_report.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/crash_text.hpp"
#include "ctl/daemon_access.hpp"

namespace divisi::ctl {
namespace {

// Faults that are told with all that is known of them; of further ones, the first line.
constexpr std::size_t kFaultsInFull = 3;

void explain_faults(const json::object& report, std::vector<std::string>& lines) {
    std::size_t told = 0;
    for (const json::object* fault : objects_of(report, "faults")) {
        std::string text = crash_headline(*fault);
        if (told++ < kFaultsInFull)
            for (const std::string& line : crash_details(*fault)) text += "\n  " + line;
        lines.push_back(std::move(text));
    }
}

// {0, 1, 2, 5} as "0-2, 5".
std::string ranges(const std::vector<std::uint64_t>& sorted) {
    std::string text;
    for (std::size_t first = 0; first < sorted.size();) {
        std::size_t last = first;
        while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
        if (!text.empty()) text += ", ";
        text += last == first ? fmt::to_string(sorted[first]) : fmt::format("{}-{}", sorted[first], sorted[last]);
        first = last + 1;
    }
    return text;
}

// Whether the job was ended by one. Where it was only told, that was done at once.
bool explain_deadlock(const json::object& report, std::vector<std::string>& lines) {
    const auto deadlock = object_field(report, "deadlock");
    if (!deadlock) return false;
    const auto ended = bool_field_or(**deadlock, "ended", false);
    if (!ended || !*ended) return false;
    std::string text;
    for (const std::string& line : deadlock_lines(**deadlock)) text += text.empty() ? line : "\n" + line;
    lines.push_back(std::move(text));
    return true;
}

// Ranks that failed without a fault, by how: a line for each way, not one for each rank.
void explain_ranks(const json::object& report, std::vector<std::string>& lines) {
    const auto ranks = objects_of(report, "ranks");
    if (ranks.size() < 2) return;
    std::set<std::uint64_t> faulted;  // told already, and better
    for (const json::object* fault : objects_of(report, "faults")) faulted.insert(count_of(*fault, "rank"));
    std::map<std::string, std::vector<std::uint64_t>> by_end;
    for (const json::object* rank : ranks) {
        if (faulted.contains(count_of(*rank, "rank"))) continue;
        const std::uint64_t signo = count_of(*rank, "signal");
        const std::uint64_t exit = count_of(*rank, "exit");
        if (signo != 0) {
            by_end["ended by " + signal_name(signo)].push_back(count_of(*rank, "rank"));
        } else if (exit != 0) {
            by_end[fmt::format("exited with code {}", exit)].push_back(count_of(*rank, "rank"));
        }
    }
    for (const auto& [end, who] : by_end)
        lines.push_back(fmt::format("rank{} {}: {}", who.size() == 1 ? "" : "s", ranges(who), end));
}

void explain_calls(const json::object& report, std::vector<std::string>& lines) {
    std::vector<std::string> calls;
    for (const json::object* call : objects_of(report, "unserved"))
        calls.push_back(fmt::format("{} ({} times)", text_of(*call, "call"), text_of(*call, "count")));
    if (!calls.empty())
        lines.push_back(fmt::format("it asked for system calls that nodes do not serve: {}", fmt::join(calls, ", ")));
}

}  // namespace

std::vector<std::string> explain(const json::object& report, int exit_code) {
    std::vector<std::string> lines;
    explain_faults(report, lines);
    // What it did to the ranks is no news then.
    if (!explain_deadlock(report, lines)) explain_ranks(report, lines);
    if (exit_code != 0) explain_calls(report, lines);
    return lines;
}

}  // namespace divisi::ctl
