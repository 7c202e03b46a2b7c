#include "hv/program.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/printable.hpp"
#include "hv/blocking_calls.hpp"
#include "hv/exceptions.hpp"
#include "hv/loader.hpp"
#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

// All windows of a topology come from descriptors that live as long as it: the number stands for the file.
const void* window_identity(int fd) {
    return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(fd) + 1);  // NOLINT: an identity, never followed
}

std::vector<CpuPlace> places_of(const ProgramSpec& spec) {
    if (!spec.places.empty()) return spec.places;
    std::vector<CpuPlace> places;
    for (const std::uint32_t node : spec.nodes) places.push_back({node, node});
    return places;
}

// How often a thread that has its PU to itself looks at a word before it waits for it: for as long as an exit takes
// where exits are dear (kvm/fast_calls.hpp).
constexpr std::uint32_t kLooks = 500;

void end_call(Thread& thread, SysResult result) {
    thread.context.regs.rax = static_cast<std::uint64_t>(result);
    thread.restart = result == kRestart || result == kRestartAlways ? result : 0;
}

// If its call is one to be made again.
void make_call_again(Thread& thread) {
    if (std::exchange(thread.restart, 0) == 0) return;
    thread.context.regs.rax = thread.call_number;
    thread.context.regs.rip -= 2;  // back onto the SYSCALL
}

// What a program has left in a node's processor goes with it.
class Farewell {
public:
    explicit Farewell(Vcpu& vcpu) : vcpu_(vcpu) {}
    Farewell(const Farewell&) = delete;
    Farewell& operator=(const Farewell&) = delete;
    ~Farewell() { vcpu_.forget(); }

private:
    Vcpu& vcpu_;
};

}  // namespace

Program::Program(ProgramSpec spec, Services services)
    : spec_(std::move(spec)),
      services_(services),
      memory_(*spec_.ram, *spec_.tables, spec_.views),
      scheduler_(places_of(spec_), spec_.spread, services.timers, spec_.kick),
      sleepers_(scheduler_),
      cpu_times_(spec_.nodes.size()),
      exit_counts_(spec_.nodes.size()),
      interval_timers_{make_interval_timer(SIGALRM), make_interval_timer(SIGVTALRM), make_interval_timer(SIGPROF)},
      program_timers_(services.timers,
                      [this](int tid, const SignalInfo& info) {
                          if (tid == 0) {
                              send_signal(info);
                          } else if (const auto thread = find_thread(tid); thread != nullptr) {
                              send_thread_signal(*thread, info);
                          }
                      }),
      limits_(spec_.limits),
      processor_limit_(make_processor_limit()),
      last_tid_(spec_.pid - 1) {
    for (int resource = 0; Limits::known(resource); ++resource) apply_limit(resource);
    if (spec_.nodes.size() > 1)
        scheduler_.watch_crowds([this](bool crowded) { spec_.tables->set_looks(crowded ? 0 : kLooks); });
    if (spec_.clock != nullptr) clock_hold_.emplace(*spec_.clock, services_.timers);
    files_.put(0, spec_.standard_input, false);
    files_.put(1, spec_.standard_output, false);
    files_.put(2, spec_.standard_error, false);
}

Program::~Program() {
    scheduler_.close();
    for (IntervalTimer& timer : interval_timers_) timer.set({});
    processor_limit_.set({});
    program_timers_.clear();
    services_.futexes.forget(*this);
    services_.blocking.cancel_all(*this);
}

// Processor time is all the program's own: what the VMM does for it counts as its doing.
IntervalTimer::Clockwork Program::processor_clock() {
    return {[this] { return cpu_times_.program(); }, static_cast<unsigned>(spec_.nodes.size()), true};
}

IntervalTimer Program::make_interval_timer(int signo) {
    IntervalTimer::Clockwork clockwork = IntervalTimer::host_clock(CLOCK_MONOTONIC);
    if (signo != SIGALRM) clockwork = processor_clock();
    return IntervalTimer(services_.timers, std::move(clockwork), [this, signo](std::uint64_t) {
        SignalInfo info;
        info.signo = signo;
        info.code = SI_KERNEL;
        send_signal(info);
    });
}

Result<std::unique_ptr<Program>> Program::create(ProgramSpec spec, Services services) {
    std::unique_ptr<Program> program(new Program(std::move(spec), services));
    DIVISI_TRY(program->load());
    return program;
}

ViewFolder Program::working_folder() const {
    const std::lock_guard lock(folder_mutex_);
    return working_folder_;
}

void Program::set_working_folder(ViewFolder folder) {
    const std::lock_guard lock(folder_mutex_);
    working_folder_ = std::move(folder);
}

