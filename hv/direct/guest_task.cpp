#include "hv/direct/guest_task.hpp"

#include <linux/audit.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "hv/direct/stub_image.hpp"
#include "hv/direct/stub_signals.hpp"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)  // Linux 6.6
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0U)
#endif

namespace divisi::hv {
namespace {

// The affinity of the calling thread, for a task that is to share its processor.
Result<void> share_processor(pid_t task) {
    std::array<unsigned long, 1024> mask{};
    const long bytes = ::syscall(SYS_sched_getaffinity, 0, sizeof mask, mask.data());
    if (bytes < 0 || ::syscall(SYS_sched_setaffinity, task, bytes, mask.data()) < 0)
        return system_error(errno, "cannot pin a stub's task");
    return {};
}

Error did_not_start() {
    return make_error(Errc::kFailed, "a stub's task did not start as it should", "direct");
}

}  // namespace

Result<std::unique_ptr<GuestTask>> GuestTask::create(std::shared_ptr<StubSpace> space) {
    DIVISI_TRY_ASSIGN(const unsigned slot, space->take_slot());
    std::unique_ptr<GuestTask> task(new GuestTask(std::move(space), slot));
    DIVISI_TRY(task->start());
    return task;
}

GuestTask::~GuestTask() {
    kill();
    reap();
    space_->give_slot(slot_);
}

Result<void> GuestTask::start() {
    return space_->with_process([this](StubProcess& process) -> Result<void> {
        DIVISI_TRY_ASSIGN(listener_, process.start_task(slot_));
        // The waker and the woken share a processor: go over at once where the kernel can be told so.
        ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        if (!receive()) return did_not_start();
        pid_ = static_cast<pid_t>(notice_.pid);
        pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
        if (!pidfd_.valid()) return system_error(errno, "cannot watch a stub's task");
        DIVISI_TRY(share_processor(pid_));
        return first_stop();
    });
}

// The task runs stub code that nothing but divisi-vmm has touched; it is led step by step to its first frame.
Result<void> GuestTask::first_stop() {
    const auto is_call = [this](int number) {
        return notice_.data.nr == number && notice_.data.arch == AUDIT_ARCH_X86_64;
    };
    if (!is_call(SYS_write) || notice_.data.args[1] != in_stub(divisi_stub_replies)) return did_not_start();
    Batch close_all = space_->batch_of(slot_);
    close_all.add(SYS_close_range, {0, ~0U, 0});
    close_all.post();
    answer(1, 0);
    // It may have seen the batch before it came to wait for it, or not.
    if (!receive()) return did_not_start();
    if (is_call(SYS_futex)) {
        answer(0, 0);
        if (!receive()) return did_not_start();
    }
    if (!is_call(SYS_close_range) || notice_.data.args[0] != 0 || notice_.data.args[1] != ~0U ||
        notice_.data.args[2] != 0)
        return did_not_start();
    // SAFETY: the arguments are in the task's registers, which nobody changes while the kernel holds it.
    answer(0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    if (!receive() || !is_call(SYS_write) || notice_.data.args[1] != in_stub(divisi_stub_replies))
        return did_not_start();
    kick();
    answer(1, 0);
    // The kick may come before or after it waits for its next batch.
    while (wait() == Stop::kCall) answer(0, 0);
    if (notice_.data.nr != DIVISI_STUB_NOTIFY) return did_not_start();
    DIVISI_TRY_ASSIGN(SignalFrame frame,
                      SignalFrame::learn(space_->frames(slot_), stub_frames(slot_), notice_.data.args[2]));
    frame_.emplace(std::move(frame));
    return {};
}

bool GuestTask::receive() {
    for (;;) {
        notice_ = {};
        if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &notice_) == 0) return true;
        if (errno == EINTR) return false;
        // A call that was told and then left by a signal; or the task is no more.
        if (errno != ENOENT || !alive()) return false;
    }
}

void GuestTask::answer(std::uint64_t result, std::uint32_t flags) {
    seccomp_notif_resp response{};
    response.id = notice_.id;
    response.val = static_cast<std::int64_t>(result);
    response.flags = flags;
    // ENOENT: a signal came first, or death; the next stop tells.
    (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void GuestTask::resume(std::uint64_t result) {
    answer(result, 0);
}

GuestTask::Stop GuestTask::wait() {
    if (!receive()) return alive() ? Stop::kNotified : Stop::kGone;
    const bool frame = notice_.data.nr == DIVISI_STUB_NOTIFY && notice_.data.arch == AUDIT_ARCH_X86_64 &&
                       notice_.data.instruction_pointer == in_stub(divisi_stub_after_notify);
    return frame ? Stop::kFrame : Stop::kCall;
}

bool GuestTask::force_frame() {
    kick();
    answer(0, 0);
    for (;;) {
        switch (wait()) {
            case Stop::kFrame: return frame_->is_at(notice_.data.args[2]);
            case Stop::kGone: return false;
            case Stop::kNotified: continue;
            // The kick is on its way: there is no time for another call, unless the program keeps signals blocked.
            case Stop::kCall: return false;
        }
    }
}

void GuestTask::kick() noexcept {
    if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), kStubKick, nullptr, 0);
}

bool GuestTask::alive() const {
    pollfd watched{pidfd_.get(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 0;
}

std::chrono::nanoseconds GuestTask::cpu_time() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void GuestTask::kill() noexcept {
    if (pidfd_.valid() && !status_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

int GuestTask::reap() noexcept {
    if (status_ || pid_ < 0) return status_.value_or(0);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
    return status;
}

}  // namespace divisi::hv
