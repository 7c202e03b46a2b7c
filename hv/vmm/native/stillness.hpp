// Whether ranks that are host processes will never do anything any more: a deadlock, as /proc shows it.
//
// Threads: one.
// Source: proc(5), futex(2).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace divisi::hv::vmm {

// True only if no thread of the processes can ever run again, unless somebody outside of them sends a signal.
//
// Why there are no false alarms. Two looks find the same threads, each in a futex wait without a time-out, and with the
// same number of switches of its processor: so none of them ran from the first look to the second, and all of them were
// asleep at every moment between. A thread that had been woken by then would have run, or would be runnable at the
// second look. None of them can wake another, nor is there a timer; and none has a handler by which a signal might. So
// the state lasts. At least one of the waits is on a word that processes share, so, for another rank.
//
// What /proc does not show (of processes that have other users' rights, say) is no deadlock.
class NativeStillness {
public:
    // `processes`: all that share windows with each other and have not ended. To be called every now and then.
    bool look(const std::vector<pid_t>& processes);

private:
    using Switches = std::map<pid_t, std::uint64_t>;  // by thread

    std::optional<Switches> before_;
};

}  // namespace divisi::hv::vmm
