#include "hv/limits.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "hv/files.hpp"

namespace divisi::hv {
namespace {

struct Description {
    std::string_view name, unit;
};

constexpr std::array<Description, RLIMIT_NLIMITS> kDescriptions{{
    {"Max cpu time", "seconds"},
    {"Max file size", "bytes"},
    {"Max data size", "bytes"},
    {"Max stack size", "bytes"},
    {"Max core file size", "bytes"},
    {"Max resident set", "bytes"},
    {"Max processes", "processes"},
    {"Max open files", "files"},
    {"Max locked memory", "bytes"},
    {"Max address space", "bytes"},
    {"Max file locks", "locks"},
    {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},
    {"Max nice priority", ""},
    {"Max realtime priority", ""},
    {"Max realtime timeout", "us"},
}};

std::string text_of(std::uint64_t limit) {
    return limit == Limits::kUnlimited ? "unlimited" : std::to_string(limit);
}

}  // namespace

Limits::Set Limits::usual() {
    constexpr std::uint64_t kStack = 8U << 20U;
    constexpr std::uint64_t kThreads = 32768;
    constexpr std::uint64_t kSignals = 1024;
    constexpr std::uint64_t kMessages = 819200;
    Set set;
    set[RLIMIT_STACK].soft = kStack;
    set[RLIMIT_CORE].soft = 0;
    set[RLIMIT_NPROC] = {kThreads, kThreads};
    set[RLIMIT_NOFILE] = {FileTable::kLimit, FileTable::kLimit};
    set[RLIMIT_SIGPENDING] = {kSignals, kSignals};
    set[RLIMIT_MSGQUEUE] = {kMessages, kMessages};
    set[RLIMIT_NICE] = set[RLIMIT_RTPRIO] = {0, 0};
    return set;
}

Limits::Limits(const Set& first) {
    for (std::size_t resource = 0; resource < first.size(); ++resource) {
        limits_[resource].soft.store(first[resource].soft, std::memory_order_relaxed);
        limits_[resource].hard.store(first[resource].hard, std::memory_order_relaxed);
    }
}

Limits::Limit Limits::get(int resource) const {
    const Kept& kept = limits_.at(static_cast<std::size_t>(resource));
    const std::lock_guard lock(mutex_);
    return {kept.soft.load(std::memory_order_relaxed), kept.hard.load(std::memory_order_relaxed)};
}

std::uint64_t Limits::soft(int resource) const {
    return limits_.at(static_cast<std::size_t>(resource)).soft.load(std::memory_order_relaxed);
}

int Limits::set(int resource, const Limit& wanted) {
    if (!known(resource) || wanted.soft > wanted.hard) return -EINVAL;
    Kept& kept = limits_.at(static_cast<std::size_t>(resource));
    const std::lock_guard lock(mutex_);
    if (wanted.hard > kept.hard.load(std::memory_order_relaxed)) return -EPERM;
    kept.soft.store(wanted.soft, std::memory_order_relaxed);
    kept.hard.store(wanted.hard, std::memory_order_relaxed);
    return 0;
}

std::string Limits::describe() const {
    constexpr std::string_view kLine = "{:<25} {:<20} {:<20} {:<10}\n";
    std::string text = fmt::format(kLine, "Limit", "Soft Limit", "Hard Limit", "Units");
    for (std::size_t resource = 0; resource < kDescriptions.size(); ++resource) {
        const Limit limit = get(static_cast<int>(resource));
        text += fmt::format(kLine, kDescriptions[resource].name, text_of(limit.soft), text_of(limit.hard),
                            kDescriptions[resource].unit);
    }
    return text;
}

}  // namespace divisi::hv
