// Time in nodes without an exit: the clock page (vdso/clock_page.h), kept in step with the host's clocks, and the code
// that reads it, as a window into every program's address space.
//
// The clocks that nodes see agree with the host's to well under a microsecond, never go backwards, and are the same on
// all nodes: each is one continuous function of the time stamp counter, bent a little ten times a second so that it
// meets the host's clock again. While no program runs, nothing happens; where the counter cannot be trusted, the page
// says so, and programs make system calls.
//
// Threads: all members may be called from several threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "hv/page_tables.hpp"
#include "hv/timers.hpp"
#include "hv/vdso/clock_page.h"

namespace divisi::hv {

class GuestClock {
public:
    static Result<std::unique_ptr<GuestClock>> create();
    GuestClock(const GuestClock&) = delete;
    GuestClock& operator=(const GuestClock&) = delete;
    ~GuestClock();

    // The clock page and the vDSO's image after it, to be placed side by side among a program's windows.
    [[nodiscard]] std::vector<WindowPiece> window() const;
    [[nodiscard]] static std::size_t window_bytes();

    // As long as the result lives, the page is kept fresh. `timers` is lent for that time.
    class Hold {
    public:
        Hold(GuestClock& clock, Timers& timers) : clock_(&clock) { clock.retain(timers); }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold() { clock_->release(); }

    private:
        GuestClock* clock_;
    };

    // What a program reads from clock `id`, a CLOCK_…; nothing where it is none of those on the page, and the host's is
    // the program's.
    std::optional<std::chrono::nanoseconds> now(int id);

private:
    struct Sample {
        std::uint64_t tsc = 0;
        std::uint64_t ns = 0;
    };
    struct History {
        int id;
        std::vector<Sample> samples;  // the oldest first
        double rate = 0;              // nanoseconds a tick
    };

    GuestClock(Fd fd, Mapping mapping);
    void retain(Timers& timers);
    void release();
    void tick();
    void refresh();
    void start_over();
    void publish(const divisi_clock_record& record);
    void take_sample(History& history);
    divisi_clock_line next_line(History& history, const divisi_clock_line& present, std::uint64_t switch_tsc) const;
    [[nodiscard]] divisi_clock_page& page() const { return *reinterpret_cast<divisi_clock_page*>(mapping_.data()); }

    std::mutex mutex_;
    Fd fd_;
    Mapping mapping_;
    bool trusted_ = false;
    double nominal_rate_ = 0;
    History histories_[DIVISI_CLOCK_LINES];
    std::chrono::milliseconds interval_{0};
    // Shared with the timer's callback, which may come after the clock has gone.
    struct Link {
        std::mutex mutex;
        GuestClock* clock = nullptr;
    };
    std::shared_ptr<Link> link_;
    Timers* timers_ = nullptr;
    Timers::Id timer_ = 0;
    unsigned holds_ = 0;
};

}  // namespace divisi::hv
