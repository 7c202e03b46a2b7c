// System calls that ask for a file's attributes, or change them.
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <utime.h>

#include <cerrno>
#include <climits>

#include "hv/syscalls/place.hpp"
#include "hv/syscalls/transfer.hpp"
#include "hv/virtual_files.hpp"

namespace divisi::hv {
namespace {

using Found = FileView::Found;
using Kind = VirtualNode::Kind;
using Last = FileView::Last;

Last last_of(int flags) {
    return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::kKeep : Last::kFollow;
}

// A file by its path, or an open one where the path is empty and may be.
struct Target {
    std::shared_ptr<OpenFile> file;
    Found found;

    // The host's descriptor; -1 where the host has no such file.
    [[nodiscard]] int host() const { return file ? file->fd.get() : found.fd.get(); }
    [[nodiscard]] bool changeable() const { return file ? file->changeable : found.writable; }
};

SysResult find_target(const Call& call, int folder, Gva path, int flags, Target& target) {
    if ((flags & AT_EMPTY_PATH) != 0) {
        std::string text;
        if (path != 0) {
            if (const SysResult error = read_path(call, path, text); error != 0) return error;
        }
        if (text.empty()) {
            if (folder == AT_FDCWD)
                return call.program.view().find(call.program.working_folder(), ".", Last::kFollow, CallFiles(call),
                                                target.found);
            target.file = call.program.files().get(folder);
            return target.file ? 0 : -EBADF;
        }
    }
    if (const SysResult error = find_existing(call, folder, path, last_of(flags), target.found); error != 0)
        return error;
    // What stands for an open file is that file, where it is followed.
    const auto& node = target.found.node;
    if (node && node->kind == Kind::kDescriptor && (flags & AT_SYMLINK_NOFOLLOW) == 0) {
        target.file = call.program.files().get(node->numbers.fd);
        if (!target.file) return -ENOENT;
    }
    return 0;
}

SysResult stat_target(const Target& target, struct stat& status) {
    if (target.file) return stat_open_file(*target.file, status);
    if (target.found.node) {
        status = status_of(*target.found.node);
        return 0;
    }
    status = target.found.status;
    return 0;
}

// ---- questions ----

SysResult stat_at(Call& call, int folder, Gva path, Gva to, int flags) {
    if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) != 0) return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, folder, path, flags, target); error != 0) return error;
    struct stat status {};
    if (const SysResult error = stat_target(target, status); error != 0) return error;
    return call.memory().write(to, status) ? 0 : -EFAULT;
}

SysResult sys_newfstatat(Call& call) {
    return stat_at(call, call.int_arg(0), call.arg(1), call.arg(2), call.int_arg(3));
}
SysResult sys_stat(Call& call) {
    return stat_at(call, AT_FDCWD, call.arg(0), call.arg(1), 0);
}
SysResult sys_lstat(Call& call) {
    return stat_at(call, AT_FDCWD, call.arg(0), call.arg(1), AT_SYMLINK_NOFOLLOW);
}

SysResult sys_fstat(Call& call) {
    const auto file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    struct stat status {};
    if (const SysResult error = stat_open_file(*file, status); error != 0) return error;
    return call.memory().write(call.arg(1), status) ? 0 : -EFAULT;
}

struct statx to_statx(const struct stat& from) {
    struct statx to {};
    to.stx_mask = STATX_BASIC_STATS;
    to.stx_blksize = static_cast<std::uint32_t>(from.st_blksize);
    to.stx_nlink = static_cast<std::uint32_t>(from.st_nlink);
    to.stx_uid = from.st_uid;
    to.stx_gid = from.st_gid;
    to.stx_mode = static_cast<std::uint16_t>(from.st_mode);
    to.stx_ino = from.st_ino;
    to.stx_size = static_cast<std::uint64_t>(from.st_size);
    to.stx_blocks = static_cast<std::uint64_t>(from.st_blocks);
    to.stx_rdev_major = major(from.st_rdev);
    to.stx_rdev_minor = minor(from.st_rdev);
    to.stx_dev_major = major(from.st_dev);
    to.stx_dev_minor = minor(from.st_dev);
    return to;
}

