#include "hv/stillness.hpp"

#include <algorithm>
#include <map>
#include <memory>

namespace divisi::hv {
namespace {

using Waits = std::map<const Thread*, FutexTable::Sleeper>;
using Threads = std::vector<std::shared_ptr<const Thread>>;

// Whether all threads of the program sleep, and none for somebody outside of it to send a signal.
bool sleeps(const Program& program, const Threads& threads, const Waits& sleepers) {
    const bool listens = program.signals().listens();
    return !threads.empty() && std::all_of(threads.begin(), threads.end(), [&](const auto& thread) {
        const auto found = sleepers.find(thread.get());
        return found != sleepers.end() && (found->second.window || !listens) && program.scheduler().parked(*thread);
    });
}

}  // namespace

bool still_for_good(const std::vector<const Program*>& programs, FutexTable& futexes) {
    const Waits before = futexes.sleepers();
    // Cheap, and nearly always the answer.
    if (before.size() < programs.size()) return false;
    Threads all;
    for (const Program* program : programs) {
        const Threads threads = program->threads();
        if (!sleeps(*program, threads, before)) return false;
        all.insert(all.end(), threads.begin(), threads.end());
    }
    for (const Program* program : programs)
        if (program->timers_armed()) return false;
    const Waits after = futexes.sleepers();
    bool on_window = false;
    for (const auto& thread : all) {
        const auto found = after.find(thread.get());
        if (found == after.end() || found->second.ticket != before.at(thread.get()).ticket) return false;
        on_window = on_window || found->second.window;
    }
    return on_window;
}

}  // namespace divisi::hv
