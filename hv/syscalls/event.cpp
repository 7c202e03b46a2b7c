// System calls that make descriptors for talking and waiting: pipes, eventfd, timerfd, memory files.
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hv/syscalls/transfer.hpp"
#include "hv/syscalls/waits.hpp"

namespace divisi::hv {
namespace {

FilePtr stream_file(int fd, int flags, const char* path) {
    auto file = std::make_shared<OpenFile>();
    file->fd = Fd(fd);
    file->flags = flags & ~O_CLOEXEC;
    file->path = path;
    file->may_block = true;
    return file;
}

SysResult make_pipe(Call& call, int flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0) return -EINVAL;
    constexpr std::uint64_t kUsual = 64U << 10U;
    const auto share = std::make_shared<HostShare>(call.program.spec().ram->beside());
    if (!share->resize(kUsual)) return -ENFILE;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), flags | O_CLOEXEC) != 0) return -errno;
    FilePtr in = stream_file(ends[0], flags | O_RDONLY, "pipe");
    FilePtr out = stream_file(ends[1], flags | O_WRONLY, "pipe");
    in->share = out->share = share;
    FileTable& files = call.program.files();
    const bool close_on_exec = (flags & O_CLOEXEC) != 0;
    const int read_end = files.add(std::move(in), close_on_exec);
    if (read_end < 0) return read_end;
    const int write_end = files.add(std::move(out), close_on_exec);
    const bool told = write_end >= 0 && call.memory().write(call.arg(0), std::array{read_end, write_end});
    if (told) return 0;
    files.close(read_end);
    if (write_end < 0) return write_end;
    files.close(write_end);
    return -EFAULT;
}

SysResult sys_pipe(Call& call) {
    return make_pipe(call, 0);
}
SysResult sys_pipe2(Call& call) {
    return make_pipe(call, call.int_arg(1));
}

SysResult make_eventfd(Call& call, int flags) {
    if ((flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) != 0) return -EINVAL;
    const int fd = ::eventfd(static_cast<unsigned>(call.arg(0)), flags | EFD_CLOEXEC);
    if (fd < 0) return -errno;
    return call.program.files().add(stream_file(fd, (flags & O_NONBLOCK) | O_RDWR, "anon_inode:[eventfd]"),
                                    (flags & EFD_CLOEXEC) != 0);
}
SysResult sys_eventfd(Call& call) {
    return make_eventfd(call, 0);
}
SysResult sys_eventfd2(Call& call) {
    return make_eventfd(call, call.int_arg(1));
}

SysResult sys_timerfd_create(Call& call) {
    const int clock = call.int_arg(0);
    const int flags = call.int_arg(1);
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME) return -EINVAL;
    if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0) return -EINVAL;
    const int fd = ::timerfd_create(clock, flags | TFD_CLOEXEC);
    if (fd < 0) return -errno;
    return call.program.files().add(stream_file(fd, (flags & O_NONBLOCK) | O_RDWR, "anon_inode:[timerfd]"),
                                    (flags & TFD_CLOEXEC) != 0);
}

SysResult sys_timerfd_settime(Call& call) {
    const auto wanted = call.memory().read<itimerspec>(call.arg(2));
    if (!wanted) return -EFAULT;
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid()) return -EBADF;
    itimerspec old{};
    if (::timerfd_settime(file->fd.get(), call.int_arg(1), &*wanted, &old) != 0) return -errno;
    return call.arg(3) == 0 || call.memory().write(call.arg(3), old) ? 0 : -EFAULT;
}

SysResult sys_timerfd_gettime(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid()) return -EBADF;
    itimerspec now{};
    if (::timerfd_gettime(file->fd.get(), &now) != 0) return -errno;
    return call.memory().write(call.arg(1), now) ? 0 : -EFAULT;
}

SysResult sys_memfd_create(Call& call) {
    constexpr std::size_t kLongestName = 249;
    const auto flags = static_cast<unsigned>(call.arg(1));
    if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0) return -EINVAL;
    const auto name = call.memory().copy_string_in(call.arg(0), kLongestName + 1);
    if (!name) return call.memory().read<char>(call.arg(0)) ? -EINVAL : -EFAULT;
    auto file = std::make_shared<OpenFile>();
    file->fd = Fd(::memfd_create(name->c_str(), flags | MFD_CLOEXEC));
    if (!file->fd.valid()) return -errno;
    file->flags = O_RDWR;
    file->share = std::make_shared<HostShare>(call.program.spec().ram->beside());
    file->path = "/memfd:" + *name + " (deleted)";
    file->changeable = true;
    return call.program.files().add(std::move(file), (flags & MFD_CLOEXEC) != 0);
}

SysResult sys_close_range(Call& call) {
    constexpr std::uint32_t kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC
    constexpr std::uint32_t kUnshare = 2;      // nobody else has the table
    const auto first = static_cast<std::uint32_t>(call.arg(0));
    const auto last = static_cast<std::uint32_t>(call.arg(1));
    const auto flags = static_cast<std::uint32_t>(call.arg(2));
    if (first > last || (flags & ~(kCloseOnExec | kUnshare)) != 0) return -EINVAL;
    FileTable& files = call.program.files();
    for (const int number : files.numbers()) {
        const auto n = static_cast<std::uint32_t>(number);
        if (n < first || n > last) continue;
        if ((flags & kCloseOnExec) != 0) {
            files.set_descriptor_flags(number, true);
        } else {
            files.close(number);
        }
    }
    return 0;
}

constexpr SyscallEntry kEntries[] = {
    {SYS_pipe, "pipe", sys_pipe, Served::kForwarded, ""},
    {SYS_pipe2, "pipe2", sys_pipe2, Served::kForwarded, ""},
    {SYS_eventfd, "eventfd", sys_eventfd, Served::kForwarded, ""},
    {SYS_eventfd2, "eventfd2", sys_eventfd2, Served::kForwarded, ""},
    {SYS_timerfd_create, "timerfd_create", sys_timerfd_create, Served::kForwarded, "no alarm clocks"},
    {SYS_timerfd_settime, "timerfd_settime", sys_timerfd_settime, Served::kForwarded, ""},
    {SYS_timerfd_gettime, "timerfd_gettime", sys_timerfd_gettime, Served::kForwarded, ""},
    {SYS_memfd_create, "memfd_create", sys_memfd_create, Served::kForwarded,
     "no huge pages; with pipes and sockets, up to half as much as the node has memory"},
    {SYS_close_range, "close_range", sys_close_range, Served::kFully, ""},
};

}  // namespace

SyscallList event_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
