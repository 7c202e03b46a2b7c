#include "hv/vmm/server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/mode.hpp"
#include "base/quantity.hpp"
#include "shm/native.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr std::size_t kKeptJobs = 16;
constexpr std::size_t kMaxConnections = 256;

json::object refusal(const Error& error) {
    return {{"ok", false}, {"error", to_json(error)}};
}

Result<std::vector<std::string>> strings_field(const json::object& object, std::string_view name) {
    DIVISI_TRY_ASSIGN(const json::array* array, array_field(object, name));
    std::vector<std::string> result;
    for (const json::value& value : *array) {
        if (!value.is_string()) return make_error(Errc::kProtocol, fmt::format("'{}' must hold strings", name));
        const json::string& text = value.get_string();
        // A program sees its arguments as C strings.
        if (text.find('\0') != json::string::npos)
            return make_error(Errc::kProtocol, fmt::format("'{}' holds a zero byte", name));
        result.emplace_back(text.data(), text.size());
    }
    return result;
}

Result<std::uint32_t> count_field(const json::object& object, std::string_view name) {
    DIVISI_TRY_ASSIGN(const std::uint64_t value, uint_field_or(object, name, 0));
    if (value > kMaxCpus) return make_error(Errc::kUsage, fmt::format("{} {}: at most {}", value, name, kMaxCpus));
    return static_cast<std::uint32_t>(value);
}

Result<std::vector<std::uint32_t>> ranks_field(const json::object& object, std::string_view name) {
    std::vector<std::uint32_t> ranks;
    const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr) return ranks;
    DIVISI_TRY_ASSIGN(const json::array* array, array_field(object, name));
    for (const json::value& item : *array) {
        const std::int64_t* const rank = item.if_int64();
        if (rank == nullptr || *rank < 0 || *rank >= std::int64_t{kMaxCpus})
            return make_error(Errc::kProtocol, fmt::format("'{}' must hold numbers of ranks", name));
        ranks.push_back(static_cast<std::uint32_t>(*rank));
    }
    return ranks;
}

Result<JobRequest> parse_job(ControlMessage& message) {
    JobRequest request;
    if (message.fds.size() != 5)
        return make_error(Errc::kProtocol,
                          "a run request comes with five descriptors: stdin, stdout, stderr, program, folder");
    request.standard_input = std::move(message.fds[0]);
    request.standard_output = std::move(message.fds[1]);
    request.standard_error = std::move(message.fds[2]);
    request.image = std::move(message.fds[3]);
    request.working_folder = std::move(message.fds[4]);
    const json::object& body = message.body;
    DIVISI_TRY_ASSIGN(request.argv, strings_field(body, "argv"));
    if (request.argv.empty()) return make_error(Errc::kProtocol, "'argv' must not be empty");
    DIVISI_TRY_ASSIGN(request.environment, strings_field(body, "env"));
    DIVISI_TRY_ASSIGN(request.path, string_field(body, "path"));
    DIVISI_TRY_ASSIGN(request.working_path, string_field(body, "cwd"));
    DIVISI_TRY_ASSIGN(request.nodes, count_field(body, "nodes"));
    DIVISI_TRY_ASSIGN(request.ranks, count_field(body, "ranks"));
    DIVISI_TRY_ASSIGN(request.threads, count_field(body, "threads"));
    DIVISI_TRY_ASSIGN(request.host_ranks, ranks_field(body, "host_ranks"));
    DIVISI_TRY_ASSIGN(request.label, bool_field_or(body, "label", false));
    DIVISI_TRY_ASSIGN(request.tell_faults, bool_field_or(body, "faults", false));
    DIVISI_TRY_ASSIGN(request.core, bool_field_or(body, "core", false));
    DIVISI_TRY_ASSIGN(const std::string deadlock, string_field_or(body, "deadlock", "end"));
    DIVISI_TRY_ASSIGN(request.on_deadlock, parse_on_deadlock(deadlock));
    if (body.contains("limits")) {
        DIVISI_TRY_ASSIGN(const json::object* limits, object_field(body, "limits"));
        DIVISI_TRY_ASSIGN(request.limits, limits_from_json(*limits));
    }
    DIVISI_TRY_ASSIGN(request.client_pid, uint_field_or(body, "pid", 0));
    return request;
}

void signal_event(int fd) {
    const std::uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);
}

}  // namespace

