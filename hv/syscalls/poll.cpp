// System calls that wait for one of several descriptors: poll, select, epoll.
//
// What is ready is asked first; only a call that has to wait goes to another host thread.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <array>
#include <chrono>

#include "hv/syscalls/transfer.hpp"
#include "hv/syscalls/waits.hpp"

namespace divisi::hv {
namespace {

using Clock = Timers::Clock;
using std::chrono::milliseconds;

// ---- a set of descriptors ----

class PollSet {
public:
    // Adds a descriptor of the program's. False where there is none.
    bool add(const FileTable& files, int number, short events) {
        entries_.push_back({-1, events, 0});
        held_.push_back(nullptr);
        if (number < 0) return true;
        auto file = files.get(number);
        if (!file) {
            entries_.back().revents = POLLNVAL;
            return false;
        }
        entries_.back().fd = file->folder ? -1 : file->host();
        // What the host does not have never waits.
        if (entries_.back().fd < 0) entries_.back().revents = static_cast<short>(events & kAlwaysReady);
        held_.back() = std::move(file);
        return true;
    }
    // How many are ready. Negative: an error.
    int poll(const timespec* timeout) {
        std::vector<pollfd> asked = entries_;
        int ready = 0;
        for (pollfd& entry : asked) ready += entry.fd < 0 && entry.revents != 0 ? 1 : 0;
        const timespec none{};
        const int result = ::ppoll(asked.data(), asked.size(), ready != 0 ? &none : timeout, nullptr);
        if (result < 0) return -errno;
        for (std::size_t i = 0; i < asked.size(); ++i) {
            if (asked[i].fd >= 0) entries_[i].revents = asked[i].revents;
        }
        return result + ready;
    }
    [[nodiscard]] short ready(std::size_t index) const { return entries_[index].revents; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    // Whether the host has any of them to wait for.
    [[nodiscard]] bool only_time() const {
        return std::all_of(entries_.begin(), entries_.end(), [](const pollfd& entry) { return entry.fd < 0; });
    }

private:
    static constexpr short kAlwaysReady = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    std::vector<pollfd> entries_;
    std::vector<FilePtr> held_;  // open as long as the wait
};

// Waits until one is ready, the deadline or a signal; `report` writes what came of it to the program.
SysResult wait_for_any(Call& call, const std::shared_ptr<PollSet>& set, const Deadline& deadline,
                       const std::function<SysResult(SysResult)>& report) {
    const timespec none{};
    const int ready = set->poll(&none);
    const bool over = deadline && *deadline <= Clock::now();
    if (ready != 0 || over) return end_mask(call.thread, report(interrupted_or(call.program, call.thread, ready)));
    const auto finish = [&program = call.program, &thread = call.thread, report](SysResult result) {
        return end_mask(thread, report(interrupted_or(program, thread, result)));
    };
    if (set->only_time()) return wait_for_time(call, deadline, finish);
    return wait_in_host(
        call, [set, deadline]() -> SysResult { return set->poll(HostTimeout(deadline).get()); }, finish);
}

// ---- poll ----

SysResult do_poll(Call& call, const Deadline& deadline) {
    const std::uint64_t count = static_cast<std::uint32_t>(call.arg(1));
    if (count > call.program.limits().soft(RLIMIT_NOFILE)) return end_mask(call.thread, -EINVAL);
    std::vector<pollfd> given(count);
    if (!call.memory().copy_in(given.data(), call.arg(0), count * sizeof(pollfd)))
        return end_mask(call.thread, -EFAULT);
    auto set = std::make_shared<PollSet>();
    for (const pollfd& entry : given) set->add(call.program.files(), entry.fd, entry.events);
    const auto report = [&memory = call.memory(), set, at = call.arg(0)](SysResult result) -> SysResult {
        if (result < 0) return result;
        for (std::size_t i = 0; i < set->size(); ++i) {
            if (!memory.write(at + i * sizeof(pollfd) + offsetof(pollfd, revents), set->ready(i))) return -EFAULT;
        }
        return result;
    };
    return wait_for_any(call, set, deadline, report);
}

SysResult sys_poll(Call& call) {
    Deadline deadline;
    if (call.int_arg(2) >= 0) deadline = Clock::now() + milliseconds(call.int_arg(2));
    return do_poll(call, deadline);
}

SysResult sys_ppoll(Call& call) {
    Deadline deadline;
    if (const SysResult error = read_timeout(call, call.arg(2), deadline); error != 0) return error;
    if (const SysResult error = begin_mask(call, call.arg(3), call.arg(4)); error != 0) return error;
    return do_poll(call, deadline);
}

// ---- select ----

constexpr int kSelectLimit = FileTable::kLimit;
using Bits = std::array<std::uint64_t, kSelectLimit / 64>;

struct SelectKind {
    short wanted, ready;
};
constexpr std::array<SelectKind, 3> kSelectKinds = {
    {{POLLIN | POLLRDNORM | POLLRDBAND, POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR},
     {POLLOUT | POLLWRNORM | POLLWRBAND, POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR},
     {POLLPRI, POLLPRI}}};

// The three sets of a select call: of each descriptor, which of them it is in.
struct SelectRequest {
    std::array<Gva, 3> at{};
    std::uint64_t bytes = 0;
    std::vector<std::pair<int, short>> wanted;  // descriptor, sets as bits
};

bool has_bit(const Bits& bits, int number) {
    const auto n = static_cast<std::size_t>(number);
    return ((bits.at(n / 64) >> (n % 64)) & 1U) != 0;
}

SysResult read_sets(Call& call, SelectRequest& request) {
    if (call.int_arg(0) < 0) return -EINVAL;
    const int count = std::min(call.int_arg(0), kSelectLimit);
    request.bytes = (static_cast<std::uint64_t>(count) + 63) / 64 * 8;
    std::array<Bits, 3> sets{};
    for (std::size_t i = 0; i < sets.size(); ++i) {
        request.at.at(i) = call.arg(i + 1);
        if (request.at.at(i) != 0 && !call.memory().copy_in(sets.at(i).data(), request.at.at(i), request.bytes))
            return -EFAULT;
    }
    for (int number = 0; number < count; ++number) {
        short in = 0;
        for (std::size_t i = 0; i < sets.size(); ++i)
            in = static_cast<short>(in | (has_bit(sets.at(i), number) ? 1 << i : 0));
        if (in != 0) request.wanted.emplace_back(number, in);
    }
    return 0;
}

// Writes the sets of what is ready; how many bits are set in them.
SysResult write_sets(AddressSpace& memory, const SelectRequest& request, const PollSet& set) {
    std::array<Bits, 3> sets{};
    SysResult count = 0;
    for (std::size_t index = 0; index < request.wanted.size(); ++index) {
        const auto [number, in] = request.wanted[index];
        for (std::size_t i = 0; i < sets.size(); ++i) {
            if ((in & (1 << i)) == 0 || (set.ready(index) & kSelectKinds.at(i).ready) == 0) continue;
            const auto n = static_cast<std::size_t>(number);
            sets.at(i).at(n / 64) |= 1ULL << (n % 64);
            ++count;
        }
    }
    for (std::size_t i = 0; i < sets.size(); ++i) {
        if (request.at.at(i) != 0 && !memory.copy_out(request.at.at(i), sets.at(i).data(), request.bytes))
            return -EFAULT;
    }
    return count;
}

// `write_left` tells the program how much of its time is left.
SysResult do_select(Call& call, const Deadline& deadline, const std::function<void()>& write_left) {
    auto request = std::make_shared<SelectRequest>();
    if (const SysResult error = read_sets(call, *request); error != 0) return end_mask(call.thread, error);
    auto set = std::make_shared<PollSet>();
    for (const auto& [number, in] : request->wanted) {
        short events = 0;
        for (std::size_t i = 0; i < kSelectKinds.size(); ++i)
            events = static_cast<short>(events | ((in & (1 << i)) != 0 ? kSelectKinds.at(i).wanted : 0));
        if (!set->add(call.program.files(), number, events)) return end_mask(call.thread, -EBADF);
    }
    const auto report = [&memory = call.memory(), request, set, write_left](SysResult result) {
        write_left();
        return result < 0 ? result : write_sets(memory, *request, *set);
    };
    return wait_for_any(call, set, deadline, report);
}

SysResult sys_select(Call& call) {
    Deadline deadline;
    const Gva at = call.arg(4);
    if (at != 0) {
        const auto value = call.memory().read<timeval>(at);
        if (!value) return -EFAULT;
        if (value->tv_sec < 0 || value->tv_usec < 0) return -EINVAL;
        const long seconds = value->tv_usec / 1'000'000;
        deadline = Clock::now() + to_duration({std::min(value->tv_sec, LONG_MAX - seconds) + seconds,
                                               value->tv_usec % 1'000'000 * 1000});
    }
    return do_select(call, deadline, [&memory = call.memory(), at, deadline] {
        if (!deadline) return;
        const timespec left = to_timespec(time_left(deadline));
        memory.write(at, timeval{left.tv_sec, left.tv_nsec / 1000});
    });
}

SysResult sys_pselect6(Call& call) {
    Deadline deadline;
    if (const SysResult error = read_timeout(call, call.arg(4), deadline); error != 0) return error;
    if (call.arg(5) != 0) {
        struct Mask {
            Gva at;
            std::uint64_t bytes;
        };
        const auto mask = call.memory().read<Mask>(call.arg(5));
        if (!mask) return -EFAULT;
        if (const SysResult error = begin_mask(call, mask->at, mask->bytes); error != 0) return error;
    }
    return do_select(call, deadline, [&memory = call.memory(), at = call.arg(4), deadline] {
        if (deadline) memory.write(at, to_timespec(time_left(deadline)));
    });
}

// ---- epoll ----

SysResult sys_epoll_create1(Call& call) {
    const bool old = call.number == SYS_epoll_create;
    if (old && call.int_arg(0) <= 0) return -EINVAL;
    const int flags = old ? 0 : call.int_arg(0);
    if ((flags & ~EPOLL_CLOEXEC) != 0) return -EINVAL;
    auto file = std::make_shared<OpenFile>();
    file->fd = Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!file->fd.valid()) return -errno;
    file->path = "anon_inode:[eventpoll]";
    file->flags = O_RDWR;
    return call.program.files().add(std::move(file), (flags & EPOLL_CLOEXEC) != 0);
}

// The host's epoll watches the host's descriptors, and hands the program's own data back with the events.
SysResult sys_epoll_ctl(Call& call) {
    epoll_event event{};
    if (call.int_arg(1) != EPOLL_CTL_DEL) {
        const auto given = call.memory().read<epoll_event>(call.arg(3));
        if (!given) return -EFAULT;
        event = *given;
        event.events &= ~static_cast<std::uint32_t>(EPOLLWAKEUP);
    }
    const FilePtr epoll = call.program.files().get(call.int_arg(0));
    const FilePtr file = call.program.files().get(call.int_arg(2));
    if (!epoll || !file) return -EBADF;
    if (!epoll->fd.valid()) return -EINVAL;
    if (file->host() < 0) return -EPERM;
    return host_result(::epoll_ctl(epoll->fd.get(), call.int_arg(1), file->host(), &event));
}

struct Events {
    std::array<epoll_event, FileTable::kLimit> list;
};

SysResult do_epoll_wait(Call& call, const Deadline& deadline) {
    const int count = call.int_arg(2);
    constexpr int kLargest = INT_MAX / static_cast<int>(sizeof(epoll_event));
    if (count <= 0 || count > kLargest) return end_mask(call.thread, -EINVAL);
    const FilePtr epoll = call.program.files().get(call.int_arg(0));
    if (!epoll) return end_mask(call.thread, -EBADF);
    if (!epoll->fd.valid()) return end_mask(call.thread, -EINVAL);
    auto events = std::make_shared<Events>();
    const int most = std::min(count, static_cast<int>(events->list.size()));
    const auto finish = [&program = call.program, &thread = call.thread, events, at = call.arg(1)](SysResult result) {
        result = interrupted_or(program, thread, result);
        if (result > 0 &&
            !program.memory().copy_out(at, events->list.data(), static_cast<std::size_t>(result) * sizeof(epoll_event)))
            result = -EFAULT;
        return end_mask(thread, result);
    };
    const SysResult ready = host_result(::epoll_wait(epoll->fd.get(), events->list.data(), most, 0));
    if (ready != 0 || (deadline && *deadline <= Clock::now())) return finish(ready);
    const auto wait = [epoll, events, most, deadline]() -> SysResult {
        // Rounded up, so that it does not end before its time.
        const auto left = std::chrono::ceil<milliseconds>(time_left(deadline));
        const int timeout = deadline ? static_cast<int>(std::min<std::int64_t>(left.count(), INT_MAX)) : -1;
        return host_result(::epoll_wait(epoll->fd.get(), events->list.data(), most, timeout));
    };
    return wait_in_host(call, wait, finish);
}

SysResult sys_epoll_wait(Call& call) {
    Deadline deadline;
    if (call.int_arg(3) >= 0) deadline = Clock::now() + milliseconds(call.int_arg(3));
    if (call.number == SYS_epoll_pwait) {
        if (const SysResult error = begin_mask(call, call.arg(4), call.arg(5)); error != 0) return error;
    }
    return do_epoll_wait(call, deadline);
}

SysResult sys_epoll_pwait2(Call& call) {
    Deadline deadline;
    if (const SysResult error = read_timeout(call, call.arg(3), deadline); error != 0) return error;
    if (const SysResult error = begin_mask(call, call.arg(4), call.arg(5)); error != 0) return error;
    return do_epoll_wait(call, deadline);
}

constexpr SyscallEntry kEntries[] = {
    {SYS_poll, "poll", sys_poll, Served::kFully, ""},
    {SYS_ppoll, "ppoll", sys_ppoll, Served::kFully, ""},
    {SYS_select, "select", sys_select, Served::kFully, ""},
    {SYS_pselect6, "pselect6", sys_pselect6, Served::kFully, ""},
    {SYS_epoll_create, "epoll_create", sys_epoll_create1, Served::kForwarded, ""},
    {SYS_epoll_create1, "epoll_create1", sys_epoll_create1, Served::kForwarded, ""},
    {SYS_epoll_ctl, "epoll_ctl", sys_epoll_ctl, Served::kForwarded, ""},
    {SYS_epoll_wait, "epoll_wait", sys_epoll_wait, Served::kForwarded, "at most 1024 events a call"},
    {SYS_epoll_pwait, "epoll_pwait", sys_epoll_wait, Served::kForwarded, "at most 1024 events a call"},
    {SYS_epoll_pwait2, "epoll_pwait2", sys_epoll_pwait2, Served::kForwarded, "at most 1024 events a call"},
};

}  // namespace

SyscallList poll_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
