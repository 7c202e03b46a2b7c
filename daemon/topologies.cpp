#include "daemon/topologies.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <thread>
#include <utility>

#include "base/paths.hpp"
#include "daemon/api/vmm.hpp"
#include "daemon/orphans.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kCarvePatience{120};
constexpr std::chrono::seconds kSwitchPatience{60};
constexpr std::chrono::hours kDrainPatience{24 * 365};  // ends when the client goes away
constexpr std::chrono::seconds kReleasePatience{20};
constexpr std::chrono::seconds kForcePatience{5};  // then SIGKILL
constexpr std::chrono::seconds kAdoptPatience{2};
constexpr std::chrono::seconds kTrafficPatience{5};

std::string title(const std::string& name) {
    return fmt::format("topology '{}'", name);
}

json::array to_array(const std::vector<std::string>& strings) {
    json::array array;
    for (const std::string& text : strings) array.emplace_back(text);
    return array;
}

// One note for all PUs that go to the same topologies.
void note_shared_pus(const Claims& claims, Holders holders, const std::string& self, std::vector<std::string>& notes) {
    holders.erase(self);
    std::map<std::vector<std::string>, std::vector<std::uint32_t>> by_holders;
    for (const auto& [pu, names] : shared_pus(claims, holders)) by_holders[names].push_back(pu);
    for (const auto& [names, pus] : by_holders)
        notes.push_back(fmt::format("PU {} {} shared with {}", fmt::join(pus, ","), pus.size() == 1 ? "is" : "are",
                                    fmt::join(names, ", ")));
}

Error in_topology(const std::string& name, Error error) {
    error.object = error.object.empty() ? title(name) : title(name) + ": " + error.object;
    return error;
}

}  // namespace

Topologies::~Topologies() {
    const std::lock_guard lock(releases_mutex_);
    stopping_ = true;
}

std::string Topologies::dir_of(const std::string& name) const {
    return topology_dir(options_.state, name);
}

std::string Topologies::socket_of(const std::string& name) const {
    return vmm_socket(dir_of(name));
}

Result<void> Topologies::start() {
    const std::string folder = topologies_dir(options_.state);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error(errno, "cannot make the folder of topologies", folder);
    DIVISI_TRY(watcher_.start());
    DIVISI_TRY_ASSIGN(const std::vector<std::string> names, list_folders(folder));
    for (const std::string& name : names) adopt(name);
    return {};
}

void Topologies::adopt(const std::string& name) {
    if (auto adopted = adopt_running(name); !adopted) clear_away(name, adopted.error());
}

Result<void> Topologies::adopt_running(const std::string& name) {
    DIVISI_TRY_ASSIGN(const api::VmmConnection connection, api::VmmConnection::open(socket_of(name), kAdoptPatience));
    DIVISI_TRY_ASSIGN(Facts facts, read_folder(dir_of(name)));
    facts.name = name;
    // The kernel's word on who listens; and as a listener may have passed its socket on and be gone, the process is
    // asked for its command line once it is held: this pid will be watched, and perhaps killed. It need not answer now.
    DIVISI_TRY_ASSIGN(VmmProcess process, VmmProcess::adopt(connection.pid()));
    const auto vmm = std::make_shared<VmmProcess>(std::move(process));
    if (!serves(vmm->pid(), dir_of(name)))
        return make_error(Errc::kNotFound, "what listens there is no divisi-vmm", socket_of(name));
    DIVISI_TRY_ASSIGN(const Entry entry, registry_.reserve(std::move(facts), false, 0));
    spdlog::info("topology '{}': taken up again, divisi-vmm is pid {}", name, vmm->pid());
    return watch(entry, vmm);
}

void Topologies::clear_away(const std::string& name, const Error& why) {
    const std::string log = api::log_tail(vmm_log(dir_of(name)));
    const int orphans = kill_orphans(dir_of(name));
    spdlog::info("topology '{}': cleared away ({}; {} process(es) ended)", name, why.message(), orphans);
    if (auto removed = remove_folder(dir_of(name)); !removed) spdlog::error("{}", removed.error().message());
    registry_.remember(name, "its divisi-vmm was gone when divisid started", log);
}

Result<Entry> Topologies::reserve(const api::CarveRequest& request, const Planned& planned,
                                  std::optional<pid_t> owner) {
    Facts facts;
    facts.name = request.name.empty() ? planned.name : request.name;
    facts.source = request.source;
    facts.created = std::time(nullptr);
    DIVISI_TRY_ASSIGN(facts.claims, claims_of(planned.config));
    if (request.ephemeral) {
        if (!owner) return make_error(Errc::kUsage, "an ephemeral topology needs a process to belong to");
        DIVISI_TRY_ASSIGN(facts.owner, name_process(*owner));
    }
    DIVISI_TRY(api::check_name(facts.name));
    const bool make_unique = request.ephemeral && request.name.empty();
    return registry_.reserve(std::move(facts), make_unique, planned.machine_memory);
}

