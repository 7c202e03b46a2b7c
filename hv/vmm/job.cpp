#include "hv/vmm/job.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <latch>

#include "base/mode.hpp"
#include "hv/syscalls/call.hpp"
#include "shm/abi/node_page.h"

namespace divisi::hv::vmm {
namespace {

constexpr int kFirstPid = 1000;
constexpr int kPidsPerRank = 1 << 16;

// hv reads the note, and does not know the header that lays it down.
static_assert(kNoteOwner == DIVISI_NOTE_OWNER && kNoteTypeMpi == DIVISI_NOTE_TYPE_MPI);

bool may_block(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

Result<std::shared_ptr<OpenFile>> input_file(const Fd& fd) {
    auto file = std::make_shared<OpenFile>();
    DIVISI_TRY_ASSIGN(file->fd, fd.duplicate());
    file->may_block = may_block(file->fd.get());
    file->path = "stdin";
    return file;
}

std::shared_ptr<OpenFile> sink_file(std::shared_ptr<LineSink> sink, const char* name) {
    auto file = std::make_shared<OpenFile>();
    file->sink = std::move(sink);
    file->flags = O_WRONLY;
    file->path = name;
    return file;
}

// All of a large job's ranks may fail alike, and an ended job is kept: of so many all is told.
constexpr std::size_t kFaultsInFull = 8;

// What glibc gives back to the system and soon asks for again costs two exits, and a fault for each of its pages: it
// keeps more of it here than it would by itself, as far as the memory allows.
std::string malloc_tunables(std::uint64_t ram_bytes) {
    constexpr std::uint64_t kMost = 32U << 20U;  // glibc's own limit for mmap_threshold
    const std::uint64_t kept = std::min(ram_bytes / 8, 4 * kMost);
    return fmt::format(
        "GLIBC_TUNABLES=glibc.malloc.trim_threshold={}:glibc.malloc.top_pad={}:glibc.malloc.mmap_threshold={}", kept,
        kept / 64, std::min(ram_bytes / 16, kMost));
}

bool has_variable(const std::vector<std::string>& environment, std::string_view name) {
    return std::any_of(environment.begin(), environment.end(), [name](const std::string& item) {
        return item.size() > name.size() && item.starts_with(name) && item[name.size()] == '=';
    });
}

}  // namespace

Job::Job(std::string id, JobRequest request, Topology& topology, Services services)
    : id_(std::move(id)),
      request_(std::move(request)),
      topology_(topology),
      services_(services),
      mode_(topology.mode()),
      started_at_(std::chrono::system_clock::now()),
      started_(std::chrono::steady_clock::now()) {}

Job::~Job() {
    if (!thread_.joinable()) return;
    kill();
    thread_.join();
}

Result<std::unique_ptr<Job>> Job::start(std::string id, JobRequest request, Topology& topology, Services services) {
    std::unique_ptr<Job> job(new Job(std::move(id), std::move(request), topology, services));
    DIVISI_TRY_ASSIGN(job->image_, read_image(std::move(job->request_.image), job->request_.path));
    DIVISI_TRY(job->lay_out());
    if (auto loaded = job->load(); !loaded) {
        job->tear_down();
        return std::move(loaded).error();
    }
    job->expect_ranks();
    job->thread_ = std::thread([&self = *job] { self.run(); });
    return job;
}

// Which nodes each rank gets: in message-passing mode one each; in shared-memory mode all, dealt out evenly, of which
// an MPI program has as many ranks as the nodes are enough for, and any other one. Counts that were asked for go
// before.
Result<void> Job::lay_out() {
    const auto available = static_cast<std::uint32_t>(topology_.node_count());
    const std::uint32_t nodes = request_.nodes == 0 ? available : request_.nodes;
    if (nodes > available)
        return make_error(Errc::kUsage, fmt::format("{} nodes wanted, the topology has {}", nodes, available),
                          topology_.config().name, "use at most that many with -n, or carve more");
    const bool shared = topology_.mode() == Mode::kSharedMemory;
    const std::uint32_t implied = !shared                  ? nodes
                                  : image_.message_passing ? std::max(1U, nodes / std::max(1U, request_.threads))
                                                           : 1;
    const std::uint32_t ranks = request_.ranks != 0 ? request_.ranks : implied;
    if (ranks > nodes)
        return make_error(Errc::kUsage, fmt::format("{} ranks on {} nodes", ranks, nodes), topology_.config().name,
                          "a rank needs a node of its own: use fewer ranks, or carve more nodes");
    std::uint32_t own = shared ? nodes / ranks : 1;
    threads_ = request_.threads != 0 ? request_.threads : own;
    if (shared && request_.threads != 0) own = std::min(own, request_.threads);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        auto item = std::make_unique<Rank>();
        const std::uint32_t first = shared ? rank * (nodes / ranks) : rank;
        for (std::uint32_t i = 0; i < own; ++i) item->nodes.push_back(first + i);
        ranks_.push_back(std::move(item));
    }
    return set_host_ranks();
}

Result<void> Job::set_host_ranks() {
    for (const std::uint32_t rank : request_.host_ranks) {
        if (rank >= ranks_.size())
            return make_error(Errc::kUsage, fmt::format("there is no rank {} to be left to a host process", rank),
                              topology_.config().name, fmt::format("the job has {} ranks", ranks_.size()));
        ranks_[rank]->on_host = true;
    }
    if (std::all_of(ranks_.begin(), ranks_.end(), [](const auto& rank) { return rank->on_host; }))
        return make_error(Errc::kUsage, "all ranks are left to host processes", topology_.config().name,
                          "divisi run --native runs them all on the host");
    return {};
}

Result<void> Job::load() {
    RankNodes layout;
    for (const auto& rank : ranks_) layout.push_back(rank->nodes);
    DIVISI_TRY(topology_.prepare_job(layout, request_.host_ranks));
    DIVISI_TRY(make_view());
    output_ = std::make_shared<SharedOutput>(std::move(request_.standard_output));
    error_ = std::make_shared<SharedOutput>(std::move(request_.standard_error));
    std::latch created(static_cast<std::ptrdiff_t>(ranks_.size()));
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        topology_.node(ranks_[index]->nodes.front()).post([this, index, &created](Vcpu&) {
            ranks_[index]->created = create_program(index);
            created.count_down();
        });
    }
    created.wait();
    for (const auto& rank : ranks_) DIVISI_TRY(std::move(rank->created));
    return {};
}

