// The daemon's book of topologies: which there are, what each is going through, who holds what, and how some ended.
//
// It starts and stops nothing; topologies.hpp does. Threads: every call is safe from any thread; none blocks but
// `wait_ended`.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "daemon/accounting.hpp"
#include "daemon/api/launch.hpp"
#include "daemon/folder.hpp"
#include "daemon/vmm_process.hpp"

namespace divisi::daemon {

enum class State : std::uint8_t { kCarving, kReady, kSwitching, kReleasing };
[[nodiscard]] std::string_view to_string(State state) noexcept;

// One topology, as it was when it was asked for. `serial` tells it from a later one of the same name.
struct Entry {
    std::uint64_t serial = 0;
    State state = State::kCarving;
    Facts facts;
    std::shared_ptr<VmmProcess> vmm;  // absent while carving
};

// How a topology ended that nobody released.
struct Ended {
    std::string name;
    std::int64_t when = 0;  // unix seconds
    std::string how;        // "divisi-vmm (pid 12) was killed by signal 9 (Killed)"
    std::string log;        // the last lines of its log
};

class Registry {
public:
    // Takes the name and the claims for a topology that is about to be carved. With `make_unique`, a name that is taken
    // gets a number. Returns the name and fills it in. Errors: kExists, kBusy, kInsufficient.
    Result<Entry> reserve(Facts facts, bool make_unique, std::uint64_t machine_memory);
    // Carving failed: as if it had never been.
    void drop(const Entry& entry);
    // Carving succeeded, or a running topology was found.
    void commit(const Entry& entry, std::shared_ptr<VmmProcess> vmm);

    // Errors: kNotFound, with how it ended where that is known; kBusy while it is being carved or released.
    [[nodiscard]] Result<Entry> find(const std::string& name) const;
    // Moves a ready topology into `next`. Errors: those of `find`; kBusy while it is switching, except that a forced
    // release goes before a switch; kNotFound where `serial` is given and the name belongs to another by now.
    Result<Entry> begin(const std::string& name, State next, bool force = false,
                        std::optional<std::uint64_t> serial = {});
    // Back to ready, where it still is in `state`.
    void finish(const Entry& entry, State state);

    // Its process has ended. Forgets it, and remembers how where it was not being released.
    void ended(const Entry& entry, const std::string& how, const std::string& log);
    // Remembers a topology that ended while no daemon was there.
    void remember(const std::string& name, const std::string& how, const std::string& log);
    // Waits until it is forgotten. False at the deadline.
    bool wait_ended(const Entry& entry, api::Deadline deadline) const;

    [[nodiscard]] std::vector<Entry> list() const;
    [[nodiscard]] std::vector<Ended> ends() const;
    [[nodiscard]] Holders holders() const;
    [[nodiscard]] bool empty() const;

private:
    Entry* same(const Entry& entry);
    [[nodiscard]] const Entry* same(const Entry& entry) const;
    [[nodiscard]] Result<Entry> find_locked(const std::string& name) const;
    [[nodiscard]] Holders holders_locked() const;
    void remember_locked(const std::string& name, const std::string& how, const std::string& log);

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, Entry> entries_;
    std::deque<Ended> ended_;
    std::uint64_t next_serial_ = 1;
};

}  // namespace divisi::daemon
