// System calls on open files, but for moving bytes: seeking, duplicating, locking, questions about them.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hv/syscalls/transfer.hpp"

namespace divisi::hv {
namespace {

SysResult sys_close(Call& call) {
    return call.program.files().close(call.int_arg(0));
}

SysResult sys_lseek(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (file->folder) return file->folder->seek(static_cast<std::int64_t>(call.arg(1)), call.int_arg(2));
    if (!file->fd.valid()) return -ESPIPE;
    return host_result(::lseek(file->fd.get(), static_cast<off_t>(call.arg(1)), call.int_arg(2)));
}

SysResult sys_dup(Call& call) {
    FilePtr file = call.program.files().get(call.int_arg(0));
    return file ? call.program.files().add(std::move(file), false) : -EBADF;
}

SysResult sys_dup3(Call& call) {
    FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    const int target = call.int_arg(1);
    const bool same = target == call.int_arg(0);
    if (call.number == SYS_dup2 && same) return target;
    if (same) return -EINVAL;
    const bool close_on_exec = call.number == SYS_dup3 && (call.int_arg(2) & O_CLOEXEC) != 0;
    return call.program.files().put(target, std::move(file), close_on_exec);
}

SysResult set_status_flags(OpenFile& file, int flags) {
    constexpr int kChangeable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
    if (file.fd.valid() && !file.signals && ::fcntl(file.fd.get(), F_SETFL, flags & kChangeable) != 0) return -errno;
    file.flags = (file.flags & ~kChangeable) | (flags & kChangeable);
    return 0;
}

// The locks of processes belong to the process, and there is one here: those of its open files are as good.
SysResult lock_file(Call& call, const FilePtr& file, int command) {
    auto lock = call.memory().read<struct flock>(call.arg(2));
    if (!lock) return -EFAULT;
    if (!file->fd.valid()) return -EBADF;
    lock->l_pid = 0;
    const bool asks = command == F_GETLK || command == F_OFD_GETLK;
    if (asks) {
        if (::fcntl(file->fd.get(), F_OFD_GETLK, &*lock) != 0) return -errno;
        return call.memory().write(call.arg(2), *lock) ? 0 : -EFAULT;
    }
    if (command == F_SETLK || command == F_OFD_SETLK) return host_result(::fcntl(file->fd.get(), F_OFD_SETLK, &*lock));
    return wait_in_host(
        call, [file, wanted = *lock] { return host_result(::fcntl(file->fd.get(), F_OFD_SETLKW, &wanted)); },
        restartable);
}

SysResult sys_fcntl(Call& call) {
    FileTable& files = call.program.files();
    const FilePtr file = files.get(call.int_arg(0));
    if (!file) return -EBADF;
    switch (call.int_arg(1)) {
        case F_DUPFD:
        case F_DUPFD_CLOEXEC:
            if (call.int_arg(2) < 0 || call.int_arg(2) >= files.limit()) return -EINVAL;
            return files.add(file, call.int_arg(1) == F_DUPFD_CLOEXEC, call.int_arg(2));
        case F_GETFD: return files.descriptor_flags(call.int_arg(0));
        case F_SETFD: files.set_descriptor_flags(call.int_arg(0), (call.arg(2) & FD_CLOEXEC) != 0); return 0;
        case F_GETFL: return file->flags;
        case F_SETFL: return set_status_flags(*file, call.int_arg(2));
        case F_GETLK:
        case F_SETLK:
        case F_SETLKW:
        case F_OFD_GETLK:
        case F_OFD_SETLK:
        case F_OFD_SETLKW: return lock_file(call, file, call.int_arg(1));
        case F_GETOWN:
        case F_SETOWN: return 0;
        case F_GETPIPE_SZ:
        case F_GET_SEALS: return file->fd.valid() ? host_result(::fcntl(file->fd.get(), call.int_arg(1))) : -EBADF;
        case F_SETPIPE_SZ: {
            constexpr int kLargestPipe = 1 << 20;
            if (!file->fd.valid()) return -EBADF;
            if (call.int_arg(2) > kLargestPipe) return -EPERM;
            if (file->share && !file->share->grow_to(static_cast<std::uint64_t>(std::max(call.int_arg(2), 0))))
                return -EPERM;
            return host_result(::fcntl(file->fd.get(), F_SETPIPE_SZ, call.int_arg(2)));
        }
        case F_ADD_SEALS: {
            // Of what the program made itself; what the VMM made up is sealed enough.
            if (!file->fd.valid() || file->status) return -EPERM;
            // The host does not know of the program's mappings.
            if ((call.int_arg(2) & F_SEAL_WRITE) != 0 && call.memory().may_write_to(file->fd.get())) return -EBUSY;
            return host_result(::fcntl(file->fd.get(), F_ADD_SEALS, call.int_arg(2)));
        }
        default: return -EINVAL;
    }
}

SysResult sys_ioctl(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    const int host = file->host();
    switch (static_cast<std::uint32_t>(call.arg(1))) {
        case TCGETS: {
            // The kernel's termios is shorter than glibc's.
            std::array<std::byte, 64> terminal{};
            constexpr std::size_t kKernelBytes = 36;
            if (host < 0 || ::syscall(SYS_ioctl, host, TCGETS, terminal.data()) != 0) return -ENOTTY;
            return call.memory().copy_out(call.arg(2), terminal.data(), kKernelBytes) ? 0 : -EFAULT;
        }
        case TIOCGWINSZ: {
            winsize size{};
            if (host < 0 || ::ioctl(host, TIOCGWINSZ, &size) != 0) return -ENOTTY;
            return call.memory().write(call.arg(2), size) ? 0 : -EFAULT;
        }
        case FIONREAD: {
            int available = 0;
            if (host < 0 || ::ioctl(host, FIONREAD, &available) != 0) return -ENOTTY;
            return call.memory().write(call.arg(2), available) ? 0 : -EFAULT;
        }
        case FIONBIO: {
            const auto on = call.memory().read<int>(call.arg(2));
            if (!on) return -EFAULT;
            return set_status_flags(*file, *on != 0 ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK);
        }
        case FIOCLEX: call.program.files().set_descriptor_flags(call.int_arg(0), true); return 0;
        case FIONCLEX: call.program.files().set_descriptor_flags(call.int_arg(0), false); return 0;
        default: return -ENOTTY;
    }
}

SysResult sys_fsync(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->fd.valid()) return -EINVAL;
    call.memory().before_file_is_read(file->fd.get());
    return host_result(call.number == SYS_fsync ? ::fsync(file->fd.get()) : ::fdatasync(file->fd.get()));
}

SysResult sys_ftruncate(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->fd.valid()) return -EINVAL;
    const auto length = static_cast<off_t>(call.arg(1));
    if (const SysResult error = within_file_limit(call, file->fd, length); error != 0) return error;
    if (!takes_memory(*file, length)) return -ENOMEM;
    const SysResult result = host_result(::ftruncate(file->fd.get(), length));
    if (result == 0 && file->share) static_cast<void>(file->share->resize(static_cast<std::uint64_t>(length)));
    call.memory().file_was_resized(file->fd.get());
    return result;
}

