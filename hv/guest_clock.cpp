#include "hv/guest_clock.hpp"

#include <cpuid.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <ctime>

extern "C" const std::byte kVdsoImage[];
extern "C" const std::byte kVdsoImageEnd[];

namespace divisi::hv {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstInterval{10}, kLongestInterval{100};
// How far ahead a change is announced, and for how long a record may be used.
constexpr double kLeadNs = 1e6, kSpanNs = 2e9;
// More than the host's clock is ever slewed by, and less than anything that is no slewing.
constexpr double kRateTolerance = 0.002;
constexpr std::size_t kSamples = 16;
constexpr double kTwoTo32 = 4294967296.0;

std::uint64_t host_time(int id) {
    timespec now{};
    ::clock_gettime(id, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// Whether the counter runs at one rate, on all processors alike: the kernel takes it off its list where it does not.
bool counter_is_steady() {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    constexpr unsigned kInvariant = 1U << 8U;
    if (__get_cpuid(0x80000007U, &eax, &ebx, &ecx, &edx) == 0 || (edx & kInvariant) == 0) return false;
    const auto sources = read_file("/sys/devices/system/clocksource/clocksource0/available_clocksource");
    return sources && sources->starts_with("tsc");
}

// `present` is kept where the host's clocks do not contradict it, so that it has no jitter.
std::int64_t offset_to_monotonic(int id, std::int64_t present) {
    constexpr std::int64_t kSlackNs = 100;
    std::int64_t best = 0;
    std::uint64_t best_width = UINT64_MAX;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const std::uint64_t before = host_time(CLOCK_MONOTONIC);
        const std::uint64_t there = host_time(id);
        const std::uint64_t after = host_time(CLOCK_MONOTONIC);
        if (after - before >= best_width) continue;
        best_width = after - before;
        best = static_cast<std::int64_t>(there - before - best_width / 2);
    }
    const auto uncertainty = static_cast<std::int64_t>(best_width / 2) + kSlackNs;
    return std::abs(present - best) <= uncertainty ? present : best;
}

std::uint64_t to_rate(double ns_per_tick) {
    return static_cast<std::uint64_t>(ns_per_tick * kTwoTo32);
}

}  // namespace

GuestClock::GuestClock(Fd fd, Mapping mapping)
    : fd_(std::move(fd)),
      mapping_(std::move(mapping)),
      trusted_(counter_is_steady()),
      histories_{{CLOCK_MONOTONIC, {}, 0}, {CLOCK_MONOTONIC_RAW, {}, 0}},
      link_(std::make_shared<Link>()) {
    link_->clock = this;
    timespec coarse{};
    ::clock_getres(CLOCK_MONOTONIC_COARSE, &coarse);
    page().coarse_ns = static_cast<std::uint64_t>(coarse.tv_nsec);
    for (History& history : histories_) take_sample(history);
}

GuestClock::~GuestClock() {
    const std::lock_guard lock(link_->mutex);
    link_->clock = nullptr;
}

std::size_t GuestClock::window_bytes() {
    const auto image = static_cast<std::size_t>(kVdsoImageEnd - kVdsoImage);
    return kPageBytes + page_ceil(image);
}

Result<std::unique_ptr<GuestClock>> GuestClock::create() {
    DIVISI_TRY_ASSIGN(Fd fd, create_memfd("divisi-clock", window_bytes()));
    DIVISI_TRY_ASSIGN(Mapping mapping, Mapping::file(fd.get(), 0, window_bytes(), PROT_READ | PROT_WRITE));
    std::memcpy(mapping.data() + kPageBytes, kVdsoImage, static_cast<std::size_t>(kVdsoImageEnd - kVdsoImage));
    return std::unique_ptr<GuestClock>(new GuestClock(std::move(fd), std::move(mapping)));
}

std::vector<WindowPiece> GuestClock::window() const {
    return {{fd_.get(), 0, kPageBytes, false, false},
            {fd_.get(), kPageBytes, window_bytes() - kPageBytes, false, true}};
}

void GuestClock::retain(Timers& timers) {
    const std::lock_guard lock(mutex_);
    if (holds_++ != 0 || !trusted_) return;
    timers_ = &timers;
    interval_ = kFirstInterval;
    // Nobody has read the page lately: it may say exactly what the host says.
    start_over();
    timer_ = timers.at(Timers::Clock::now() + interval_, [link = link_] {
        const std::lock_guard link_lock(link->mutex);
        if (link->clock != nullptr) link->clock->tick();
    });
}

void GuestClock::release() {
    const std::lock_guard lock(mutex_);
    if (--holds_ != 0 || timers_ == nullptr) return;
    timers_->cancel(timer_);
    timers_ = nullptr;
}

void GuestClock::tick() {
    const std::lock_guard lock(mutex_);
    if (timers_ == nullptr) return;
    interval_ = std::min(interval_ * 2, kLongestInterval);
    refresh();
    timer_ = timers_->at(Timers::Clock::now() + interval_, [link = link_] {
        const std::lock_guard link_lock(link->mutex);
        if (link->clock != nullptr) link->clock->tick();
    });
}

void GuestClock::take_sample(History& history) {
    Sample best;
    std::uint64_t best_width = UINT64_MAX;
    for (int attempt = 0; attempt < 8; ++attempt) {
        const std::uint64_t before = divisi_clock_tsc();
        const std::uint64_t ns = host_time(history.id);
        const std::uint64_t after = divisi_clock_tsc();
        if (after - before >= best_width) continue;
        best_width = after - before;
        best = {before + best_width / 2, ns};
    }
    std::vector<Sample>& samples = history.samples;
    samples.push_back(best);
    if (samples.size() > kSamples) samples.erase(samples.begin());
    if (samples.size() < 2) return;
    const auto ticks = static_cast<double>(best.tsc - samples.front().tsc);
    const double rate = static_cast<double>(best.ns - samples.front().ns) / ticks;
    if (nominal_rate_ == 0) nominal_rate_ = rate;
    if (!(std::abs(rate / nominal_rate_ - 1) < kRateTolerance)) {
        // The counter was set, or the machine slept: what was learnt is worthless.
        samples.assign(1, best);
        history.rate = 0;
        return;
    }
    history.rate = rate;
}

void GuestClock::publish(const divisi_clock_record& record) {
    const std::uint64_t sequence = page().sequence + 1;
    std::array<std::uint64_t, sizeof record / sizeof(std::uint64_t)> words{};
    std::memcpy(words.data(), &record, sizeof record);
    auto* to = reinterpret_cast<std::uint64_t*>(&page().records[sequence & 1U]);
    // ORDER: release: a reader that is a whole interval late and meets one of these words sees the last number, too.
    for (const std::uint64_t word : words) std::atomic_ref(*to++).store(word, std::memory_order_release);
    // ORDER: the record before the number that makes it the current one.
    std::atomic_ref(page().sequence).store(sequence, std::memory_order_release);
}

void GuestClock::start_over() {
    // A rate takes two samples some time apart; programs ask by system calls until there are.
    constexpr std::uint64_t kBaselineNs = 2'000'000;
    divisi_clock_record record{};
    bool ready = true;
    for (int which = 0; which < DIVISI_CLOCK_LINES; ++which) {
        History& history = histories_[which];
        while (host_time(history.id) - history.samples.front().ns < kBaselineNs) continue;
        take_sample(history);
        const Sample& now = history.samples.back();
        ready = ready && history.rate != 0;
        record.lines[which][0] = record.lines[which][1] = {now.tsc, now.ns, to_rate(history.rate)};
        record.start_tsc = std::max(record.start_tsc, now.tsc);
    }
    record.switch_tsc = record.start_tsc;
    record.span = ready ? static_cast<std::uint64_t>(kSpanNs / nominal_rate_) : 0;
    record.realtime_ns = offset_to_monotonic(CLOCK_REALTIME, record.realtime_ns);
    record.boottime_ns = offset_to_monotonic(CLOCK_BOOTTIME, record.boottime_ns);
    publish(record);
}

divisi_clock_line GuestClock::next_line(History& history, const divisi_clock_line& present,
                                        std::uint64_t switch_tsc) const {
    constexpr double kJumpNs = 1e6;
    const Sample& now = history.samples.back();
    const double host = static_cast<double>(switch_tsc - now.tsc) * history.rate;
    const std::uint64_t host_ns = now.ns + static_cast<std::uint64_t>(host);
    const std::uint64_t own_ns = divisi_clock_on_line(&present, switch_tsc);
    const auto error = static_cast<double>(static_cast<std::int64_t>(host_ns - own_ns));
    if (error > kJumpNs) return {switch_tsc, host_ns, to_rate(history.rate)};
    // Half of what is missing is made up for until the next time: that never overshoots, and never stands still.
    const double ticks = std::chrono::duration<double, std::nano>(interval_).count() / history.rate;
    const double rate = std::max(history.rate + error / (2 * ticks), history.rate / 2);
    return {switch_tsc, own_ns, to_rate(rate)};
}

void GuestClock::refresh() {
    const divisi_clock_record& present = page().records[page().sequence & 1U];
    if (present.span == 0) {
        start_over();
        return;
    }
    divisi_clock_record record{};
    for (int attempt = 0; attempt < 3; ++attempt) {
        for (History& history : histories_) take_sample(history);
        record = present;
        record.start_tsc = divisi_clock_tsc();
        // A change that is announced and has not come yet stands.
        if (record.start_tsc < present.switch_tsc) return;
        const bool lost = histories_[0].rate == 0 || histories_[1].rate == 0;
        if (lost) {
            record.span = 0;
            break;
        }
        record.switch_tsc = record.start_tsc + static_cast<std::uint64_t>(kLeadNs / nominal_rate_);
        for (int which = 0; which < DIVISI_CLOCK_LINES; ++which) {
            record.lines[which][0] = present.lines[which][1];
            record.lines[which][1] = next_line(histories_[which], present.lines[which][1], record.switch_tsc);
        }
        record.realtime_ns = offset_to_monotonic(CLOCK_REALTIME, present.realtime_ns);
        record.boottime_ns = offset_to_monotonic(CLOCK_BOOTTIME, present.boottime_ns);
        // Interrupted for so long that the change would come too late to be announced: once more.
        if (divisi_clock_tsc() < record.switch_tsc - (record.switch_tsc - record.start_tsc) / 4) break;
    }
    publish(record);
}

std::optional<std::chrono::nanoseconds> GuestClock::now(int id) {
    int which = DIVISI_CLOCK_MONOTONIC;
    int offset = DIVISI_CLOCK_PLAIN;
    switch (id) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE: offset = DIVISI_CLOCK_REAL; break;
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_COARSE: break;
        case CLOCK_MONOTONIC_RAW: which = DIVISI_CLOCK_RAW; break;
        case CLOCK_BOOTTIME: offset = DIVISI_CLOCK_BOOT; break;
        default: return std::nullopt;
    }
    std::uint64_t ns = divisi_clock_read(&page(), which, offset);
    if (ns == 0) {
        const std::lock_guard lock(mutex_);
        if (timers_ == nullptr) return std::nullopt;
        refresh();
        ns = divisi_clock_read(&page(), which, offset);
    }
    if (ns == 0) return std::nullopt;
    return std::chrono::nanoseconds(ns);
}

}  // namespace divisi::hv
