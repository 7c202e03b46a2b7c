#include "hv/direct/stub_process.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "hv/direct/midwife.hpp"
#include "hv/direct/seccomp_filter.hpp"
#include "hv/direct/stub_image.hpp"
#include "hv/direct/stub_signals.hpp"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5U)  // Linux 5.19
#endif

namespace divisi::hv {
namespace {

constexpr std::size_t kControlBytes = std::size_t{DIVISI_STUB_TASKS} * DIVISI_CONTROL_BYTES;
constexpr std::size_t kFramesBytes = std::size_t{DIVISI_STUB_TASKS} * DIVISI_FRAMES_BYTES;
constexpr unsigned kKeeper = 0;
constexpr int kStartTimeoutMs = 10000;
// As ps and top show them.
constexpr std::array<char, 16> kKeeperName{"divisi-keeper"}, kGuestName{"divisi-guest"};

// rt_sigaction's, sigaltstack's and capset's own structures.
struct KernelSigaction {
    Gva handler;
    std::uint64_t flags;
    Gva restorer;
    std::uint64_t mask;
};
struct KernelStack {
    Gva base;
    std::int32_t flags, padding;
    std::uint64_t bytes;
};

constexpr std::uint64_t kAllSignals = ~0ULL;

std::uint64_t signal_mask(int signo) {
    return 1ULL << static_cast<unsigned>(signo - 1);
}

// All but those that handlers take: what comes from a terminal or from elsewhere is none of the stub's business.
std::uint64_t blocked_signals() {
    std::uint64_t mask = kAllSignals & ~signal_mask(SIGPIPE);
    for (const int signo : kStubSignals) mask &= ~signal_mask(signo);
    return mask;
}

bool flag_known(unsigned long flag) {
    // With a flag that the kernel knows, it gets as far as the null pointer.
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) < 0 && errno == EFAULT;
}

std::uint64_t filter_flags() {
    // Best: a signal that comes while divisi-vmm serves a call waits until it is served.
    static const bool waits = flag_known(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER);
    return SECCOMP_FILTER_FLAG_NEW_LISTENER | (waits ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0);
}

constexpr std::uint64_t as_argument(int value) {
    return static_cast<std::uint64_t>(value);
}

// struct sock_fprog, msghdr and the descriptor in it, all of them in the control page.
void add_filter_calls(Batch& batch) {
    constexpr std::size_t kControlSpace = CMSG_SPACE(sizeof(int));
    struct {
        std::uint64_t bytes;
        int level, type;
        int listener, padding;
    } const rights{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS, DIVISI_STUB_LISTENER, 0};
    static_assert(sizeof rights == kControlSpace);
    const Gva byte = batch.put('L');
    const Gva control = batch.put(rights);
    struct {
        Gva base;
        std::uint64_t bytes;
    } const part{byte, 1};
    const Gva parts = batch.put(part);
    struct {
        Gva name;
        std::uint64_t name_bytes;
        Gva parts;
        std::uint64_t part_count;
        Gva control;
        std::uint64_t control_bytes;
        std::uint64_t flags;
    } const message{0, 0, parts, 1, control, kControlSpace, 0};
    static_assert(sizeof message == sizeof(msghdr));
    const Gva message_at = batch.put(message);
    const std::vector<sock_filter> filter = guest_filter(message_at);
    const Gva code = batch.put_bytes(std::as_bytes(std::span(filter)));
    struct {
        std::uint64_t count;
        Gva code;
    } const program{filter.size(), code};
    static_assert(sizeof program == sizeof(sock_fprog));
    batch.add(SYS_seccomp, {SECCOMP_SET_MODE_FILTER, filter_flags(), batch.put(program)});
    batch.add(SYS_sendmsg, {DIVISI_STUB_SOCKET_FD, message_at, 0});
}

}  // namespace

