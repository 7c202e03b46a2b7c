// A guest program: one address space, one file table, threads, and the nodes that are its CPUs. In message-passing
// mode every rank is a program on one node; in shared-memory mode one program has all nodes.
//
// Life: `create` loads the image; then every node's thread calls `run_cpu` once, which returns when the program is
// over; then the outcome is final. `terminate` ends it from outside.
// Threads: `terminate`, `send_signal` and the const members may be called from any thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "hv/address_space.hpp"
#include "hv/cpu_times.hpp"
#include "hv/elf/image.hpp"
#include "hv/exit_counts.hpp"
#include "hv/fault_report.hpp"
#include "hv/file_view.hpp"
#include "hv/files.hpp"
#include "hv/futex.hpp"
#include "hv/guest_clock.hpp"
#include "hv/interval_timer.hpp"
#include "hv/limits.hpp"
#include "hv/program_timers.hpp"
#include "hv/scheduler.hpp"
#include "hv/signals.hpp"
#include "hv/sleepers.hpp"
#include "hv/thread.hpp"
#include "hv/thread_snapshot.hpp"
#include "hv/timers.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

class BlockingCalls;
class UnwindServer;

// What a VMM offers to all its programs. Lent for the program's lifetime.
struct Services {
    Timers& timers;
    FutexTable& futexes;
    BlockingCalls& blocking;
    const UnwindServer* unwinding = nullptr;  // null: backtraces of one frame
};

// A copy between a program's memory and a range that the program of rank `owner` has lent to it.
struct LentCopy {
    std::uint32_t owner = 0, loan = 0;
    std::uint64_t offset = 0;  // in what is lent
    Gva address = 0;           // in the caller's memory
    std::uint64_t bytes = 0;
};

// A view of such a range: from `page` of the caller's views on.
struct LentView {
    std::uint32_t owner = 0, loan = 0;
    std::uint64_t offset = 0, bytes = 0;  // in what is lent
    std::uint64_t page = 0;
};

struct ProgramSpec {
    Image image;
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::shared_ptr<const FileView> view;  // and the working folder in it
    std::shared_ptr<OpenFile> standard_input, standard_output, standard_error;
    Ram* ram = nullptr;                // lent
    PageTables* tables = nullptr;      // lent; used by no other program meanwhile
    std::vector<std::uint32_t> nodes;  // which nodes are its CPUs, in the order of their numbers
    std::vector<CpuPlace> places;      // of the CPUs, in the same order; empty: each is alone on its PU
    Spread spread = Spread::kScatter;
    bool node_page = false;       // the windows start with a node page: tell the program by auxv
    GuestClock* clock = nullptr;  // lent: its window is among the windows; null: the host's clocks, by system call
    std::function<void(unsigned cpu)> kick;
    // Copies between the program's memory and what another of the job has lent to it; null: there are no others.
    std::function<SysResult(const LentCopy&)> copy_lent;
    // Shows it such a range; the address of its first byte. Null where `copy_lent` is.
    std::function<SysResult(const LentView&)> view_lent;
    LentViews* views = nullptr;             // lent: who looks at whose memory; null: nobody does
    std::function<void(int code)> end_job;  // ends all programs of the job, this one among them; null: there are none
    std::function<void()>
        on_stop;  // a signal has stopped it; called on the node that took it, under no lock; may be null
    int pid = 1;
    Limits::Set limits = Limits::usual();
    bool keep_state = false;  // leave all of the threads' state behind at the end, for a core file
    std::string host_name;    // what uname says; the host's own where empty
};

struct Outcome {
    int exit_code = 0;  // as a shell gives: 128 + signal after a signal
    int signo = 0;
    std::optional<FaultReport> fault;
    std::map<std::uint64_t, std::uint64_t> unserved;  // system call number → how often
    ExitSums exits;
};

class Program {
public:
    // Errors: kBadImage; kInsufficient when the memory does not hold the image; all as the loader finds them.
    static Result<std::unique_ptr<Program>> create(ProgramSpec spec, Services services);
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    // Runs the program's threads on this node until the program is over. Errors: the backend's; the program is over
    // then, too. `exits` counts the node's exits.
    Result<void> run_cpu(unsigned cpu, Vcpu& vcpu, std::atomic<std::uint64_t>& exits);