Result<void> Program::load() {
    working_folder_ = spec_.view->working_folder();
    DIVISI_TRY_ASSIGN(LoadedImage loaded, load_image(*this));
    auxiliary_vector_ = std::move(loaded.auxiliary_vector);
    const std::lock_guard lock(threads_mutex_);
    auto thread = std::make_shared<Thread>(++last_tid_, *this);
    thread->context.regs.rip = loaded.entry;
    thread->context.regs.rsp = loaded.stack_pointer;
    thread->name.set(spec_.image.path.substr(spec_.image.path.rfind('/') + 1));
    Thread& first = *thread;
    threads_.emplace(first.tid, std::move(thread));
    scheduler_.start(first);
    return {};
}

Result<void> Program::run_cpu(unsigned cpu, Vcpu& vcpu, std::atomic<std::uint64_t>& exits) {
    const auto fail = [this](Error error) {
        finish(255, 0, std::nullopt);
        return error;
    };
    if (auto bound = vcpu.bind(*spec_.ram, *spec_.tables); !bound) return fail(std::move(bound).error());
    const Farewell farewell(vcpu);
    const CpuTimes::Presence presence(cpu_times_, cpu, vcpu);
    Thread* resident = nullptr;
    const auto nudged = [&] {
        if (resident != nullptr) lay_down(*resident, vcpu);
    };
    while (Thread* thread = scheduler_.acquire(cpu, nudged)) {
        if (thread != resident) {
            if (resident != nullptr) {
                if (auto saved = vcpu.save(resident->context); !saved) return fail(std::move(saved).error());
                cpu_times_.put_down(*resident);
                scheduler_.evicted(*resident);
            }
            if (auto loaded = vcpu.load(thread->context); !loaded) return fail(std::move(loaded).error());
            resident = thread;
            cpu_times_.take_up(*thread, cpu);
        }
        if (std::exchange(thread->sched.parked, false)) complete_wait(*thread);
        bool stays = !scheduler_.misplaced(*thread);
        while (stays && !over()) {
            stays = deliver_signals(*thread, vcpu);
            if (!stays || over()) break;
            const Exit exit = vcpu.run(thread->context.regs);
            exits.fetch_add(1, std::memory_order_relaxed);
            exit_counts_.count(cpu, exit, thread->context.regs.rax);
            if (looking_.load(std::memory_order_acquire)) lay_down(*thread, vcpu);
            if (exit.kind == Exit::Kind::kFailure) return fail(exit.failure);
            if (exit.kind == Exit::Kind::kDestroyed) {
                SignalInfo killed;
                killed.signo = SIGKILL;
                FaultReport fault = report(*thread, killed);
                fault.detail = exit.failure.operation;
                terminate(SIGKILL, std::move(fault));
                break;
            }
            stays = handle(*thread, vcpu, exit, cpu);
        }
        if (over()) break;
        if (thread->sched.state == Thread::Scheduling::State::kDead) {
            cpu_times_.put_down(*thread);
            reap(*thread);
            resident = nullptr;
        } else if (scheduler_.misplaced(*thread) && thread->sched.state == Thread::Scheduling::State::kRunning) {
            if (auto saved = vcpu.save(thread->context); !saved) return fail(std::move(saved).error());
            cpu_times_.put_down(*thread);
            resident = nullptr;
            scheduler_.migrate(*thread);
        }
    }
    if (spec_.keep_state && resident != nullptr) (void)vcpu.save(resident->context);
    return {};
}

bool Program::handle(Thread& thread, Vcpu& vcpu, const Exit& exit, unsigned cpu) {
    switch (exit.kind) {
        case Exit::Kind::kSyscall: return handle_syscall(thread, vcpu, cpu);
        case Exit::Kind::kException: handle_exception(thread, vcpu, exit); return true;
        default: return !scheduler_.misplaced(thread) && !scheduler_.yield(thread, false);
    }
}

bool Program::handle_syscall(Thread& thread, Vcpu& vcpu, unsigned cpu) {
    Registers& regs = thread.context.regs;
    Call call{*this, thread, vcpu, cpu, regs.rax, {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9}};
    thread.call_number = call.number;
    const SyscallEntry* entry = find_syscall(call.number);
    if (entry == nullptr) {
        count_unserved(call.number);
        regs.rax = static_cast<std::uint64_t>(-ENOSYS);
        return true;
    }
    const SysResult result = entry->service(call);
    if (thread.sched.state == Thread::Scheduling::State::kDead) return false;
    if (result == kLeavesRegisters) return true;
    if (result != kWaits) {
        end_call(thread, result);
        if (call.number == SYS_sched_yield) {
            if (scheduler_.yield(thread, true)) return false;
            // Nobody else in this program: then let other nodes have the PU.
            ::sched_yield();
        }
        return !scheduler_.misplaced(thread);
    }
    // A signal that was posted before the wait was known has interrupted nothing: look again.
    if (signals_.has(thread, ~thread.blocked | thread.waited_for)) interrupt(thread);
    if (scheduler_.park(thread)) return false;
    complete_wait(thread);
    return true;
}