SysResult sys_statx(Call& call) {
    const int flags = call.int_arg(2);
    constexpr int kKnown =
        AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    constexpr std::uint32_t kReserved = 0x80000000U;
    if ((flags & ~kKnown) != 0 || (static_cast<std::uint32_t>(call.arg(3)) & kReserved) != 0) return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, call.int_arg(0), call.arg(1), flags, target); error != 0)
        return error;
    struct statx result {};
    const bool made_up = target.host() < 0 || (target.file && target.file->status);
    if (made_up) {
        struct stat status {};
        if (const SysResult error = stat_target(target, status); error != 0) return error;
        result = to_statx(status);
    } else if (::statx(target.host(), "", AT_EMPTY_PATH | (flags & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC)),
                       static_cast<unsigned>(call.arg(3)), &result) != 0) {
        return -errno;
    }
    return call.memory().write(call.arg(4), result) ? 0 : -EFAULT;
}

SysResult readlink_at(Call& call, int folder, Gva path, Gva to, std::uint64_t size) {
    if (static_cast<std::int32_t>(size) <= 0) return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, folder, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, target);
        error != 0)
        return error;
    std::array<char, PATH_MAX> text{};
    SysResult length = -EINVAL;
    if (target.found.node) {
        if (target.found.node->kind != Kind::kLink && target.found.node->kind != Kind::kDescriptor) return -EINVAL;
        length = static_cast<SysResult>(CallFiles(call).read(*target.found.node).copy(text.data(), text.size()));
    } else if (target.host() >= 0) {
        length = host_result(::readlinkat(target.host(), "", text.data(), text.size()));
        if (length == -ENOENT) length = -EINVAL;
    }
    if (length < 0) return length;
    const auto bytes = std::min<std::uint64_t>(static_cast<std::uint64_t>(length), size);
    return call.memory().copy_out(to, text.data(), bytes) ? static_cast<SysResult>(bytes) : -EFAULT;
}

SysResult sys_readlink(Call& call) {
    return readlink_at(call, AT_FDCWD, call.arg(0), call.arg(1), static_cast<std::uint32_t>(call.arg(2)));
}
SysResult sys_readlinkat(Call& call) {
    return readlink_at(call, call.int_arg(0), call.arg(1), call.arg(2), static_cast<std::uint32_t>(call.arg(3)));
}

SysResult access_at(Call& call, int folder, Gva path, int mode, int flags) {
    if ((mode & ~(R_OK | W_OK | X_OK)) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, folder, path, flags, target); error != 0) return error;
    if (target.found.node) {
        const unsigned wanted = (mode & W_OK) != 0 ? 0222U : (mode & X_OK) != 0 ? 0111U : 0;
        return wanted != 0 && (target.found.node->permissions & wanted) == 0 ? -EACCES : 0;
    }
    if (target.host() < 0 || mode == F_OK) return 0;
    struct stat status {};
    if (const SysResult error = stat_target(target, status); error != 0) return error;
    const bool stored = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode);
    if ((mode & W_OK) != 0 && stored && !target.changeable()) return -EROFS;
    if (S_ISLNK(status.st_mode)) return 0;
    const auto& view = call.program.view();
    const std::string name = FileView::name_of(target.file ? target.file->fd : target.found.fd);
    return host_result(::faccessat(view.names_folder(), name.c_str(), mode, flags & AT_EACCESS));
}
SysResult sys_access(Call& call) {
    return access_at(call, AT_FDCWD, call.arg(0), call.int_arg(1), 0);
}
SysResult sys_faccessat(Call& call) {
    return access_at(call, call.int_arg(0), call.arg(1), call.int_arg(2), 0);
}
SysResult sys_faccessat2(Call& call) {
    return access_at(call, call.int_arg(0), call.arg(1), call.int_arg(2), call.int_arg(3));
}