Result<void> Job::make_view() {
    FilePlacesSpec places;
    DIVISI_TRY_ASSIGN(Fd folder, request_.working_folder.duplicate());
    places.working_folder = std::make_shared<const Fd>(std::move(folder));
    places.working_path = request_.working_path;
    places.rules = topology_.config().files;
    places.program_path = request_.path;
    places.scratch = topology_.scratch_folders();
    DIVISI_TRY_ASSIGN(FileView view, FileView::create(std::move(places)));
    view_ = std::make_shared<const FileView>(std::move(view));
    return {};
}

std::vector<std::string> Job::environment(std::uint64_t ram_bytes) const {
    std::vector<std::string> result = request_.environment;
    if (request_.threads != 0 && !has_variable(result, "OMP_NUM_THREADS"))
        result.push_back(fmt::format("OMP_NUM_THREADS={}", request_.threads));
    // A thread that spins for others keeps them from the PU that they share with it.
    if (topology_.shares_pus() && !has_variable(result, "OMP_WAIT_POLICY") && !has_variable(result, "GOMP_SPINCOUNT"))
        result.emplace_back("GOMP_SPINCOUNT=0");
    if (!has_variable(result, "GLIBC_TUNABLES")) result.push_back(malloc_tunables(ram_bytes));
    return result;
}

// The client's, as far as they are below what a node has room for.
Limits::Set Job::limits_of(const Ram& ram) const {
    Limits::Set set = Limits::usual();
    for (const auto& [resource, limit] : request_.limits) {
        Limits::Limit& kept = set.at(static_cast<std::size_t>(resource));
        kept = {std::min(limit.soft, kept.hard), std::min(limit.hard, kept.hard)};
    }
    // As Linux, which lets threads take a part of a machine's memory: each takes some of the VMM's.
    constexpr std::uint64_t kBytesAThread = 64U << 10U;
    const std::uint64_t threads = std::clamp<std::uint64_t>(ram.size_bytes() / kBytesAThread, 1024, 32768);
    set[RLIMIT_NPROC] = {threads, threads};
    // Who asks for core files means it, whatever the shell says to all programs.
    if (request_.core) set[RLIMIT_CORE].soft = set[RLIMIT_CORE].hard;
    return set;
}