void Program::complete_wait(Thread& thread) {
    SysResult result = thread.sched.wake_result;
    if (const auto finish_call = std::exchange(thread.on_resume, nullptr)) result = finish_call(result);
    end_call(thread, result);
}

void Program::interrupt(Thread& thread) {
    services_.futexes.interrupt(thread, kRestart);
    services_.blocking.cancel(thread);
    scheduler_.interrupt(thread, -EINTR);
}

bool Program::deliver_signals(Thread& thread, Vcpu& vcpu) {
    Registers& regs = thread.context.regs;
    if (stopped()) stand_still(thread, vcpu);
    while (signals_.has(thread, ~thread.blocked) && !over()) {
        const auto info = signals_.take(thread, ~thread.blocked);
        if (!info) break;
        const SignalAction action = signals_.action(info->signo);
        if (action.handler == 1) continue;
        if (action.handler == 0) {
            const SignalState::Default action_by_default = SignalState::default_action(info->signo);
            if (action_by_default == SignalState::Default::kStop) {
                stop();
                stand_still(thread, vcpu);
            }
            if (action_by_default != SignalState::Default::kTerminate) continue;
            std::optional<FaultReport> fault;
            if (SignalState::tells_of_failure(info->signo)) {
                (void)vcpu.save(thread.context);  // what a call's exit has left out
                fault = report(thread, *info);
            }
            terminate(info->signo, std::move(fault));
            return false;
        }
        if (thread.restart == kRestart && (action.flags & SA_RESTART) == 0) {
            thread.restart = 0;
            regs.rax = static_cast<std::uint64_t>(-EINTR);
        }
        make_call_again(thread);
        const SignalSet before = thread.blocked;
        if (!vcpu.save(thread.context) || !enter_handler(thread, memory_, action, *info) ||
            !vcpu.load(thread.context)) {
            SignalInfo overflow;
            overflow.signo = SIGSEGV;
            overflow.code = SI_KERNEL;
            overflow.address = regs.rsp;
            FaultReport fault = report(thread, overflow);
            fault.detail = fmt::format("no room on the stack for the frame of signal {}", info->signo);
            terminate(SIGSEGV, std::move(fault));
            return false;
        }
        if ((action.flags & SA_RESETHAND) != 0) signals_.set_action(info->signo, {});
        pass_on_signals(thread, before);
    }
    if (thread.restore_blocked) {  // sigsuspend that ended without a handler
        const SignalSet before = thread.blocked.exchange(thread.blocked_before_suspend);
        thread.restore_blocked = false;
        pass_on_signals(thread, before);
    }
    make_call_again(thread);
    return true;
}

void Program::handle_exception(Thread& thread, Vcpu& vcpu, const Exit& exit) {
    const ExceptionSignal signal = signal_of_exception(exit, memory_);
    if (signal.signo == 0) return;  // a first touch: the page is there now
    SignalInfo info;
    info.signo = signal.signo;
    info.code = signal.code;
    info.address = signal.address;
    info.trap = exit.vector;
    info.error = exit.error_code;
    if (info.signo == SIGFPE || info.signo == SIGILL) info.address = thread.context.regs.rip;
    if (info.signo == SIGFPE && exit.vector != 0 && vcpu.save(thread.context))
        info.code = float_exception_code(exit.vector, thread.context.xsave);
    const SignalAction action = signals_.action(info.signo);
    const bool masked = (thread.blocked & signal_bit(info.signo)) != 0;
    if (action.handler <= 1 || masked) {
        // A fault cannot be ignored or put off: it would only happen again.
        FaultReport fault = report(thread, info);
        fault.detail = signal.detail;
        terminate(info.signo, std::move(fault));
        return;
    }
    signals_.post(&thread, info);
}

void Program::send_signal(const SignalInfo& info) {
    before_signal(info.signo);
    if (!signals_.post(nullptr, info)) return;
    tell_somebody(info.signo, nullptr);
}

void Program::tell_somebody(int signo, const Thread* but) {
    const std::lock_guard lock(threads_mutex_);
    for (const auto& [tid, thread] : threads_) {
        const SignalSet deaf = thread->blocked & ~thread->waited_for;
        if (thread.get() == but || ((deaf & signal_bit(signo)) != 0 && signo != SIGKILL)) continue;
        notify(*thread);
        return;
    }
}