Server::Server(std::unique_ptr<Topology> topology, Fd listener, std::optional<UnwindServer> unwinding)
    : topology_(std::move(topology)),
      listener_(std::move(listener)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      unwinding_(std::move(unwinding)) {
    note_memory();
}

void Server::note_memory() {
    std::string note = topology_->memory_note();
    const std::lock_guard lock(jobs_mutex_);
    memory_note_ = std::move(note);
}

Server::~Server() {
    for (const auto& connection : connections_) {
        ::shutdown(connection->control.fd(), SHUT_RDWR);
        connection->thread.join();
    }
    jobs_.clear();
}

void Server::serve(int stop) {
    while (!stopping_) {
        std::array<pollfd, 3> events{{{listener_.get(), POLLIN, 0}, {stop, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) break;
        if (events[1].revents != 0 || events[2].revents != 0) break;
        if ((events[0].revents & POLLIN) == 0) continue;
        auto accepted = accept_control(listener_.get());
        if (!accepted) continue;
        collect_finished();
        if (connections_.size() >= kMaxConnections) continue;  // closes it
        auto connection = std::make_unique<Connection>(std::move(*accepted));
        Connection& placed = *connection;
        connections_.push_back(std::move(connection));
        placed.thread = std::thread([this, &placed] {
            attend(placed);
            placed.done = true;
        });
    }
    stopping_ = true;
    if (const auto job = running_job()) {
        job->kill();
        job->wait();
    }
}

void Server::collect_finished() {
    connections_.remove_if([](const std::unique_ptr<Connection>& connection) {
        if (!connection->done) return false;
        connection->thread.join();
        return true;
    });
}

void Server::attend(Connection& connection) {
    bool closes = false;
    while (!closes) {
        auto received = connection.control.receive();
        if (!received) {
            // What is broken is told, and the connection ends: nothing after it can be trusted to be in step.
            (void)connection.control.send(refusal(received.error()));
            break;
        }
        if (!*received) break;
        const json::object reply = answer(**received, connection.control, closes);
        if (!reply.empty() && !connection.control.send(reply)) break;
    }
    ::shutdown(connection.control.fd(), SHUT_RDWR);
    if (closes && stopping_) signal_event(wake_.get());
}

json::object Server::answer(ControlMessage& message, ControlConnection& control, bool& closes) {
    const auto operation = string_field(message.body, "op");
    if (!operation) return refusal(operation.error());
    Result<json::object> result = make_error(Errc::kProtocol, "no such operation", "'" + *operation + "'");
    if (*operation == "status") {
        result = status();
    } else if (*operation == "traffic") {
        result = traffic();
    } else if (*operation == "switch") {
        result = switch_mode(message.body);
    } else if (*operation == "threads") {
        result = threads(message.body);
    } else if (*operation == "kill") {
        result = kill_job(message.body);
    } else if (*operation == "release") {
        result = release(message.body);
        closes = result.has_value();
    } else if (*operation == "join") {
        closes = true;
        auto joined = serve_joined(message.body, control);
        return joined ? json::object{} : refusal(joined.error());
    } else if (*operation == "run") {
        closes = true;
        const auto detached = bool_field_or(message.body, "detach", false);
        auto job = start_job(message);
        if (!job) return refusal(job.error());
        follow_job(*job, control, detached && *detached);
        return {};
    }
    return result ? std::move(*result) : refusal(result.error());
}

std::shared_ptr<Job> Server::running_job() {
    const std::lock_guard lock(jobs_mutex_);
    return !jobs_.empty() && !jobs_.back()->ended() ? jobs_.back() : nullptr;
}

json::object Server::status() {
    const auto job = running_job();
    json::array nodes;
    for (std::size_t index = 0; index < topology_->node_count(); ++index) {
        Node& node = topology_->node(index);
        const NodeConfig& config = node.config();
        const auto id = static_cast<std::uint32_t>(index);
        nodes.push_back(json::object{{"id", id},
                                     {"state", job ? job->node_state(id) : "idle"},
                                     {"core", config.core},
                                     {"pu", config.pu},
                                     {"numa", config.numa},
                                     {"memory", config.memory},
                                     {"exits", node.exits.load(std::memory_order_relaxed)},
                                     {"cpu_time", format_duration(node.cpu_time())},
                                     {"cpu_time_ns", node.cpu_time().count()}});
    }
    json::array links;
    for (const LinkConfig& link : topology_->config().links)
        links.push_back(json::object{{"a", link.a.value}, {"b", link.b.value}});
    json::array jobs;
    std::string memory_note;
    {
        const std::lock_guard lock(jobs_mutex_);
        memory_note = memory_note_;
        for (const auto& item : jobs_) jobs.push_back(item->describe());
    }
    return {{"ok", true},
            {"name", topology_->config().name},
            {"mode", to_string(topology_->mode())},
            {"state", switching_ ? "switching"
                      : job      ? "busy"
                                 : "ready"},
            {"backend", topology_->backend_name()},
            {"backend_reason", topology_->backend_reason()},
            {"vmm_pid", ::getpid()},
            {"memory_note", memory_note},
            {"shared_memory", topology_->config().shared_memory},
            {"nodes", std::move(nodes)},
            {"links", std::move(links)},
            {"jobs", std::move(jobs)}};
}

json::object Server::traffic() {
    const shm::Traffic traffic = topology_->traffic();
    json::array flows;
    for (const shm::Flow& flow : traffic.flows)
        flows.push_back(
            json::object{{"from", flow.from}, {"to", flow.to}, {"messages", flow.messages}, {"bytes", flow.bytes}});
    json::array links;
    for (const shm::LinkTraffic& link : traffic.links)
        links.push_back(
            json::object{{"a", link.a.value}, {"b", link.b.value}, {"messages", link.messages}, {"bytes", link.bytes}});
    std::string job;
    {
        const std::lock_guard lock(jobs_mutex_);
        if (!jobs_.empty()) job = jobs_.back()->id();
    }
    return {{"ok", true}, {"job", job}, {"flows", std::move(flows)}, {"links", std::move(links)}};
}

// With `change_` held.
Result<void> Server::end_running_job(std::string_view when) {
    const auto job = running_job();
    if (!job) return {};
    if (when == "now")
        return make_error(
            Errc::kBusy, fmt::format("job {} is running on it", job->id()), topology_->config().name,
            fmt::format("wait for it with --drain, or end it with --force or 'divisi kill {}'", job->id()));
    if (when == "force") job->kill();
    job->wait();
    return {};
}

Result<json::object> Server::switch_mode(const json::object& request) {
    DIVISI_TRY_ASSIGN(const std::string text, string_field(request, "mode"));
    DIVISI_TRY_ASSIGN(const Mode mode, parse_mode(text));
    DIVISI_TRY_ASSIGN(const std::string when, string_field_or(request, "when", "now"));
    if (when != "now" && when != "drain" && when != "force")
        return make_error(Errc::kUsage, "no such time to switch", "'" + when + "'", "use now, drain or force");
    const std::lock_guard lock(change_);
    if (stopping_) return make_error(Errc::kBusy, "it is being released", topology_->config().name);
    DIVISI_TRY(end_running_job(when));
    const bool changed = topology_->mode() != mode;
    switching_ = true;
    Result<void> switched = topology_->switch_to(mode);
    switching_ = false;
    note_memory();
    DIVISI_TRY(std::move(switched));
    return json::object{{"ok", true}, {"changed", changed}};
}

Result<json::object> Server::threads(const json::object& request) {
    DIVISI_TRY_ASSIGN(const bool backtrace, bool_field_or(request, "backtrace", false));
    const auto job = running_job();
    if (!job) return make_error(Errc::kNotFound, "no job is running on it", topology_->config().name);
    return json::object{{"ok", true}, {"job", job->id()}, {"threads", job->threads(backtrace)}};
}

Result<json::object> Server::kill_job(const json::object& request) {
    DIVISI_TRY_ASSIGN(const std::string id, string_field(request, "job"));
    DIVISI_TRY_ASSIGN(const std::uint64_t signo, uint_field_or(request, "signal", SIGKILL));
    if (signo == 0 || signo > static_cast<std::uint64_t>(kSignalCount))
        return make_error(Errc::kUsage, fmt::format("no such signal: {}", signo));
    const auto job = running_job();
    if (!job || job->id() != id) return make_error(Errc::kNotFound, "no such job is running", id, "see divisi ps");
    job->signal(static_cast<int>(signo));
    return json::object{{"ok", true}};
}

Result<json::object> Server::release(const json::object& request) {
    DIVISI_TRY_ASSIGN(const bool force, bool_field_or(request, "force", false));
    const std::lock_guard lock(change_);
    DIVISI_TRY(end_running_job(force ? "force" : "now"));
    stopping_ = true;
    return json::object{{"ok", true}};
}

Result<std::shared_ptr<Job>> Server::start_job(ControlMessage& message) {
    DIVISI_TRY_ASSIGN(JobRequest request, parse_job(message));
    const std::unique_lock lock(change_, std::try_to_lock);
    const auto job = running_job();
    if (!lock.owns_lock() || job || stopping_) {
        const std::string why = job ? fmt::format("job {} is running on it", job->id()) : "it is being changed";
        return make_error(Errc::kBusy, why, topology_->config().name,
                          job ? fmt::format("wait for it, or end it with 'divisi kill {}'", job->id()) : "try again");
    }
    const std::string id = fmt::format("{}.{}", topology_->config().name, last_job_ + 1);
    DIVISI_TRY_ASSIGN(std::shared_ptr<Job> started,
                      Job::start(id, std::move(request), *topology_,
                                 Services{timers_, futexes_, blocking_, unwinding_ ? &*unwinding_ : nullptr}));
    ++last_job_;
    const std::lock_guard jobs_lock(jobs_mutex_);
    jobs_.push_back(started);
    if (jobs_.size() > kKeptJobs + 1) jobs_.pop_front();
    return started;
}

// A host process takes part in the running job, and this connection is its life line.
Result<void> Server::serve_joined(const json::object& request, ControlConnection& control) {
    DIVISI_TRY_ASSIGN(const std::uint64_t number, uint_field(request, "rank"));
    DIVISI_TRY_ASSIGN(const std::uint64_t fd, uint_field(request, "fd"));
    const auto rank = static_cast<std::uint32_t>(std::min<std::uint64_t>(number, kMaxCpus));
    const auto job = running_job();
    if (!job || fd > kMaxCpus)
        return make_error(Errc::kNotFound, "no job is running on it", topology_->config().name,
                          fmt::format("start one with --host-ranks {}", number));
    std::mutex sending;
    auto pieces = job->join(rank, [&](int signo) {
        const std::lock_guard lock(sending);
        (void)control.send(json::object{{"event", "signal"}, {"signo", signo}});
    });
    DIVISI_TRY_ASSIGN(const std::vector<shm::WindowPiece> window, std::move(pieces));
    {
        const std::lock_guard lock(sending);
        const std::array<int, 1> fds{window.front().fd};
        (void)control.send(
            json::object{
                {"ok", true}, {"job", job->id()}, {"native", shm::native_variable(window, static_cast<int>(fd))}},
            fds);
    }
    // Until it says how it ended; or is gone without a word, as if killed.
    int code = 128 + SIGKILL;
    if (const auto last = control.receive(); last && *last) {
        const auto told = uint_field_or((**last).body, "exit", 0);
        if (told) code = static_cast<int>(*told & 0xffU);
    }
    job->leave(rank, code);
    job->wait();
    (void)control.send(json::object{{"event", "exited"}, {"job", job->id()}, {"exit", job->exit_code()}});
    return {};
}

void Server::follow_job(const std::shared_ptr<Job>& job, ControlConnection& control, bool detached) {
    const Fd ended(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const Fd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    bool attached = control.send(json::object{{"ok", true}, {"event", "started"}, {"job", job->id()}}).has_value();
    job->on_end([&ended] { signal_event(ended.get()); });
    job->on_stop([&stopped] { signal_event(stopped.get()); });
    for (;;) {
        if (!attached && !detached) job->kill();
        std::array<pollfd, 3> events{
            {{ended.get(), POLLIN, 0}, {attached ? control.fd() : -1, POLLIN, 0}, {stopped.get(), POLLIN, 0}}};
        if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) break;
        if (events[0].revents != 0) break;
        if (events[2].revents != 0) {
            std::uint64_t count = 0;
            (void)!::read(stopped.get(), &count, sizeof count);
            if (attached) (void)control.send(json::object{{"event", "stopped"}, {"job", job->id()}});
        }
        if (events[1].revents == 0) continue;
        const auto message = control.receive();
        attached = message && *message;
        if (!attached) continue;
        const auto operation = string_field((**message).body, "op");
        const auto signo = uint_field_or((**message).body, "signo", 0);
        if (operation && *operation == "signal" && signo && *signo >= 1 && *signo <= kSignalCount)
            job->signal(static_cast<int>(*signo));
    }
    job->wait();
    if (attached)
        (void)control.send(json::object{
            {"event", "exited"}, {"job", job->id()}, {"exit", job->exit_code()}, {"report", job->report()}});
}

}  // namespace divisi::hv::vmm
