// Ranks that wait for each other for ever: noticed, told, and ended.
#include <fmt/format.h>

#include "base/crash_text.hpp"
#include "hv/stillness.hpp"
#include "hv/vmm/job.hpp"

namespace divisi::hv::vmm {
namespace {

// A look costs microseconds; people do not notice that they wait so long for the news.
constexpr std::chrono::milliseconds kBetweenLooks{250};

}  // namespace

// Until the job has ended or a deadlock was found: one look is proof (hv/stillness.hpp).
void Job::watch_for_deadlock() {
    if (request_.on_deadlock == OnDeadlock::kIgnore) return;
    while (!left_->wait_for(kBetweenLooks)) {
        if (!deadlocked()) continue;
        const bool ends = request_.on_deadlock == OnDeadlock::kEnd;
        {
            json::object found{{"ended", ends}, {"ranks", describe_waits()}};
            const std::lock_guard lock(mutex_);
            deadlock_ = std::move(found);
        }
        if (ends) end(kDeadlockExit);
        tell_deadlock();
        return;
    }
}

// What a host process does is not seen: as long as one is or may come, nothing is known. A rank that has ended is left
// out once those that slept for it have been woken; until then it will still do something.
bool Job::deadlocked() const {
    std::vector<const Program*> programs;
    const std::lock_guard lock(mutex_);
    for (const auto& rank : ranks_) {
        if (rank->told.load(std::memory_order_acquire)) continue;
        if (rank->on_host || !rank->program || rank->program->over()) return false;
        programs.push_back(rank->program.get());
    }
    return !programs.empty() && still_for_good(programs, services_.futexes);
}

json::array Job::describe_waits() const {
    json::array waits;
    const std::lock_guard lock(mutex_);
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        const Rank& rank = *ranks_[index];
        json::object item{{"rank", index}, {"node", rank.nodes.front()}};
        if (rank.told.load(std::memory_order_acquire)) {
            item["text"] = fmt::format("has ended with code {}", rank.outcome.exit_code);
        } else {
            const shm::Wait wait = topology_.wait_of(static_cast<std::uint32_t>(index));
            item["text"] = to_string(wait);
            item["call"] = wait.call;
        }
        waits.push_back(std::move(item));
    }
    return waits;
}

// Where the job goes on, and where nobody waits for its report.
void Job::tell_deadlock() const {
    if (request_.on_deadlock == OnDeadlock::kEnd && !request_.tell_faults) return;
    std::string text;
    for (const std::string& line : deadlock_lines(*deadlock_)) text += fmt::format("divisi: {}: {}\n", id_, line);
    error_->write(text);
}

}  // namespace divisi::hv::vmm