// ORDER: a sender queues its signal and then looks for who does not block it; here it was blocked, and then it is
// looked for what is queued. So one of the two sees the other.
void Program::pass_on_signals(const Thread& thread, SignalSet before) {
    SignalSet missed = signals_.pending_for_all() & thread.blocked & ~before;
    for (int signo = 1; missed != 0 && signo <= kSignalCount; ++signo) {
        if ((missed & signal_bit(signo)) != 0) tell_somebody(signo, &thread);
        missed &= ~signal_bit(signo);
    }
}

void Program::send_thread_signal(Thread& thread, const SignalInfo& info) {
    before_signal(info.signo);
    if (signals_.post(&thread, info)) notify(thread);
}

void Program::notify(Thread& thread) {
    interrupt(thread);
    if (thread.sched.cpu >= 0) spec_.kick(static_cast<unsigned>(thread.sched.cpu));
}

FaultReport Program::report(const Thread& thread, const SignalInfo& info) const {
    FaultReport fault;
    fault.node = node_of(thread);
    fault.thread = thread.tid - spec_.pid;
    fault.thread_name = printable(thread.name.get());
    fault.signo = info.signo;
    fault.code = info.code;
    fault.address = info.address;
    // Of the processor's own signals, these two come with the address of the access.
    fault.has_address = info.code > 0 && (info.signo == SIGSEGV || info.signo == SIGBUS);
    if (info.code <= 0) fault.detail = info.pid == spec_.pid ? "sent by the program itself" : "sent from outside";
    fault.registers = thread.context.regs;
    fault.symbol = symbolize(spec_.image, fault.registers.rip);
    return fault;
}

void Program::finish(int code, int signo, std::optional<FaultReport> fault) {
    {
        const std::lock_guard lock(outcome_mutex_);
        if (outcome_) return;
        outcome_.emplace();
        outcome_->exit_code = code;
        outcome_->signo = signo;
        outcome_->fault = std::move(fault);
    }
    over_.store(true, std::memory_order_release);
    resume();
    scheduler_.close();
}

void Program::terminate(int signo, std::optional<FaultReport> fault) {
    finish(128 + signo, signo, std::move(fault));
}

void Program::exit_group(int code) {
    finish(code & 0xff, 0, std::nullopt);
}

Outcome Program::outcome() const {
    const std::lock_guard lock(outcome_mutex_);
    Outcome result = outcome_.value_or(Outcome{});
    result.unserved = unserved_;
    result.exits = exit_counts_.sum();
    return result;
}

Thread& Program::create_thread(const Thread& creator) {
    const std::lock_guard lock(threads_mutex_);
    auto thread = std::make_shared<Thread>(++last_tid_, *this);
    Thread& created = *thread;
    created.context = creator.context;
    created.blocked = creator.blocked.load();
    created.policy = creator.policy.load();
    created.name.set(creator.name.get());
    created.sched.affinity = scheduler_.affinity(creator);
    threads_.emplace(created.tid, std::move(thread));
    return created;
}

std::shared_ptr<Thread> Program::find_thread(int tid) const {
    const std::lock_guard lock(threads_mutex_);
    const auto found = threads_.find(tid);
    return found == threads_.end() ? nullptr : found->second;
}

std::vector<int> Program::thread_ids() const {
    const std::lock_guard lock(threads_mutex_);
    std::vector<int> result;
    for (const auto& [tid, thread] : threads_) result.push_back(tid);
    return result;
}

std::size_t Program::thread_count() const {
    const std::lock_guard lock(threads_mutex_);
    return threads_.size() - exiting_;
}

void Program::exit_thread(Thread& thread, int code) {
    bool last = false;
    {
        const std::lock_guard lock(threads_mutex_);
        ++exiting_;
        last = exiting_ == threads_.size();
    }
    // It hears nothing any more.
    pass_on_signals(thread, thread.blocked.exchange(~SignalSet{0}));
    scheduler_.exit(thread);
    if (last) exit_group(code);
}

void Program::reap(Thread& thread) {
    const std::lock_guard lock(threads_mutex_);
    threads_.erase(thread.tid);
    --exiting_;
}

void Program::count_unserved(std::uint64_t number) {
    const std::lock_guard lock(outcome_mutex_);
    // A hostile program has 2^64 numbers to ask for; the report needs only so many.
    if (unserved_.size() < 256 || unserved_.contains(number)) ++unserved_[number];
}

FutexTable::Key Program::futex_key(Gva address) const {
    if (const auto place = memory_.place_in_file(address)) return {place->first, place->second, false};
    if (address < kWindowGva) return {this, address, false};
    // A place in a memory file, the same for all programs that share it.
    Gva at = address - kWindowGva;
    for (const WindowPiece& piece : spec_.tables->windows()) {
        if (at < piece.size_bytes) return {window_identity(piece.fd), piece.offset + at, true};
        at -= piece.size_bytes;
    }
    return {this, address, false};
}

}  // namespace divisi::hv
