#include "hv/outside_wakes.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <ctime>

namespace divisi::hv {
namespace {

constexpr std::size_t kMostWords = 128;  // FUTEX_WAITV_MAX
// How often to look at the words where there are more of them than the kernel waits for at once.
constexpr long kLookNs = 1'000'000;

futex_waitv wait_for(const void* word, std::uint32_t value) {
    futex_waitv request{};
    request.uaddr = reinterpret_cast<std::uint64_t>(word);
    request.val = value;
    request.flags = FUTEX_32;
    return request;
}

}  // namespace

OutsideWakes::OutsideWakes(FutexTable& futexes, std::vector<SharedRange> ranges)
    : futexes_(futexes), ranges_(std::move(ranges)) {
    futexes_.share_windows([this] { changed(); });
    thread_ = std::thread([this] { live(); });
}

OutsideWakes::~OutsideWakes() {
    futexes_.share_windows(nullptr);
    stopping_.store(true);
    changed();
    thread_.join();
}

void OutsideWakes::changed() noexcept {
    changes_.fetch_add(1);
    ::syscall(SYS_futex, &changes_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

bool OutsideWakes::concerns(const FutexTable::Key& key) const {
    return key.window && std::any_of(ranges_.begin(), ranges_.end(), [&key](const SharedRange& range) {
               return key.address >= range.begin && key.address < range.end;
           });
}

void OutsideWakes::live() {
    ::pthread_setname_np(::pthread_self(), "outside wakes");
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    while (!stopping_.load()) {
        // ORDER: the count is read before the words are asked for: a wait that begins after that changes it.
        std::vector<futex_waitv> requests{wait_for(&changes_, changes_.load())};
        const auto words = futexes_.waited_words([this](const FutexTable::Key& key) { return concerns(key); });
        for (const FutexTable::Word& word : words)
            if (requests.size() < kMostWords) requests.push_back(wait_for(word.host, word.expected));
        timespec deadline{};
        ::clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_nsec += kLookNs;
        if (deadline.tv_nsec >= 1'000'000'000) ++deadline.tv_sec, deadline.tv_nsec -= 1'000'000'000;
        const bool all_fit = words.size() < kMostWords;
        const long woken = ::syscall(SYS_futex_waitv, requests.data(), requests.size(), 0U,
                                     all_fit ? nullptr : &deadline, CLOCK_MONOTONIC);
        for (std::size_t i = 0; i < words.size(); ++i) {
            // SAFETY: a word of a window, which its two ends change at any time: one atomic load.
            const auto value = std::atomic_ref(*const_cast<std::uint32_t*>(words[i].host)).load();
            if (value != words[i].expected || woken == static_cast<long>(i) + 1)
                futexes_.wake(words[i].key, INT_MAX, ~0U);
        }
    }
}

}  // namespace divisi::hv
