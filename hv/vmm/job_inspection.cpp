// What a job tells of itself while it runs, and of how it ended.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/crash_text.hpp"
#include "hv/core_file.hpp"
#include "hv/inspector.hpp"
#include "hv/syscalls/call.hpp"
#include "hv/vmm/job.hpp"

namespace divisi::hv::vmm {
namespace {

// A crash is told late rather than never; what it takes is milliseconds, unless the image is hostile.
constexpr std::chrono::milliseconds kCrashPatience{5000};
// Whoever looks at running threads waits so long for those that are on their way, and for their stacks.
constexpr std::chrono::milliseconds kThreadPatience{200};
constexpr std::chrono::milliseconds kStacksPatience{3000};

std::string_view to_string(ThreadSnapshot::State state) {
    switch (state) {
        case ThreadSnapshot::State::kWaiting: return "waiting";
        case ThreadSnapshot::State::kReady: return "ready";
        case ThreadSnapshot::State::kStopped: return "stopped";
        default: return "running";
    }
}

json::object to_json(const ThreadSnapshot& seen) {
    json::object object{
        {"thread", seen.thread}, {"name", seen.name}, {"node", seen.node}, {"state", to_string(seen.state)}};
    if (seen.state == ThreadSnapshot::State::kWaiting) {
        object["call"] = syscall_name(seen.call);
        if (seen.call == SYS_futex && seen.has_registers) object["futex"] = fmt::format("{:#x}", seen.registers.rdi);
    }
    if (seen.has_registers) object["rip"] = fmt::format("{:#x}", seen.registers.rip);
    return object;
}

using Calls = std::map<std::uint64_t, std::uint64_t>;

// The most frequent first.
json::array to_json(const Calls& calls) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> sorted(calls.begin(), calls.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    json::array list;
    for (const auto& [number, count] : sorted)
        list.push_back(json::object{{"call", syscall_name(number)}, {"number", number}, {"count", count}});
    return list;
}

// Messages and barriers belong to one thread of a rank at a time; so the rank's word is about this one.
bool waits_on_window(const ThreadSnapshot& seen, const Program& program,
                     const std::map<const Thread*, FutexTable::Sleeper>& sleepers) {
    if (seen.state != ThreadSnapshot::State::kWaiting) return false;
    const auto thread = program.find_thread(program.pid() + seen.thread);
    const auto found = sleepers.find(thread.get());
    return found != sleepers.end() && found->second.window;
}

}  // namespace

Result<std::string> Job::write_core_file(std::size_t index, const FaultReport& fault) const {
    std::string name = fmt::format("core.{}.{}", id_, index);
    const int folder = request_.working_folder.get();
    if (::unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT)
        return system_error(errno, "cannot replace the core file", name);
    // The folder is the client's; that nothing of this name is there is checked by O_EXCL, so no link is followed.
    const Fd file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid()) return system_error(errno, "cannot make the core file", name);
    auto written = write_core(*ranks_[index]->program, fault, file, ranks_[index]->program->limits().soft(RLIMIT_CORE));
    if (written) return name;
    ::unlinkat(folder, name.c_str(), 0);
    Error error = std::move(written).error();
    error.object = name;
    return error;
}

// With the rank's nodes stopped, and its memory still there.
void Job::look_into(std::size_t index) {
    Rank& rank = *ranks_[index];
    if (!rank.outcome.fault) return;
    FaultReport& fault = *rank.outcome.fault;
    Inspector inspector(*rank.program, kCrashPatience);
    fault.backtrace = inspector.backtrace(fault.registers, kUnwindFrames);
    // The program may have forbidden it.
    if (const auto limit = rank.program->limits().soft(RLIMIT_CORE); request_.core && limit < kPageBytes) {
        fault.core = fmt::format("none: the program's limit of core files is {} bytes", limit);
    } else if (request_.core) {
        auto core = write_core_file(index, fault);
        fault.core = core ? *core : core.error().message();
    }
    if (request_.tell_faults) tell_fault(index, fault);
}

void Job::tell_fault(std::size_t index, const FaultReport& fault) const {
    json::object record = hv::to_json(fault);
    record["rank"] = index;
    std::string text = fmt::format("divisi: {}: {}\n", id_, crash_headline(record));
    for (const std::string& line : crash_details(record)) text += fmt::format("divisi:   {}\n", line);
    error_->write(text);
}

json::array Job::threads(bool with_backtraces) const {
    const std::lock_guard lock(mutex_);
    json::array threads;
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        Program* program = ranks_[index]->program.get();
        if (program == nullptr || program->over()) continue;
        Inspector inspector(*program, kStacksPatience);
        const auto snapshot = program->snapshot(kThreadPatience);
        const auto sleepers = services_.futexes.sleepers();
        for (const ThreadSnapshot& seen : snapshot) {
            json::object thread = to_json(seen);
            thread["rank"] = index;
            if (waits_on_window(seen, *program, sleepers))
                thread["waits"] = to_string(topology_.wait_of(static_cast<std::uint32_t>(index)));
            if (seen.has_registers) {
                const Backtrace frames = inspector.backtrace(seen.registers, with_backtraces ? kUnwindFrames : 1);
                thread["symbol"] = frames.front().symbol;
                thread["source"] = frames.front().source;
                if (with_backtraces) thread["backtrace"] = hv::to_json(frames);
            }
            threads.push_back(std::move(thread));
        }
    }
    return threads;
}

json::object Job::exit_report() const {
    ExitSums exits;
    Calls unserved;
    for (const auto& rank : ranks_) {
        const Outcome outcome = rank->program ? rank->program->outcome() : rank->outcome;
        for (const auto& [number, count] : outcome.unserved) unserved[number] += count;
        exits += outcome.exits;
    }
    for (const auto& [number, count] : unserved) exits.calls.erase(number);
    return {{"served", to_json(exits.calls)},
            {"unserved", to_json(unserved)},
            {"page_faults", exits.page_faults},
            {"exceptions", exits.exceptions},
            {"kicks", exits.kicks}};
}

Job::Usage Job::usage_of(const Rank& rank) const {
    Usage sum;
    for (const std::uint32_t node : rank.nodes) {
        sum.exits += topology_.node(node).exits.load(std::memory_order_relaxed);
        sum.cpu_time += topology_.node(node).cpu_time();
    }
    sum.exits -= rank.before.exits;
    sum.cpu_time -= rank.before.cpu_time;
    return sum;
}

}  // namespace divisi::hv::vmm