SysResult sys_fallocate(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid()) return -EBADF;
    const auto offset = static_cast<off_t>(call.arg(2));
    const auto length = static_cast<off_t>(call.arg(3));
    off_t end = 0;
    const bool grows = (call.int_arg(1) & FALLOC_FL_KEEP_SIZE) == 0 && !__builtin_add_overflow(offset, length, &end);
    if (const SysResult error = grows ? within_file_limit(call, file->fd, end) : 0; error != 0) return error;
    // Also what is allocated behind the end.
    if (off_t last = 0; !__builtin_add_overflow(offset, length, &last) && !takes_memory(*file, last)) return -ENOMEM;
    call.memory().before_file_is_read(file->fd.get());
    const SysResult result = host_result(::fallocate(file->fd.get(), call.int_arg(1), offset, length));
    // Some modes move what follows.
    const auto changed = call.int_arg(1) == 0 ? static_cast<std::uint64_t>(length) : ~0ULL;
    if (result == 0) call.memory().file_was_written(file->fd.get(), static_cast<std::uint64_t>(offset), changed);
    return result;
}

SysResult sys_fadvise64(Call& call) {
    return call.program.files().get(call.int_arg(0)) ? 0 : -EBADF;
}

SysResult sys_flock(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid()) return -EBADF;
    const int operation = call.int_arg(1);
    if ((operation & LOCK_NB) != 0 || (operation & LOCK_UN) != 0)
        return host_result(::flock(file->fd.get(), operation));
    return wait_in_host(
        call, [file, operation] { return host_result(::flock(file->fd.get(), operation)); }, restartable);
}

constexpr SyscallEntry kEntries[] = {
    {SYS_close, "close", sys_close, Served::kFully, ""},
    {SYS_lseek, "lseek", sys_lseek, Served::kForwarded, ""},
    {SYS_dup, "dup", sys_dup, Served::kFully, ""},
    {SYS_dup2, "dup2", sys_dup3, Served::kFully, ""},
    {SYS_dup3, "dup3", sys_dup3, Served::kFully, ""},
    {SYS_fcntl, "fcntl", sys_fcntl, Served::kPartly, "no leases, owners, notifications"},
    {SYS_ioctl, "ioctl", sys_ioctl, Served::kPartly, "terminal questions, FIONREAD, FIONBIO, FIOCLEX"},
    {SYS_fsync, "fsync", sys_fsync, Served::kForwarded, ""},
    {SYS_fdatasync, "fdatasync", sys_fsync, Served::kForwarded, ""},
    {SYS_ftruncate, "ftruncate", sys_ftruncate, Served::kForwarded, ""},
    {SYS_fallocate, "fallocate", sys_fallocate, Served::kForwarded, ""},
    {SYS_fadvise64, "fadvise64", sys_fadvise64, Served::kFully, "advice is noted"},
    {SYS_flock, "flock", sys_flock, Served::kForwarded, ""},
};

}  // namespace

SyscallList file_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
