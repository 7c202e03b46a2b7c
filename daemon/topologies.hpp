// What the daemon does with topologies: carve, adopt, switch, release, watch.
//
// Threads: every call is safe from any thread. Calls on different topologies run side by side; a second call that
// changes the same topology is refused as busy. Those that take a while take `cancel`, a descriptor that becomes
// readable when nobody waits for the result any more.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/requests.hpp"
#include "daemon/api/workers.hpp"
#include "daemon/pid_watcher.hpp"
#include "daemon/planning.hpp"
#include "daemon/registry.hpp"
#include "daemon/status.hpp"

namespace divisi::daemon {

struct TopologiesOptions {
    std::string state;                                                             // the state folder
    std::string vmm;                                                               // the program divisi-vmm
    std::function<Result<Planned>(const api::CarveRequest&)> plan = daemon::plan;  // a seam for tests
};

class Topologies {
public:
    explicit Topologies(TopologiesOptions options) : options_(std::move(options)) {}
    Topologies(const Topologies&) = delete;
    Topologies& operator=(const Topologies&) = delete;
    // Leaves the topologies alive.
    ~Topologies();

    // Takes up the topologies an earlier daemon left, and clears away what is left of dead ones.
    Result<void> start();

    // `owner`: the process an ephemeral topology belongs to. Returns the topology as `show` does, with `notes`.
    Result<json::object> carve(const api::CarveRequest& request, std::optional<pid_t> owner, int cancel);
    Result<json::object> switch_mode(const std::string& name, const api::SwitchRequest& request, int cancel);
    Result<json::object> release(const std::string& name, bool force);
    // All of them. Errors: kBusy while jobs run and not `force`; nothing is released then.
    Result<void> release_all(bool force);

    Result<json::object> show(const std::string& name);
    // What the ranks of its present or last job have sent to each other.
    Result<json::object> traffic(const std::string& name);
    json::object list();
    std::vector<Status> statuses();
    // One topology's status. Errors: those of `Registry::find`.
    Result<Status> status(const std::string& name);

    [[nodiscard]] const Registry& registry() const noexcept { return registry_; }
    [[nodiscard]] const std::string& state() const noexcept { return options_.state; }
    [[nodiscard]] std::string socket_of(const std::string& name) const;

private:
    Result<Entry> reserve(const api::CarveRequest& request, const Planned& planned, std::optional<pid_t> owner);
    Result<void> bring_up(const Entry& entry, const json::object& config, int cancel);
    Result<void> watch(const Entry& entry, const std::shared_ptr<VmmProcess>& vmm);
    void watch_owner(const Entry& entry);
    void release_ownerless(const Entry& entry);
    void on_end(const Entry& entry, const std::shared_ptr<VmmProcess>& vmm);
    void adopt(const std::string& name);
    Result<void> adopt_running(const std::string& name);
    void clear_away(const std::string& name, const Error& why);
    Result<void> end_process(const Entry& entry, bool force);
    [[nodiscard]] std::string dir_of(const std::string& name) const;

    TopologiesOptions options_;
    Registry registry_;
    PidWatcher watcher_;  // after the registry: its thread uses it
    std::mutex releases_mutex_;
    bool stopping_ = false;
    api::Workers releases_{64};  // last, so that they end first: they wait for what the watcher sees
};

}  // namespace divisi::daemon