ProgramSpec Job::program_spec(std::size_t index) {
    Rank& rank = *ranks_[index];
    ProgramSpec spec;
    spec.image = image_;
    spec.argv = request_.argv;
    spec.environment = environment(topology_.ram(rank.nodes.front()).size_bytes());
    spec.view = view_;
    spec.ram = &topology_.ram(rank.nodes.front());
    spec.tables = &topology_.tables(index);
    spec.limits = limits_of(*spec.ram);
    spec.nodes = rank.nodes;
    for (const std::uint32_t node : rank.nodes) {
        const NodeConfig& config = topology_.node(node).config();
        spec.places.push_back({config.core, static_cast<std::uint32_t>(config.os_pu)});
    }
    spec.spread = topology_.config().threads;
    spec.node_page = true;
    spec.clock = &topology_.clock();
    spec.keep_state = request_.core;
    spec.pid = kFirstPid + static_cast<int>(index) * kPidsPerRank;
    if (topology_.mode() == Mode::kMessagePassing && ranks_.size() > 1)
        spec.host_name = fmt::format("{}-{}", topology_.config().name, rank.nodes.front());
    static_assert(kSysEndJob == DIVISI_SYS_END_JOB && kSysWakeAndWait == DIVISI_SYS_WAKE_AND_WAIT &&
                  kSysCopyLent == DIVISI_SYS_COPY_LENT && kSysViewLent == DIVISI_SYS_VIEW_LENT &&
                  kViewBytes == DIVISI_VIEW_BYTES);
    if (ranks_.size() > 1) {
        spec.copy_lent = [this, index](const LentCopy& copy) { return copy_lent(index, copy); };
        spec.view_lent = [this, index](const LentView& view) { return view_lent(index, view); };
        spec.views = &views_;
    }
    // What MPI asks for. Elsewhere ranks are strangers: none can end another.
    if (image_.message_passing) spec.end_job = [this](int code) { end(code); };
    spec.on_stop = [this] { tell_if_stopped(); };
    spec.kick = [this, &rank](unsigned cpu) { topology_.node(rank.nodes[cpu]).kick(); };
    return spec;
}

Result<void> Job::create_program(std::size_t index) {
    Rank& rank = *ranks_[index];
    const std::string label = request_.label ? fmt::format("[{}] ", index) : std::string();
    rank.out = std::make_shared<LineSink>(output_, label);
    rank.error = std::make_shared<LineSink>(error_, label);
    if (rank.on_host) return {};
    ProgramSpec spec = program_spec(index);
    if (index == 0) {
        DIVISI_TRY_ASSIGN(spec.standard_input, input_file(request_.standard_input));
    } else {
        DIVISI_TRY_ASSIGN(const Fd nothing, open_file("/dev/null", O_RDONLY));
        DIVISI_TRY_ASSIGN(spec.standard_input, input_file(nothing));
    }
    spec.standard_output = sink_file(rank.out, "stdout");
    spec.standard_error = sink_file(rank.error, "stderr");
    DIVISI_TRY_ASSIGN(auto program, Program::create(std::move(spec), services_));
    const std::lock_guard lock(mutex_);
    rank.program = std::move(program);
    return {};
}

void Job::expect_ranks() {
    std::size_t count = 0;
    for (const auto& rank : ranks_) {
        rank->running = rank->on_host ? 1 : rank->nodes.size();
        rank->before = usage_of(*rank);
        count += rank->running;
        if (!rank->on_host) ++programs_left_;
    }
    left_ = std::make_unique<Countdown>(count);
    std::vector<SharedRange> ranges;
    for (const auto& rank : ranks_) {
        if (!rank->on_host) continue;
        for (const shm::WindowPiece& piece : topology_.host_window(rank->nodes.front()))
            if (piece.writable) ranges.push_back({piece.offset, piece.offset + piece.size_bytes});
    }
    if (!ranges.empty()) outside_wakes_ = std::make_unique<OutsideWakes>(services_.futexes, std::move(ranges));
}

void Job::run() {
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        Rank& rank = *ranks_[index];
        if (rank.on_host) continue;
        for (unsigned cpu = 0; cpu < rank.nodes.size(); ++cpu) {
            Node& node = topology_.node(rank.nodes[cpu]);
            node.post([this, index, cpu, &rank, &node](Vcpu& vcpu) {
                Result<void> ran = rank.program->run_cpu(cpu, vcpu, node.exits);
                if (!ran) {
                    const std::lock_guard lock(mutex_);
                    rank.ran = std::move(ran);
                }
                if (rank.running.fetch_sub(1) == 1) {
                    rank_over(index);
                    if (programs_left_.fetch_sub(1) == 1) give_up_awaited();
                }
                left_->count_down();
            });
        }
    }
    watch_for_deadlock();
    left_->wait();
    outside_wakes_.reset();
    tear_down();
    elapsed_ = std::chrono::steady_clock::now() - started_;
    make_report();
    std::function<void()> callback;
    {
        const std::lock_guard lock(mutex_);
        ended_.store(true, std::memory_order_release);
        callback = std::exchange(on_end_, nullptr);
    }
    end_.notify_all();
    if (callback) callback();
}

