// The task of a stub process in which a node's guest code runs.
//
// The kernel holds it at every system call and at every signal until divisi-vmm answers. Its own system calls stop it
// as kCall, with their number and arguments, and without the cost of a signal; faults and kicks stop it as kFrame, with
// all registers in its signal frame. From kCall to kFrame is one signal.
//
// Owns: the task. Threads: one, the node's; `kick` may be called by any.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "hv/direct/signal_frame.hpp"
#include "hv/direct/stub_space.hpp"

namespace divisi::hv {

class GuestTask {
public:
    // A new task in `space`, on the processors of the calling thread; it is stopped, with a frame.
    static Result<std::unique_ptr<GuestTask>> create(std::shared_ptr<StubSpace> space);
    GuestTask(const GuestTask&) = delete;
    GuestTask& operator=(const GuestTask&) = delete;
    ~GuestTask();

    enum class Stop : std::uint8_t {
        kCall,      // in a system call: `call`
        kFrame,     // by a signal: `signal`, `frame`
        kGone,      // the task is dead
        kNotified,  // not at all: the waiting thread was interrupted
    };
    // Lets the task go on; a stop at a call gives it `result`. Then waits for its next stop.
    void resume(std::uint64_t result);
    Stop wait();
    // From kCall to kFrame; the call's result in the frame is to be overwritten. False when the task is gone.
    bool force_frame();

    [[nodiscard]] const seccomp_data& call() const { return notice_.data; }
    [[nodiscard]] int signal() const { return static_cast<int>(notice_.data.args[0]); }
    SignalFrame& frame() { return *frame_; }
    StubSpace& space() { return *space_; }

    void kick() noexcept;
    // Readable when it has died.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }
    [[nodiscard]] bool alive() const;
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const;
    void kill() noexcept;
    // How it died: a wait status.
    int reap() noexcept;

private:
    GuestTask(std::shared_ptr<StubSpace> space, unsigned slot) : space_(std::move(space)), slot_(slot) {}
    Result<void> start();
    Result<void> first_stop();
    bool receive();
    void answer(std::uint64_t result, std::uint32_t flags);

    std::shared_ptr<StubSpace> space_;
    unsigned slot_;
    Fd listener_;
    pid_t pid_ = -1;
    Fd pidfd_;
    seccomp_notif notice_{};
    std::optional<SignalFrame> frame_;
    std::optional<int> status_;
};

}  // namespace divisi::hv