SysResult write_statfs(Call& call, const Target& target, Gva to) {
    struct statfs status {};
    if (target.host() < 0 || (target.file && target.file->status)) {
        status.f_type = PROC_SUPER_MAGIC;
        status.f_bsize = status.f_frsize = static_cast<long>(kPageBytes);
        status.f_namelen = NAME_MAX;
    } else if (::fstatfs(target.host(), &status) != 0) {
        return -errno;
    }
    return call.memory().write(to, status) ? 0 : -EFAULT;
}
SysResult sys_statfs(Call& call) {
    Target target;
    if (const SysResult error = find_target(call, AT_FDCWD, call.arg(0), 0, target); error != 0) return error;
    return write_statfs(call, target, call.arg(1));
}
SysResult sys_fstatfs(Call& call) {
    Target target;
    target.file = call.program.files().get(call.int_arg(0));
    return target.file ? write_statfs(call, target, call.arg(1)) : -EBADF;
}

// ---- changes ----

// The target may be changed, and the host has it.
SysResult check_changeable(const Target& target) {
    if (target.found.node && !target.file) return -EPERM;
    if (target.host() < 0) return -EINVAL;
    return target.changeable() ? 0 : -EROFS;
}

SysResult change_mode(Call& call, const Target& target, std::uint64_t mode) {
    constexpr std::uint64_t kGivenBits = 01777;  // none that give another's rights
    if (const SysResult error = check_changeable(target); error != 0) return error;
    const std::string name = FileView::name_of(target.file ? target.file->fd : target.found.fd);
    return host_result(
        ::fchmodat(call.program.view().names_folder(), name.c_str(), static_cast<mode_t>(mode & kGivenBits), 0));
}

SysResult chmod_at(Call& call, int folder, Gva path, std::uint64_t mode, int flags) {
    Target target;
    if (const SysResult error = find_target(call, folder, path, flags, target); error != 0) return error;
    if (!target.file && S_ISLNK(target.found.status.st_mode)) return -EOPNOTSUPP;
    return change_mode(call, target, mode);
}
SysResult sys_chmod(Call& call) {
    return chmod_at(call, AT_FDCWD, call.arg(0), call.arg(1), 0);
}
SysResult sys_fchmodat(Call& call) {
    return chmod_at(call, call.int_arg(0), call.arg(1), call.arg(2), 0);
}
SysResult sys_fchmod(Call& call) {
    Target target;
    target.file = call.program.files().get(call.int_arg(0));
    return target.file ? change_mode(call, target, call.arg(1)) : -EBADF;
}

// A program's files belong to the user that it runs as, and to nobody else.
SysResult change_owner(const Target& target, std::uint64_t user, std::uint64_t group) {
    if (const SysResult error = check_changeable(target); error != 0) return error;
    struct stat status {};
    if (const SysResult error = stat_target(target, status); error != 0) return error;
    const auto same = [](std::uint64_t wanted, std::uint32_t present) {
        const auto id = static_cast<std::uint32_t>(wanted);
        return id == UINT32_MAX || id == present;
    };
    return same(user, status.st_uid) && same(group, status.st_gid) ? 0 : -EPERM;
}

SysResult chown_at(Call& call, int folder, Gva path, std::uint64_t user, std::uint64_t group, int flags) {
    if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, folder, path, flags, target); error != 0) return error;
    return change_owner(target, user, group);
}
SysResult sys_chown(Call& call) {
    return chown_at(call, AT_FDCWD, call.arg(0), call.arg(1), call.arg(2), 0);
}
SysResult sys_lchown(Call& call) {
    return chown_at(call, AT_FDCWD, call.arg(0), call.arg(1), call.arg(2), AT_SYMLINK_NOFOLLOW);
}
SysResult sys_fchownat(Call& call) {
    return chown_at(call, call.int_arg(0), call.arg(1), call.arg(2), call.arg(3), call.int_arg(4));
}
SysResult sys_fchown(Call& call) {
    Target target;
    target.file = call.program.files().get(call.int_arg(0));
    return target.file ? change_owner(target, call.arg(1), call.arg(2)) : -EBADF;
}

using Times = std::array<timespec, 2>;