Result<json::object> Topologies::carve(const api::CarveRequest& request, std::optional<pid_t> owner, int cancel) {
    const auto begin = api::Clock::now();
    DIVISI_TRY_ASSIGN(Planned planned, options_.plan(request));
    DIVISI_TRY_ASSIGN(const Entry entry, reserve(request, planned, owner));
    const std::string& name = entry.facts.name;
    note_shared_pus(entry.facts.claims, registry_.holders(), name, planned.notes);
    planned.config["name"] = planned.plan["name"] = name;
    if (request.dry_run) {
        registry_.drop(entry);
        planned.plan["notes"] = to_array(planned.notes);
        return std::move(planned.plan);
    }
    if (auto up = bring_up(entry, planned.config, cancel); !up) {
        spdlog::warn("topology '{}': not carved: {}", name, up.error().message());
        if (auto removed = remove_folder(dir_of(name)); !removed) spdlog::error("{}", removed.error().message());
        registry_.drop(entry);
        return std::move(up).error();
    }
    const std::chrono::duration<double, std::milli> took = api::Clock::now() - begin;
    spdlog::info("topology '{}': carved in {:.1f} ms", name, took.count());
    DIVISI_TRY_ASSIGN(json::object shown, show(name));
    if (auto memory = string_field_or(shown, "memory_note", {}); memory && !memory->empty())
        planned.notes.push_back(std::move(*memory));
    shown["notes"] = to_array(planned.notes);
    return shown;
}

Result<void> Topologies::bring_up(const Entry& entry, const json::object& config, int cancel) {
    const std::string dir = dir_of(entry.facts.name);
    DIVISI_TRY(create_folder(dir, entry.facts, config));
    auto started = VmmProcess::start(options_.vmm, dir, api::Clock::now() + kCarvePatience, cancel);
    if (!started) return in_topology(entry.facts.name, std::move(started).error());
    return watch(entry, std::make_shared<VmmProcess>(std::move(*started)));
}

Result<void> Topologies::watch(const Entry& entry, const std::shared_ptr<VmmProcess>& vmm) {
    DIVISI_TRY_ASSIGN(Fd pidfd, vmm->pidfd().duplicate());
    registry_.commit(entry, vmm);
    watcher_.watch(std::move(pidfd), [this, entry, vmm] { on_end(entry, vmm); });
    if (entry.facts.owner) watch_owner(entry);
    return {};
}

void Topologies::watch_owner(const Entry& entry) {
    const auto let_go = [this, entry] { release_ownerless(entry); };
    Fd owner = open_process(*entry.facts.owner);
    if (!owner.valid()) return let_go();
    watcher_.watch(std::move(owner), let_go);
}

// Runs on the watcher's thread, and releasing waits for that thread: so it gets one of its own.
void Topologies::release_ownerless(const Entry& entry) {
    const std::lock_guard lock(releases_mutex_);
    if (stopping_) return;  // the next daemon sees to it
    releases_.start([this, entry] {
        const auto begun = registry_.begin(entry.facts.name, State::kReleasing, true, entry.serial);
        if (!begun) return;  // released already
        spdlog::info("topology '{}': the process it was made for is gone, releasing it", entry.facts.name);
        if (auto ended = end_process(*begun, true); !ended) spdlog::error("{}", ended.error().message());
    });
}

void Topologies::on_end(const Entry& entry, const std::shared_ptr<VmmProcess>& vmm) {
    const std::string& name = entry.facts.name;
    const std::string how = fmt::format("divisi-vmm (pid {}) {}", vmm->pid(), vmm->describe_end());
    const std::string log = api::log_tail(vmm_log(dir_of(name)));
    spdlog::info("topology '{}': {}", name, how);
    // Before the name is free again: a new topology's folder has the same path.
    if (auto removed = remove_folder(dir_of(name)); !removed) spdlog::error("{}", removed.error().message());
    registry_.ended(entry, how, log);
}