// On the last of the rank's nodes to stop.
void Job::rank_over(std::size_t index) {
    Rank& rank = *ranks_[index];
    rank.out->finish();
    rank.error->finish();
    rank.outcome = rank.program->outcome();
    rank.used = usage_of(rank);
    look_into(index);
    topology_.rank_ended(rank.nodes.front());
    services_.futexes.wake_windows();
    rank.told.store(true, std::memory_order_release);
    tell_if_stopped();
}

Result<std::vector<shm::WindowPiece>> Job::join(std::uint32_t rank, std::function<void(int)> pass_on) {
    const std::lock_guard lock(mutex_);
    if (rank >= ranks_.size() || !ranks_[rank]->on_host)
        return make_error(Errc::kNotFound, fmt::format("rank {} is not left to a host process", rank), id_,
                          fmt::format("start the job with --host-ranks {}", rank));
    Rank& wanted = *ranks_[rank];
    if (wanted.presence != Rank::Presence::kAwaited)
        return make_error(
            Errc::kBusy,
            fmt::format("rank {} {}", rank, wanted.presence == Rank::Presence::kJoined ? "has joined" : "has ended"),
            id_);
    wanted.presence = Rank::Presence::kJoined;
    wanted.pass_on = std::move(pass_on);
    return topology_.host_window(wanted.nodes.front());
}

void Job::leave(std::uint32_t rank, int code) {
    const std::lock_guard lock(mutex_);
    if (ranks_[rank]->presence == Rank::Presence::kJoined) host_rank_over(*ranks_[rank], code);
}

// With the lock held.
void Job::host_rank_over(Rank& rank, int code) {
    rank.presence = Rank::Presence::kGone;
    rank.pass_on = nullptr;
    rank.outcome.exit_code = code;
    rank.outcome.signo = code > 128 && code <= 128 + kSignalCount ? code - 128 : 0;
    topology_.rank_ended(rank.nodes.front());
    services_.futexes.wake_windows();
    rank.told.store(true, std::memory_order_release);
    left_->count_down();
}

void Job::give_up_awaited() {
    const std::lock_guard lock(mutex_);
    for (const auto& rank : ranks_)
        if (rank->on_host && rank->presence == Rank::Presence::kAwaited) host_rank_over(*rank, 0);
}

void Job::tear_down() {
    // Giving frames back is work: every rank's first node does its own.
    std::latch gone(static_cast<std::ptrdiff_t>(ranks_.size()));
    for (const auto& rank : ranks_) {
        topology_.node(rank->nodes.front()).post([this, &rank = *rank, &gone](Vcpu&) {
            std::unique_ptr<Program> program;
            {
                const std::lock_guard lock(mutex_);
                program = std::move(rank.program);
            }
            program.reset();
            gone.count_down();
        });
    }
    gone.wait();
    if (auto finished = topology_.finish_job(); !finished) {
        const std::lock_guard lock(mutex_);
        ranks_.front()->ran = std::move(finished);
    }
    // An ended job is kept for `ps`, and must hold nothing of its client's: a pipe ends when its last writer goes.
    for (const auto& rank : ranks_) {
        rank->out.reset();
        rank->error.reset();
    }
    output_.reset();
    error_.reset();
    image_.file.reset();
    view_.reset();
    request_.standard_input.reset();
    request_.working_folder.reset();
}

void Job::make_report() {
    json::array ranks;
    json::array faults;
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        const Rank& rank = *ranks_[index];
        json::object item{{"rank", index}, {"exit", rank.outcome.exit_code}, {"signal", rank.outcome.signo}};
        if (rank.on_host) {
            item["host"] = true;
        } else {
            item["exits"] = rank.used.exits;
            item["cpu_time_ns"] = rank.used.cpu_time.count();
        }
        if (!rank.ran) item["error"] = rank.ran.error().message();
        ranks.push_back(std::move(item));
        exit_code_ = std::max(exit_code_, rank.ran ? rank.outcome.exit_code : 125);
        if (!rank.outcome.fault) continue;
        json::object fault = to_json(*rank.outcome.fault);
        fault["rank"] = index;
        if (faults.size() >= kFaultsInFull) {
            fault.erase("backtrace");
            fault.erase("registers");
        }
        faults.push_back(std::move(fault));
    }
    report_ = {{"ranks", std::move(ranks)},
               {"elapsed_ns", elapsed_.count()},
               {"backend", topology_.backend_name()},
               {"backend_reason", topology_.backend_reason()},
               {"faults", std::move(faults)}};
    for (const auto& item : exit_report()) report_[item.key()] = item.value();
    if (!deadlock_) return;
    report_["deadlock"] = *deadlock_;
    if (request_.on_deadlock == OnDeadlock::kEnd) exit_code_ = kDeadlockExit;
}

