// A thread of a guest program.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "hv/layout.hpp"
#include "hv/registers.hpp"
#include "hv/timers.hpp"

namespace divisi::hv {

class Program;

inline constexpr unsigned kMaxCpus = 1024;
using CpuSet = std::bitset<kMaxCpus>;

// A bit a signal, signal n at bit n-1, as the kernel has it.
using SignalSet = std::uint64_t;
constexpr SignalSet signal_bit(int signo) {
    return 1ULL << static_cast<unsigned>(signo - 1);
}

// A timer has at most one signal on its way: further expiries are counted in it. Under the program's signal lock, but
// for `last_overrun`.
struct TimerSignal {
    bool queued = false;
    std::uint64_t overrun = 0;         // of the queued one
    std::atomic<int> last_overrun{0};  // of the last that was delivered
};

struct SignalInfo {
    int signo = 0;
    int code = 0;
    int pid = 0;
    std::uint32_t uid = 0;
    std::uint64_t value = 0;    // sigqueue's value, a timer's
    std::uint64_t address = 0;  // the fault's
    std::uint32_t trap = 0;     // the processor's exception of a fault, and what it says more
    std::uint32_t error = 0;
    int timer = 0;
    int overrun = 0;
    std::uint64_t missed = 0;  // expiries before this one that nobody saw
    std::shared_ptr<TimerSignal> origin;
};

// A thread's name, which other threads may read while it changes.
class ThreadName {
public:
    static constexpr std::size_t kMaxBytes = 15;

    void set(std::string_view name) {
        std::array<std::uint64_t, 2> words{};
        name.copy(reinterpret_cast<char*>(words.data()), kMaxBytes);
        for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i], std::memory_order_relaxed);
    }
    [[nodiscard]] std::string get() const {
        const std::array<std::uint64_t, 2> words{words_[0].load(std::memory_order_relaxed),
                                                 words_[1].load(std::memory_order_relaxed)};
        return reinterpret_cast<const char*>(words.data());
    }

private:
    std::array<std::atomic<std::uint64_t>, 2> words_{};
};

// Where handlers run that ask for it; of no bytes: nowhere.
struct AltStack {
    Gva base = 0;
    std::uint64_t size = 0;
    std::uint32_t flags = 2;  // as sigaltstack(2) was told: SS_DISABLE
};

// Who may touch what: the thread's own members belong to the node that runs it, or to whoever creates it; `sched`
// belongs to the scheduler under its lock; `wait` to the futex table under its lock; `pending` to the program under
// its signal lock.
struct Thread {
    Thread(int id, Program& owner) : tid(id), program(owner) {}
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() = default;

    const int tid;
    Program& program;
    ThreadContext context;
    ThreadName name;
    std::uint64_t call_number = 0;  // of its present or last system call
    std::int64_t restart = 0;       // that call is to be made again: kRestart or kRestartAlways (syscalls/call.hpp)

    std::atomic<int> policy{0};  // as sched_setscheduler(2) was told, of the ordinary ones; changes nothing

    Gva clear_child_tid = 0;
    Gva robust_list = 0;
    std::uint64_t robust_list_bytes = 0;

    // Of these, senders of signals look from elsewhere.
    std::atomic<SignalSet> blocked{0};
    std::atomic<SignalSet> waited_for{0};  // by sigwait and its kin: blocked, and yet ending the wait
    SignalSet blocked_before_suspend = 0;
    bool restore_blocked = false;
    AltStack alt_stack;
    std::list<SignalInfo> pending;

    // What completes a system call that had to wait: called by the node that resumes the thread, with what it was woken
    // with (0, or a negative errno); gives the call's result.
    std::function<std::int64_t(std::int64_t)> on_resume;

    // hv/cpu_times.hpp
    struct CpuTime {
        std::mutex mutex;
        std::chrono::nanoseconds spent{0};
        std::chrono::nanoseconds since{0};  // what its node's clock said when it was taken up
        int cpu = -1;                       // that node; -1: no node runs it
    } cpu_time;

    struct Scheduling {
        enum class State : std::uint8_t { kNew, kQueued, kRunning, kBlocked, kDead };
        State state = State::kNew;
        int cpu = -1;       // where it runs or ran last
        int resident = -1;  // whose vCPU still holds its vector state
        // A wait: its ticket, so that a wake that comes too late for one wait does not end the next.
        std::uint64_t ticket = 0;
        bool waiting = false;
        bool woken = false;            // the wake came before the thread was parked
        bool ended_by_signal = false;  // a signal may end the wait by itself
        bool parked = false;           // it left its node during the wait
        std::int64_t wake_result = 0;
        CpuSet affinity = CpuSet().set();
    } sched;
};

}  // namespace divisi::hv