Result<std::unique_ptr<StubProcess>> StubProcess::create(Midwife& midwife, int image, std::span<const int> memory) {
    DIVISI_TRY_ASSIGN(const Fd control_file, create_memfd("divisi-stub-control", kControlBytes));
    DIVISI_TRY_ASSIGN(const Fd frames_file, create_memfd("divisi-stub-frames", kFramesBytes));
    DIVISI_TRY_ASSIGN(Mapping control, Mapping::file(control_file.get(), 0, kControlBytes, PROT_READ | PROT_WRITE));
    DIVISI_TRY_ASSIGN(Mapping frames, Mapping::file(frames_file.get(), 0, kFramesBytes, PROT_READ | PROT_WRITE));
    std::unique_ptr<StubProcess> stub(new StubProcess(std::move(control), std::move(frames)));
    int ends[2];  // NOLINT(modernize-avoid-c-arrays): pipe2's
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_error(errno, "cannot make a pipe");
    stub->replies_ = Fd(ends[0]);
    const Fd replies_end(ends[1]);
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return system_error(errno, "cannot make a socket pair");
    stub->socket_ = Fd(ends[0]);
    const Fd socket_end(ends[1]);
    std::vector<int> fds{control_file.get(), frames_file.get(), replies_end.get(), socket_end.get(), image};
    static_assert(DIVISI_STUB_FIRST_MEMORY_FD == DIVISI_STUB_CONTROL_FD + 5);
    fds.insert(fds.end(), memory.begin(), memory.end());
    DIVISI_TRY_ASSIGN(stub->pid_, midwife.spawn(image, fds));
    stub->pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, stub->pid_, 0)));
    if (!stub->pidfd_.valid()) return system_error(errno, "cannot watch a stub process");
    DIVISI_TRY(stub->set_up());
    return stub;
}

StubProcess::~StubProcess() {
    end();
}

void StubProcess::end() noexcept {
    if (pid_ < 0) return;
    // Its tasks are a session of their own, and none can leave it.
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    // All are this process's children, of one group.
    while (::waitpid(-pid_, nullptr, 0) > 0 || errno == EINTR) {
    }
    pid_ = -1;
}

bool StubProcess::alive() const {
    pollfd watched{pidfd_.get(), POLLIN, 0};
    return pid_ > 0 && ::poll(&watched, 1, 0) == 0;
}

Batch StubProcess::batch() {
    return batch_of(kKeeper);
}

Batch StubProcess::batch_of(unsigned task) {
    return {control_.data() + std::size_t{task} * DIVISI_CONTROL_BYTES, stub_control(task)};
}

std::byte* StubProcess::frames(unsigned task) const {
    return frames_.data() + std::size_t{task} * DIVISI_FRAMES_BYTES;
}

void StubProcess::forget_frames(unsigned first, unsigned count) const noexcept {
    // Without this they would only take memory, and hold what one program left for the next.
    (void)::madvise(frames(first), std::size_t{count} * DIVISI_FRAMES_BYTES, MADV_REMOVE);
}

// Waking a task on another processor costs many times a switch on this one.
void StubProcess::follow_caller() {
    const int here = ::sched_getcpu();
    if (here < 0 || here == cpu_) return;
    std::vector<unsigned long> mask(static_cast<std::size_t>(here) / 64 + 1, 0);
    mask.back() = 1UL << (static_cast<unsigned>(here) % 64);
    if (::sched_setaffinity(pid_, mask.size() * sizeof(unsigned long), reinterpret_cast<cpu_set_t*>(mask.data())) == 0)
        cpu_ = here;
}

Result<void> StubProcess::run(Batch& batch) {
    follow_caller();
    batch.post();
    return await_reply();
}

