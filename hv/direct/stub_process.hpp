// A stub process: an address space for a program's code, and a task in it, the keeper, that carries out calls for
// divisi-vmm (it maps and unmaps pages). The keeper never runs the program's code, and nothing that the program can
// write reaches it, so what it reports is true whatever the program does.
//
// Owns: the keeper and the pages through which its tasks are spoken to; ends all tasks of the process when it goes.
// Threads: one at a time, but for `alive` and `end`.
#pragma once

#include <sys/types.h>

#include <memory>
#include <span>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "hv/direct/batch.hpp"
#include "hv/direct/stub_abi.h"

namespace divisi::hv {

class Midwife;

class StubProcess {
public:
    // `memory` are the files that can be mapped, in the order of their numbers.
    static Result<std::unique_ptr<StubProcess>> create(Midwife& midwife, int image, std::span<const int> memory);
    StubProcess(const StubProcess&) = delete;
    StubProcess& operator=(const StubProcess&) = delete;
    ~StubProcess();

    // The keeper's next batch; `run` carries it out. Errors: the errno of the call that failed, the rest is not made.
    Batch batch();
    Result<void> run(Batch& batch);

    // Makes `task` (1 … kMaxTasks - 1) in the process and gives the listener of its filter, which holds from then on.
    // It waits in its first call that the filter tells: the reply to the batch that made it.
    Result<Fd> start_task(unsigned task);

    // Batches for a task that has been started, and its frames.
    Batch batch_of(unsigned task);
    [[nodiscard]] std::byte* frames(unsigned task) const;
    // Gives back the frames of `count` tasks that there are not.
    void forget_frames(unsigned first, unsigned count) const noexcept;

    // The descriptor that memory file `index` has in the stub.
    static constexpr int memory_fd(std::size_t index) { return DIVISI_STUB_FIRST_MEMORY_FD + static_cast<int>(index); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive() const;
    // Kills every task of the process, and waits until none runs any more.
    void end() noexcept;

private:
    StubProcess(Mapping control, Mapping frames) : control_(std::move(control)), frames_(std::move(frames)) {}
    Result<void> set_up();
    Result<void> confine();
    void follow_caller();
    Result<void> await_reply();
    Result<Fd> receive_listener();

    Mapping control_;
    Mapping frames_;
    Fd replies_;
    Fd socket_;
    pid_t pid_ = -1;
    Fd pidfd_;
    int cpu_ = -1;  // where the keeper is
};

}  // namespace divisi::hv