    // Ends the program as an unhandled signal would. The first end counts.
    void terminate(int signo, std::optional<FaultReport> fault = std::nullopt);
    void exit_group(int code);
    // Sends a signal to the whole program, as kill(2) does.
    void send_signal(const SignalInfo& info);
    void send_thread_signal(Thread& thread, const SignalInfo& info);
    // The thread blocks more than `before`: what came for the program as a whole, another is to take.
    void pass_on_signals(const Thread& thread, SignalSet before);
    [[nodiscard]] bool over() const { return over_.load(std::memory_order_acquire); }
    // By a signal, until SIGCONT: no thread of it runs.
    [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t stops() const { return stops_.load(std::memory_order_acquire); }  // how often so far
    // Valid once every run_cpu has returned.
    [[nodiscard]] Outcome outcome() const;
    // Its threads now, without stopping any for longer than a glance. Those that are served by the VMM for longer than
    // `patience` come without registers.
    [[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::chrono::milliseconds patience);
    // Their state is theirs to change, until every run_cpu has returned.
    [[nodiscard]] std::vector<std::shared_ptr<const Thread>> threads() const;
    [[nodiscard]] const std::vector<std::uint64_t>& auxiliary_vector() const { return auxiliary_vector_; }

    // For the services of system calls.
    AddressSpace& memory() { return memory_; }
    [[nodiscard]] const AddressSpace& memory() const { return memory_; }
    FileTable& files() { return files_; }
    Scheduler& scheduler() { return scheduler_; }
    SignalState& signals() { return signals_; }
    [[nodiscard]] const SignalState& signals() const { return signals_; }
    [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }
    Sleepers& sleepers() { return sleepers_; }
    CpuTimes& cpu_times() { return cpu_times_; }
    // setitimer's: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
    IntervalTimer& interval_timer(std::size_t which) { return interval_timers_.at(which); }
    ProgramTimers& timers() { return program_timers_; }
    [[nodiscard]] const Limits& limits() const { return limits_; }
    // As setrlimit(2): 0 or a negative errno.
    int set_limit(int resource, const Limits::Limit& wanted);
    // Whether a timer of the program's own will send it a signal.
    [[nodiscard]] bool timers_armed() const;
    Services& services() { return services_; }
    [[nodiscard]] const Services& services() const { return services_; }
    [[nodiscard]] const ProgramSpec& spec() const { return spec_; }
    [[nodiscard]] int pid() const { return spec_.pid; }
    [[nodiscard]] std::uint32_t node_of(const Thread& thread) const {
        return spec_.nodes[static_cast<std::size_t>(thread.sched.cpu)];
    }
    // A new thread with a copy of its creator's registers; not started.
    Thread& create_thread(const Thread& creator);
    // It may end meanwhile, but stays an object that can be looked at.
    [[nodiscard]] std::shared_ptr<Thread> find_thread(int tid) const;
    // The calling thread ends; the last one ends the program with `code`.
    void exit_thread(Thread& thread, int code);
    std::vector<int> thread_ids() const;
    [[nodiscard]] std::size_t thread_count() const;
    void count_unserved(std::uint64_t number);
    FutexTable::Key futex_key(Gva address) const;

    [[nodiscard]] const FileView& view() const { return *spec_.view; }
    [[nodiscard]] ViewFolder working_folder() const;
    void set_working_folder(ViewFolder folder);
    std::atomic<std::uint32_t> file_mode_mask{022};
    std::atomic<bool> membarrier_registered{false};

private:
    Program(ProgramSpec spec, Services services);
    Result<void> load();
    void finish(int code, int signo, std::optional<FaultReport> fault);
    // Handles one exit of the thread; false when the node must look for another thread.
    bool handle(Thread& thread, Vcpu& vcpu, const Exit& exit, unsigned cpu);
    void handle_exception(Thread& thread, Vcpu& vcpu, const Exit& exit);
    bool handle_syscall(Thread& thread, Vcpu& vcpu, unsigned cpu);
    IntervalTimer make_interval_timer(int signo);
    IntervalTimer make_processor_limit();
    IntervalTimer::Clockwork processor_clock();
    void apply_limit(int resource);
    void complete_wait(Thread& thread);
    // Lets the thread's pending signals take effect before it goes on; false when the program is over by one.
    bool deliver_signals(Thread& thread, Vcpu& vcpu);
    // program_stop.cpp. What a signal does to a stop by being sent, whether anybody is going to handle it or not.
    void before_signal(int signo);
    void stop();
    void resume();
    // Until the program goes on, or is over.
    void stand_still(Thread& thread, Vcpu& vcpu);
    // Ends the thread's wait, if it is in one that signals end.
    void interrupt(Thread& thread);
    void notify(Thread& thread);
    void tell_somebody(int signo, const Thread* but);
    FaultReport report(const Thread& thread, const SignalInfo& info) const;
    void reap(Thread& thread);
    bool look_at(const Thread& thread, ThreadSnapshot& seen) const;
    // For whoever looks: the registers of a thread that the vCPU has, and does not run now.
    void lay_down(Thread& thread, Vcpu& vcpu);

    ProgramSpec spec_;
    Services services_;
    std::optional<GuestClock::Hold> clock_hold_;
    AddressSpace memory_;
    FileTable files_;
    mutable std::mutex folder_mutex_;
    ViewFolder working_folder_;
    Scheduler scheduler_;
    SignalState signals_;
    Sleepers sleepers_;
    CpuTimes cpu_times_;
    ExitCounts exit_counts_;
    std::array<IntervalTimer, 3> interval_timers_;
    ProgramTimers program_timers_;
    std::mutex limits_mutex_;
    Limits limits_;
    IntervalTimer processor_limit_;
    mutable std::mutex threads_mutex_;
    std::map<int, std::shared_ptr<Thread>> threads_;
    int last_tid_;
    std::size_t exiting_ = 0;  // threads that have ended and are still in the table
    std::atomic<bool> over_{false};
    std::atomic<bool> stopped_{false};
    std::atomic<std::uint64_t> stops_{0};
    std::mutex stop_mutex_;
    std::condition_variable goes_on_;
    std::vector<std::uint64_t> auxiliary_vector_;
    std::mutex snapshot_mutex_;
    std::atomic<bool> looking_{false};
    mutable std::mutex look_mutex_;
    std::condition_variable look_;
    mutable std::map<int, Registers> laid_down_;
    mutable std::mutex outcome_mutex_;
    std::optional<Outcome> outcome_;
    std::map<std::uint64_t, std::uint64_t> unserved_;
};

}  // namespace divisi::hv