SysResult change_times(Call& call, const Target& target, const std::optional<Times>& times) {
    if (const SysResult error = check_changeable(target); error != 0) return error;
    const timespec* const given = times ? times->data() : nullptr;
    if (!target.file && S_ISLNK(target.found.status.st_mode))
        return host_result(
            ::utimensat(target.found.parent.fd->get(), target.found.name.c_str(), given, AT_SYMLINK_NOFOLLOW));
    const std::string name = FileView::name_of(target.file ? target.file->fd : target.found.fd);
    return host_result(::utimensat(call.program.view().names_folder(), name.c_str(), given, 0));
}

SysResult sys_utimensat(Call& call) {
    const int flags = call.int_arg(3);
    if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return -EINVAL;
    std::optional<Times> times;
    if (call.arg(2) != 0) {
        times = call.memory().read<Times>(call.arg(2));
        if (!times) return -EFAULT;
    }
    Target target;
    // No path at all: the open file.
    if (call.arg(1) == 0) {
        target.file = call.program.files().get(call.int_arg(0));
        if (!target.file) return -EBADF;
    } else if (const SysResult error = find_target(call, call.int_arg(0), call.arg(1), flags, target); error != 0) {
        return error;
    }
    return change_times(call, target, times);
}

SysResult utimes_at(Call& call, int folder, Gva path, Gva at) {
    std::optional<Times> times;
    if (at != 0) {
        const auto given = call.memory().read<std::array<timeval, 2>>(at);
        if (!given) return -EFAULT;
        times.emplace();
        for (std::size_t i = 0; i < 2; ++i) {
            const timeval& value = given->at(i);
            if (value.tv_usec < 0 || value.tv_usec >= 1'000'000) return -EINVAL;
            times->at(i) = {value.tv_sec, value.tv_usec * 1000};
        }
    }
    Target target;
    if (const SysResult error = find_target(call, folder, path, 0, target); error != 0) return error;
    return change_times(call, target, times);
}
SysResult sys_utimes(Call& call) {
    return utimes_at(call, AT_FDCWD, call.arg(0), call.arg(1));
}
SysResult sys_futimesat(Call& call) {
    return utimes_at(call, call.int_arg(0), call.arg(1), call.arg(2));
}
SysResult sys_utime(Call& call) {
    std::optional<Times> times;
    if (call.arg(1) != 0) {
        const auto given = call.memory().read<utimbuf>(call.arg(1));
        if (!given) return -EFAULT;
        times = Times{timespec{given->actime, 0}, timespec{given->modtime, 0}};
    }
    Target target;
    if (const SysResult error = find_target(call, AT_FDCWD, call.arg(0), 0, target); error != 0) return error;
    return change_times(call, target, times);
}

SysResult sys_truncate(Call& call) {
    const auto length = static_cast<off_t>(call.arg(1));
    if (length < 0) return -EINVAL;
    Target target;
    if (const SysResult error = find_target(call, AT_FDCWD, call.arg(0), 0, target); error != 0) return error;
    struct stat status {};
    if (const SysResult error = stat_target(target, status); error != 0) return error;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    if (const SysResult error = check_changeable(target); error != 0) return error;
    const Fd file(call.program.view().reopen(target.file ? target.file->fd : target.found.fd, O_WRONLY));
    if (!file.valid()) return file.get();
    if (const SysResult error = within_file_limit(call, file, length); error != 0) return error;
    const SysResult result = host_result(::ftruncate(file.get(), length));
    call.memory().file_was_resized(file.get());
    return result;
}

// Files have no extended attributes here.
SysResult no_attributes(Call& call, int folder, Gva path, int flags, SysResult answer) {
    Target target;
    if (path == 0) {
        target.file = call.program.files().get(folder);
        return target.file ? answer : -EBADF;
    }
    const SysResult error = find_target(call, folder, path, flags, target);
    return error != 0 ? error : answer;
}
SysResult sys_xattr(Call& call) {
    return no_attributes(call, AT_FDCWD, call.arg(0), 0, -EOPNOTSUPP);
}
SysResult sys_lxattr(Call& call) {
    return no_attributes(call, AT_FDCWD, call.arg(0), AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP);
}
SysResult sys_fxattr(Call& call) {
    return no_attributes(call, call.int_arg(0), 0, 0, -EOPNOTSUPP);
}
SysResult sys_listxattr(Call& call) {
    return no_attributes(call, AT_FDCWD, call.arg(0), 0, 0);
}
SysResult sys_llistxattr(Call& call) {
    return no_attributes(call, AT_FDCWD, call.arg(0), AT_SYMLINK_NOFOLLOW, 0);
}
SysResult sys_flistxattr(Call& call) {
    return no_attributes(call, call.int_arg(0), 0, 0, 0);
}