void Job::signal(int signo) {
    const std::lock_guard lock(mutex_);
    for (const auto& rank : ranks_) {
        if (rank->pass_on) rank->pass_on(signo);
        // One that has not come will not come; and nothing waits for one that is told to die.
        const bool waited_for = rank->presence == Rank::Presence::kJoined && signo != SIGKILL;
        if (rank->on_host && rank->presence != Rank::Presence::kGone && !waited_for) host_rank_over(*rank, 128 + signo);
        if (!rank->program) continue;
        if (signo == SIGKILL) {
            rank->program->terminate(SIGKILL);
        } else {
            SignalInfo info;
            info.signo = signo;
            rank->program->send_signal(info);
        }
    }
}

void Job::end(int code) {
    const std::lock_guard lock(mutex_);
    for (const auto& rank : ranks_)
        if (rank->program) rank->program->exit_group(code);
}

void Job::wait() {
    std::unique_lock lock(mutex_);
    end_.wait(lock, [this] { return ended(); });
}

void Job::on_end(std::function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        if (!ended()) {
            on_end_ = std::move(callback);
            return;
        }
    }
    callback();
}

void Job::on_stop(std::function<void()> callback) {
    {
        const std::lock_guard lock(mutex_);
        on_stop_ = std::move(callback);
    }
    tell_if_stopped();
}

// Each stop once, whoever of the ranks sees that it was the last. Host processes are not seen.
void Job::tell_if_stopped() {
    const std::lock_guard lock(mutex_);
    std::uint64_t stops = 0;
    bool any = false;
    for (const auto& rank : ranks_) {
        if (!rank->program) continue;
        stops += rank->program->stops();
        if (rank->program->over()) continue;
        if (!rank->program->stopped()) return;
        any = true;
    }
    if (!any || !on_stop_ || stops == stops_told_) return;
    stops_told_ = stops;
    on_stop_();
}

std::string_view Job::node_state(std::uint32_t node) const {
    const std::lock_guard lock(mutex_);
    for (const auto& rank : ranks_) {
        const auto found = std::find(rank->nodes.begin(), rank->nodes.end(), node);
        if (found == rank->nodes.end() || !rank->program || rank->program->over()) continue;
        const auto cpu = static_cast<unsigned>(found - rank->nodes.begin());
        return rank->program->scheduler().idle(cpu) ? "sleeping" : "running";
    }
    return "idle";
}

json::object Job::describe() const {
    const std::lock_guard lock(mutex_);
    const bool over = ended();
    json::array argv;
    for (const std::string& argument : request_.argv) argv.emplace_back(argument);
    std::size_t nodes = 0;
    Usage used;
    for (const auto& rank : ranks_) {
        nodes += rank->nodes.size();
        const Usage part = rank->program ? usage_of(*rank) : rank->used;
        used.exits += part.exits;
        used.cpu_time += part.cpu_time;
    }
    const auto elapsed = over ? elapsed_ : std::chrono::steady_clock::now() - started_;
    json::object object{{"id", id_},
                        {"state", over ? "ended" : "running"},
                        {"argv", std::move(argv)},
                        {"ranks", ranks_.size()},
                        {"threads", threads_},
                        {"nodes", nodes},
                        {"mode", to_string(mode_)},
                        {"pid", request_.client_pid},
                        {"started", std::chrono::system_clock::to_time_t(started_at_)},
                        {"elapsed_ns", std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()},
                        {"exits", used.exits},
                        {"cpu_time_ns", used.cpu_time.count()}};
    if (!over) {
        for (const auto& item : exit_report()) object[item.key()] = item.value();
        if (deadlock_) object["deadlock"] = *deadlock_;
    } else {
        object["exit"] = exit_code_;
        object["report"] = report_;
    }
    return object;
}

}  // namespace divisi::hv::vmm