Result<json::object> Topologies::switch_mode(const std::string& name, const api::SwitchRequest& request, int cancel) {
    DIVISI_TRY_ASSIGN(const Entry entry, registry_.begin(name, State::kSwitching));
    const bool drain = request.when == "drain";
    auto answer = [&]() -> Result<json::object> {
        DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(socket_of(name)));
        const api::Deadline deadline = api::Clock::now() + (drain ? api::Deadline::duration(kDrainPatience)
                                                                  : api::Deadline::duration(kSwitchPatience));
        return vmm.request({{"op", "switch"}, {"mode", request.mode}, {"when", request.when}}, deadline, cancel);
    }();
    registry_.finish(entry, State::kSwitching);
    if (!answer) return std::move(answer).error();
    DIVISI_TRY_ASSIGN(const bool changed, bool_field_or(*answer, "changed", true));
    return json::object{{"name", name}, {"mode", request.mode}, {"changed", changed}};
}

Result<json::object> Topologies::release(const std::string& name, bool force) {
    DIVISI_TRY_ASSIGN(const Entry entry, registry_.begin(name, State::kReleasing, force));
    if (auto ended = end_process(entry, force); !ended) {
        registry_.finish(entry, State::kReleasing);
        return std::move(ended).error();
    }
    return json::object{{"name", name}, {"released", true}};
}

Result<void> Topologies::end_process(const Entry& entry, bool force) {
    const std::string& name = entry.facts.name;
    const api::Deadline deadline = api::Clock::now() + (force ? kForcePatience : kReleasePatience);
    auto answer = [&]() -> Result<json::object> {
        DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(socket_of(name)));
        return vmm.request({{"op", "release"}, {"force", force}}, deadline);
    }();
    // kUnreachable may also mean that it has just ended, which is what was wanted.
    if (!answer && !answer.error().is(Errc::kUnreachable)) return std::move(answer).error();
    const api::Deadline end = answer ? deadline : std::min(deadline, api::Clock::now() + std::chrono::seconds(1));
    if (registry_.wait_ended(entry, end)) return {};
    if (!force)
        return make_error(Errc::kUnreachable, "its divisi-vmm does not answer", title(name),
                          fmt::format("to end it the hard way: divisi release --force {}", name));
    spdlog::warn("topology '{}': does not end by itself, killing divisi-vmm (pid {})", name, entry.vmm->pid());
    entry.vmm->kill();
    if (!registry_.wait_ended(entry, api::Clock::now() + kReleasePatience))
        return make_error(Errc::kFailed, "divisi-vmm does not even end by SIGKILL", title(name));
    return {};
}

Result<void> Topologies::release_all(bool force) {
    const std::vector<Status> all = statuses();
    std::vector<std::string> jobs;
    for (const Status& status : all)
        for (std::string& job : running_jobs(status)) jobs.push_back(std::move(job));
    if (!jobs.empty() && !force)
        return make_error(Errc::kBusy, fmt::format("jobs are running: {}", fmt::join(jobs, ", ")), {},
                          "wait for them, or say --force to end them");
    std::vector<Result<json::object>> results(all.size());
    std::vector<std::thread> threads;
    threads.reserve(all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        threads.emplace_back([&, i] { results[i] = release(all[i].entry.facts.name, force); });
    for (std::thread& thread : threads) thread.join();
    for (Result<json::object>& result : results)
        if (!result && !result.error().is(Errc::kNotFound)) return std::move(result).error();
    return {};
}

Result<json::object> Topologies::show(const std::string& name) {
    DIVISI_TRY_ASSIGN(const Status status, this->status(name));
    return describe(options_.state, status);
}

Result<json::object> Topologies::traffic(const std::string& name) {
    DIVISI_TRY(api::check_name(name));
    DIVISI_TRY(registry_.find(name));
    DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(socket_of(name)));
    DIVISI_TRY_ASSIGN(json::object answer, vmm.request({{"op", "traffic"}}, api::Clock::now() + kTrafficPatience));
    answer.erase("ok");
    answer["name"] = name;
    return answer;
}

json::object Topologies::list() {
    json::array topologies;
    for (const Status& status : statuses()) topologies.push_back(summarize(status));
    json::array ends;
    for (const Ended& end : registry_.ends())
        ends.push_back(json::object{{"name", end.name}, {"when", end.when}, {"how", end.how}, {"log", end.log}});
    return {{"topologies", std::move(topologies)}, {"ended", std::move(ends)}};
}

std::vector<Status> Topologies::statuses() {
    return ask(options_.state, registry_.list());
}

Result<Status> Topologies::status(const std::string& name) {
    DIVISI_TRY(api::check_name(name));
    DIVISI_TRY_ASSIGN(const Entry entry, registry_.find(name));
    return std::move(ask(options_.state, {entry}).front());
}

}  // namespace divisi::daemon
