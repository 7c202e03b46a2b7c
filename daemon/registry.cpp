#include "daemon/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace divisi::daemon {
namespace {

constexpr std::size_t kRememberedEnds = 64;

std::string title(const std::string& name) {
    return fmt::format("topology '{}'", name);
}

Error busy(const Entry& entry) {
    return make_error(Errc::kBusy, fmt::format("is busy: {}", to_string(entry.state)), title(entry.facts.name),
                      "try again when that is done");
}

}  // namespace

std::string_view to_string(State state) noexcept {
    switch (state) {
        case State::kCarving: return "carving";
        case State::kReady: return "ready";
        case State::kSwitching: return "switching";
        case State::kReleasing: return "releasing";
    }
    return "unknown";
}

Result<Entry> Registry::reserve(Facts facts, bool make_unique, std::uint64_t machine_memory) {
    const std::lock_guard lock(mutex_);
    const std::string base = facts.name;
    for (int number = 2; make_unique && entries_.contains(facts.name); ++number)
        facts.name = fmt::format("{}-{}", base, number);
    if (const auto found = entries_.find(facts.name); found != entries_.end()) {
        const State state = found->second.state;
        return make_error(Errc::kExists, fmt::format("exists already (it is {})", to_string(state)), title(facts.name),
                          state == State::kReleasing
                              ? "try again when that is done"
                              : fmt::format("carve under another --name, or first: divisi release {}", facts.name));
    }
    DIVISI_TRY(check_memory(facts.name, facts.claims, holders_locked(), machine_memory));
    Entry entry{next_serial_++, State::kCarving, std::move(facts), nullptr};
    entries_.emplace(entry.facts.name, entry);
    return entry;
}

void Registry::drop(const Entry& entry) {
    const std::lock_guard lock(mutex_);
    if (same(entry) != nullptr) entries_.erase(entry.facts.name);
    changed_.notify_all();
}

void Registry::commit(const Entry& entry, std::shared_ptr<VmmProcess> vmm) {
    const std::lock_guard lock(mutex_);
    Entry* mine = same(entry);
    if (mine == nullptr) return;
    mine->state = State::kReady;
    mine->vmm = std::move(vmm);
    std::erase_if(ended_, [&entry](const Ended& end) { return end.name == entry.facts.name; });
}

Result<Entry> Registry::find(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return find_locked(name);
}

Result<Entry> Registry::find_locked(const std::string& name) const {
    if (const auto found = entries_.find(name); found != entries_.end()) {
        const Entry& entry = found->second;
        if (entry.state == State::kCarving || entry.state == State::kReleasing) return busy(entry);
        return entry;
    }
    const auto end = std::find_if(ended_.begin(), ended_.end(), [&name](const Ended& e) { return e.name == name; });
    if (end != ended_.end()) return make_error(Errc::kNotFound, "ended: " + end->how, title(name), "carve it again");
    std::vector<std::string> names;
    for (const auto& [known, entry] : entries_) names.push_back(known);
    return make_error(Errc::kNotFound, "no such topology", title(name),
                      names.empty() ? "there is none; make one with: divisi carve POLICY"
                                    : fmt::format("there are: {}", fmt::join(names, ", ")));
}

Result<Entry> Registry::begin(const std::string& name, State next, bool force, std::optional<std::uint64_t> serial) {
    const std::lock_guard lock(mutex_);
    DIVISI_TRY_ASSIGN(Entry entry, find_locked(name));
    if (serial && entry.serial != *serial) return make_error(Errc::kNotFound, "no such topology", title(name));
    const bool overtakes = force && next == State::kReleasing;
    if (entry.state == State::kSwitching && !overtakes) return busy(entry);
    entries_.at(name).state = entry.state = next;
    return entry;
}

void Registry::finish(const Entry& entry, State state) {
    const std::lock_guard lock(mutex_);
    Entry* mine = same(entry);
    if (mine != nullptr && mine->state == state) mine->state = State::kReady;
}

void Registry::ended(const Entry& entry, const std::string& how, const std::string& log) {
    const std::lock_guard lock(mutex_);
    const Entry* mine = same(entry);
    if (mine == nullptr) return;
    if (mine->state != State::kReleasing) remember_locked(entry.facts.name, how, log);
    entries_.erase(entry.facts.name);
    changed_.notify_all();
}

void Registry::remember(const std::string& name, const std::string& how, const std::string& log) {
    const std::lock_guard lock(mutex_);
    remember_locked(name, how, log);
}

void Registry::remember_locked(const std::string& name, const std::string& how, const std::string& log) {
    std::erase_if(ended_, [&name](const Ended& end) { return end.name == name; });
    ended_.push_back({name, std::time(nullptr), how, log});
    if (ended_.size() > kRememberedEnds) ended_.pop_front();
}

bool Registry::wait_ended(const Entry& entry, api::Deadline deadline) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this, &entry] { return same(entry) == nullptr; });
}

std::vector<Entry> Registry::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> result;
    for (const auto& [name, entry] : entries_) result.push_back(entry);
    return result;
}

std::vector<Ended> Registry::ends() const {
    const std::lock_guard lock(mutex_);
    return {ended_.begin(), ended_.end()};
}

Holders Registry::holders() const {
    const std::lock_guard lock(mutex_);
    return holders_locked();
}

Holders Registry::holders_locked() const {
    Holders holders;
    for (const auto& [name, entry] : entries_) holders.emplace(name, entry.facts.claims);
    return holders;
}

bool Registry::empty() const {
    const std::lock_guard lock(mutex_);
    return entries_.empty();
}

Entry* Registry::same(const Entry& entry) {
    return const_cast<Entry*>(std::as_const(*this).same(entry));
}

const Entry* Registry::same(const Entry& entry) const {
    const auto found = entries_.find(entry.facts.name);
    return found != entries_.end() && found->second.serial == entry.serial ? &found->second : nullptr;
}

}  // namespace divisi::daemon