Result<void> StubProcess::await_reply() {
    for (;;) {
        std::uint8_t error = 0;
        const ssize_t count = ::read(replies_.get(), &error, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(errno, "cannot hear a stub process");
        if (count == 0) return make_error(Errc::kFailed, "a stub process has died");
        if (error != 0) return system_error(error, "a stub process met an error");
        return {};
    }
}

Result<void> StubProcess::set_up() {
    Batch pages = batch();
    pages.add(SYS_mmap, {DIVISI_STUB_FRAMES_BASE, kFramesBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                         DIVISI_STUB_FRAMES_FD, 0});
    pages.add(SYS_close, {DIVISI_STUB_CONTROL_FD});
    pages.add(SYS_close, {DIVISI_STUB_FRAMES_FD});
    pages.add(SYS_close, {DIVISI_STUB_IMAGE_FD});
    pages.add(SYS_munmap, {0, DIVISI_STUB_BASE});
    pages.add(SYS_prctl, {PR_SET_NAME, pages.put(kKeeperName)});
    DIVISI_TRY(run(pages));
    // The stack that exec made, and the kernel's own pages. Where they are sealed they stay: they say nothing.
    constexpr Gva kTaskEnd = 0x7fff'ffff'f000;
    Batch above = batch();
    above.add(SYS_munmap, {DIVISI_STUB_END, kTaskEnd - DIVISI_STUB_END});
    if (auto unmapped = run(above); !unmapped && unmapped.error().cause.value() != EPERM) return unmapped;
    return confine();
}

Result<void> StubProcess::confine() {
    // As alone as may be had without asking anyone: where it is not allowed, the filter alone must do, and does.
    Batch alone = batch();
    alone.add(SYS_unshare, {CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP});
    (void)run(alone);
    Batch tame = batch();
    struct {
        __user_cap_header_struct header;
    } const capabilities{{_LINUX_CAPABILITY_VERSION_3, 0}};
    const std::array<__user_cap_data_struct, 2> none{};
    tame.add(SYS_capset, {tame.put(capabilities), tame.put(none)});
    tame.add(SYS_prctl, {PR_SET_DUMPABLE, 0});
    tame.add(SYS_prctl, {PR_SET_PDEATHSIG, SIGKILL});
    const KernelSigaction action{in_stub(divisi_stub_handler), SA_SIGINFO | SA_ONSTACK | SA_RESTART | 0x04000000U,
                                 in_stub(divisi_stub_restorer), kAllSignals};
    const Gva action_at = tame.put(action);
    for (const int signo : kStubSignals) tame.add(SYS_rt_sigaction, {as_argument(signo), action_at, 0, 8});
    tame.add(SYS_rt_sigprocmask, {SIG_SETMASK, tame.put(blocked_signals()), 0, 8});
    return run(tame);
}

Result<Fd> StubProcess::start_task(unsigned task) {
    std::byte* page = control_.data() + std::size_t{task} * DIVISI_CONTROL_BYTES;
    std::memset(page, 0, DIVISI_CONTROL_BYTES);
    Batch birth = batch_of(task);
    const timespec look_around{1, 0};
    const Gva timeout = birth.put(look_around);
    std::memcpy(page + DIVISI_CONTROL_TIMEOUT, &timeout, sizeof timeout);
    const auto parent = static_cast<std::uint64_t>(::getpid());
    std::memcpy(page + DIVISI_CONTROL_PARENT, &parent, sizeof parent);
    birth.add(SYS_prctl, {PR_SET_PDEATHSIG, SIGKILL});
    const KernelStack stack{stub_frames(task), 0, 0, DIVISI_FRAMES_BASES};
    birth.add(SYS_sigaltstack, {birth.put(stack), 0});
    birth.add(SYS_prctl, {PR_SET_NAME, birth.put(kGuestName)});
    birth.add(SYS_close_range, {DIVISI_STUB_SOCKET_FD + 1, ~0U, 0});
    add_filter_calls(birth);
    birth.post();

    const Gva child = stub_control(task);
    std::memcpy(control_.data() + DIVISI_CONTROL_CHILD, &child, sizeof child);
    Batch clone = batch();
    clone.add(SYS_clone, {CLONE_VM | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0});
    DIVISI_TRY(run(clone));
    return receive_listener();
}

Result<Fd> StubProcess::receive_listener() {
    std::array<pollfd, 2> watched{{{socket_.get(), POLLIN, 0}, {replies_.get(), POLLIN, 0}}};
    int ready = 0;
    do {
        ready = ::poll(watched.data(), watched.size(), kStartTimeoutMs);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return make_error(Errc::kFailed, "a stub's task does not start");
    if ((watched[0].revents & POLLIN) == 0) {
        const auto told = await_reply();
        Error error = told ? make_error(Errc::kFailed, "a stub's task did not start") : told.error();
        if (error.cause.value() == EBUSY)
            error.hint =
                "system calls of this process are already told to another (a container manager that intercepts"
                " them); run divisi outside of it";
        return error;
    }
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC) != 1)
        return system_error(errno, "cannot receive a stub's listener");
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
        return make_error(Errc::kFailed, "a stub's listener did not come along");
    int listener = -1;
    std::memcpy(&listener, CMSG_DATA(header), sizeof listener);
    return Fd(listener);
}

}  // namespace divisi::hv
