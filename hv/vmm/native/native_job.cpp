#include "hv/vmm/native/native_job.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/crash_text.hpp"
#include "hv/elf/image.hpp"
#include "hv/vmm/fabric_spec.hpp"
#include "shm/native.hpp"
#include "shm/tsc.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr std::chrono::seconds kImpatience{2};
constexpr std::chrono::milliseconds kBetweenLooks{500};

// A program that is no image for a node may still be run here.
bool is_message_passing(const std::string& path) {
    auto file = open_file(path, O_RDONLY);
    if (!file) return false;
    const auto image = read_image(std::move(*file), path);
    return image && image->message_passing;
}

int code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// What there is to read; false at the end.
bool relay(const Fd& from, LineSink& to) {
    std::array<char, 65536> buffer{};
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    if (count == 0) return false;
    // A reader that is gone takes nothing away from the ranks: they learn of it when they write to it themselves.
    (void)to.write({buffer.data(), static_cast<std::size_t>(count)});
    return true;
}

}  // namespace

Result<std::unique_ptr<NativeJob>> NativeJob::start(NativeRequest request) {
    std::unique_ptr<NativeJob> job(new NativeJob(std::move(request)));
    DIVISI_TRY_ASSIGN(job->job_, job->lay_out());
    DIVISI_TRY_ASSIGN(job->fabric_, shm::Fabric::create(fabric_spec(job->request_.config)));
    DIVISI_TRY(job->launch(job->job_));
    return job;
}

// As the nodes of a topology are dealt out.
Result<shm::JobSpec> NativeJob::lay_out() {
    const auto available = static_cast<std::uint32_t>(request_.config.nodes.size());
    const std::uint32_t nodes = request_.nodes == 0 ? available : request_.nodes;
    const bool shared = request_.config.mode == Mode::kSharedMemory;
    const bool one = shared && !is_message_passing(request_.path);
    const std::uint32_t ranks = request_.ranks != 0 ? request_.ranks : one ? 1 : nodes;
    if (nodes > available || ranks > nodes)
        return make_error(Errc::kUsage, fmt::format("{} ranks on {} of {} nodes", ranks, nodes, available),
                          request_.config.name, "a rank needs a node of its own");
    shm::JobSpec job;
    job.mode = request_.config.mode;
    job.tsc_khz = shm::measure_tsc_khz();
    const std::uint32_t own = shared ? nodes / ranks : 1;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        job.rank_nodes.push_back(NodeId{rank * own});
        job.own_nodes.push_back(own);
    }
    return job;
}

std::vector<std::string> NativeJob::environment() const {
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) result.emplace_back(*entry);
    if (request_.threads != 0 && ::getenv("OMP_NUM_THREADS") == nullptr)
        result.push_back(fmt::format("OMP_NUM_THREADS={}", request_.threads));
    return result;
}

Result<void> NativeJob::make_pipes(Rank& rank, std::size_t index, std::vector<std::pair<int, int>>& fds,
                                   std::vector<Fd>& ends) {
    const std::string label = request_.label ? fmt::format("[{}] ", index) : std::string();
    for (const int target : {STDOUT_FILENO, STDERR_FILENO}) {
        std::array<int, 2> both{};
        if (::pipe2(both.data(), O_CLOEXEC) != 0) return system_error(errno, "cannot make a pipe");
        Fd& ours = target == STDOUT_FILENO ? rank.out : rank.error;
        ours = Fd(both[0]);
        ends.emplace_back(both[1]);
        fds.emplace_back(both[1], target);
        Fd to(::fcntl(target, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
        auto sink = std::make_unique<LineSink>(std::make_shared<SharedOutput>(std::move(to)), label);
        (target == STDOUT_FILENO ? rank.out_lines : rank.error_lines) = std::move(sink);
    }
    return {};
}

Result<void> NativeJob::launch(const shm::JobSpec& job) {
    ranks_.resize(job.rank_nodes.size());
    shm::NativeSpec spec;
    spec.argv = request_.argv;
    spec.path = request_.path;
    spec.environment = environment();
    DIVISI_TRY_ASSIGN(const Fd nothing, open_file("/dev/null", O_RDONLY));
    std::vector<Fd> ends;
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        std::vector<std::pair<int, int>> fds{{index == 0 ? STDIN_FILENO : nothing.get(), STDIN_FILENO}};
        if (ranks_.size() == 1 && !request_.label) {
            fds.insert(fds.end(), {{STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}});
        } else {
            DIVISI_TRY(make_pipes(ranks_[index], index, fds, ends));
        }
        spec.rank_fds.push_back(std::move(fds));
    }
    DIVISI_TRY_ASSIGN(std::vector<Process> processes, shm::launch_native(*fabric_, job, spec));
    for (std::size_t index = 0; index < ranks_.size(); ++index)
        ranks_[index].process.emplace(std::move(processes[index]));
    return {};
}

void NativeJob::pass_on(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == sizeof info) {
        int signo = static_cast<int>(info.ssi_signo);
        const auto now = std::chrono::steady_clock::now();
        const bool again = signo == SIGINT && interrupted_ && now - *interrupted_ < kImpatience;
        if (signo == SIGINT) interrupted_ = now;
        if (again) signo = SIGKILL;
        // What a terminal sends has come to the ranks by itself.
        if (!again && info.ssi_code == SI_KERNEL) continue;
        for (const Rank& rank : ranks_)
            if (!rank.status) rank.process->signal(signo);
    }
}