constexpr std::string_view kNoAttributes = "files have no extended attributes";

constexpr SyscallEntry kEntries[] = {
    {SYS_newfstatat, "newfstatat", sys_newfstatat, Served::kForwarded, ""},
    {SYS_stat, "stat", sys_stat, Served::kForwarded, ""},
    {SYS_lstat, "lstat", sys_lstat, Served::kForwarded, ""},
    {SYS_fstat, "fstat", sys_fstat, Served::kForwarded, ""},
    {SYS_statx, "statx", sys_statx, Served::kForwarded, ""},
    {SYS_readlink, "readlink", sys_readlink, Served::kForwarded, ""},
    {SYS_readlinkat, "readlinkat", sys_readlinkat, Served::kForwarded, ""},
    {SYS_access, "access", sys_access, Served::kForwarded, ""},
    {SYS_faccessat, "faccessat", sys_faccessat, Served::kForwarded, ""},
    {SYS_faccessat2, "faccessat2", sys_faccessat2, Served::kForwarded, ""},
    {SYS_statfs, "statfs", sys_statfs, Served::kForwarded, ""},
    {SYS_fstatfs, "fstatfs", sys_fstatfs, Served::kForwarded, ""},
    {SYS_chmod, "chmod", sys_chmod, Served::kPartly, "no set-user-id, set-group-id"},
    {SYS_fchmod, "fchmod", sys_fchmod, Served::kPartly, "no set-user-id, set-group-id"},
    {SYS_fchmodat, "fchmodat", sys_fchmodat, Served::kPartly, "no set-user-id, set-group-id"},
    {SYS_chown, "chown", sys_chown, Served::kPartly, "to the present owner only"},
    {SYS_lchown, "lchown", sys_lchown, Served::kPartly, "to the present owner only"},
    {SYS_fchown, "fchown", sys_fchown, Served::kPartly, "to the present owner only"},
    {SYS_fchownat, "fchownat", sys_fchownat, Served::kPartly, "to the present owner only"},
    {SYS_utimensat, "utimensat", sys_utimensat, Served::kForwarded, ""},
    {SYS_utimes, "utimes", sys_utimes, Served::kForwarded, ""},
    {SYS_futimesat, "futimesat", sys_futimesat, Served::kForwarded, ""},
    {SYS_utime, "utime", sys_utime, Served::kForwarded, ""},
    {SYS_truncate, "truncate", sys_truncate, Served::kForwarded, ""},
    {SYS_setxattr, "setxattr", sys_xattr, Served::kPartly, kNoAttributes},
    {SYS_lsetxattr, "lsetxattr", sys_lxattr, Served::kPartly, kNoAttributes},
    {SYS_fsetxattr, "fsetxattr", sys_fxattr, Served::kPartly, kNoAttributes},
    {SYS_getxattr, "getxattr", sys_xattr, Served::kPartly, kNoAttributes},
    {SYS_lgetxattr, "lgetxattr", sys_lxattr, Served::kPartly, kNoAttributes},
    {SYS_fgetxattr, "fgetxattr", sys_fxattr, Served::kPartly, kNoAttributes},
    {SYS_listxattr, "listxattr", sys_listxattr, Served::kPartly, kNoAttributes},
    {SYS_llistxattr, "llistxattr", sys_llistxattr, Served::kPartly, kNoAttributes},
    {SYS_flistxattr, "flistxattr", sys_flistxattr, Served::kPartly, kNoAttributes},
    {SYS_removexattr, "removexattr", sys_xattr, Served::kPartly, kNoAttributes},
    {SYS_lremovexattr, "lremovexattr", sys_lxattr, Served::kPartly, kNoAttributes},
    {SYS_fremovexattr, "fremovexattr", sys_fxattr, Served::kPartly, kNoAttributes},
};

}  // namespace

SyscallList attribute_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