// What a rank wrote before its end is in the pipe by then; what it has started may hold the pipe open for ever.
void NativeJob::drain(Fd& pipe, LineSink& lines) {
    for (pollfd more{pipe.get(), POLLIN, 0}; ::poll(&more, 1, 0) == 1 && relay(pipe, lines);) {
    }
    lines.finish();
    pipe.reset();
}

Result<void> NativeJob::take_end(std::size_t index) {
    Rank& rank = ranks_[index];
    DIVISI_TRY_ASSIGN(rank.status, rank.process->wait());
    fabric_->mark_gone(job_.rank_nodes[index]);
    if (rank.out_lines) drain(rank.out, *rank.out_lines);
    if (rank.error_lines) drain(rank.error, *rank.error_lines);
    return {};
}

json::array NativeJob::describe_waits() const {
    json::array waits;
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        const Rank& rank = ranks_[index];
        json::object item{{"rank", index}, {"node", job_.rank_nodes[index].value}};
        if (rank.status)
            item["text"] = fmt::format("has ended with code {}", code_of(*rank.status));
        else
            item["text"] = to_string(fabric_->wait_of(static_cast<std::uint32_t>(index)));
        waits.push_back(std::move(item));
    }
    return waits;
}

// Called whenever something has happened, and when nothing has for a while.
void NativeJob::watch_for_deadlock() {
    const auto now = std::chrono::steady_clock::now();
    if (request_.on_deadlock == OnDeadlock::kIgnore || deadlock_ || (looked_ && now - *looked_ < kBetweenLooks)) return;
    looked_ = now;
    std::vector<pid_t> running;
    for (const Rank& rank : ranks_)
        if (!rank.status) running.push_back(rank.process->pid());
    if (running.empty() || !stillness_.look(running)) return;
    const bool ends = request_.on_deadlock == OnDeadlock::kEnd;
    deadlock_ = json::object{{"ended", ends}, {"ranks", describe_waits()}};
    std::string text;
    for (const std::string& line : deadlock_lines(*deadlock_)) text += fmt::format("divisi: {}\n", line);
    (void)write_all(STDERR_FILENO, text, "a deadlock");
    for (const Rank& rank : ranks_)
        if (ends && !rank.status) rank.process->signal(SIGKILL);
}

Result<int> NativeJob::run(int signals) {
    const bool watches = request_.on_deadlock != OnDeadlock::kIgnore;
    for (std::size_t running = ranks_.size(); running != 0;) {
        std::vector<pollfd> wanted{{signals, POLLIN, 0}};
        for (const Rank& rank : ranks_)
            for (const int fd : {rank.status ? -1 : rank.process->pidfd(), rank.out.get(), rank.error.get()})
                wanted.push_back({fd, POLLIN, 0});
        const int patience = watches && !deadlock_ ? static_cast<int>(kBetweenLooks.count()) : -1;
        if (::poll(wanted.data(), wanted.size(), patience) < 0 && errno != EINTR)
            return system_error(errno, "cannot wait for ranks");
        if (wanted[0].revents != 0) pass_on(signals);
        for (std::size_t index = 0; index < ranks_.size(); ++index) {
            Rank& rank = ranks_[index];
            const pollfd* const mine = &wanted[1 + 3 * index];
            if (mine[1].revents != 0 && !relay(rank.out, *rank.out_lines)) rank.out.reset();
            if (mine[2].revents != 0 && !relay(rank.error, *rank.error_lines)) rank.error.reset();
            if (mine[0].revents == 0) continue;
            DIVISI_TRY(take_end(index));
            --running;
        }
        watch_for_deadlock();
    }
    elapsed_ = std::chrono::steady_clock::now() - started_;
    if (deadlock_ && request_.on_deadlock == OnDeadlock::kEnd) return kDeadlockExit;
    int worst = 0;
    for (const Rank& rank : ranks_) worst = std::max(worst, code_of(*rank.status));
    return worst;
}

json::object NativeJob::report() const {
    json::array ranks;
    for (std::size_t index = 0; index < ranks_.size(); ++index) {
        const int status = ranks_[index].status.value_or(0);
        ranks.push_back(json::object{
            {"rank", index}, {"exit", code_of(status)}, {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0}});
    }
    json::object report{{"ranks", std::move(ranks)},     {"elapsed_ns", elapsed_.count()}, {"backend", "native"},
                        {"backend_reason", "asked for"}, {"unserved", json::array()},      {"faults", json::array()}};
    if (deadlock_) report["deadlock"] = *deadlock_;
    return report;
}

}  // namespace divisi::hv::vmm
