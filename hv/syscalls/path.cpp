// System calls that open, make, move and remove files by their paths.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hv/syscalls/place.hpp"
#include "hv/virtual_files.hpp"

namespace divisi::hv {
namespace {

using Found = FileView::Found;
using Last = FileView::Last;

// What is made in a node belongs to the VMM's user, so it may not carry that user's rights to whoever runs it.
constexpr unsigned kGivenBits = 01777;

unsigned new_mode(const Call& call, std::uint64_t mode) {
    return static_cast<unsigned>(mode) & ~call.program.file_mode_mask.load() & kGivenBits;
}

// ---- opening ----

Fd content_file(std::string_view text) {
    const Fd written(::memfd_create("divisi", MFD_CLOEXEC));
    if (!written.valid() || !write_all(written.get(), text, "memory")) return {};
    // A second opening, read-only from the start.
    return Fd(::open(("/proc/self/fd/" + std::to_string(written.get())).c_str(), O_RDONLY | O_CLOEXEC));
}

std::shared_ptr<OpenFile> new_file(std::string path, int flags) {
    auto file = std::make_shared<OpenFile>();
    file->path = std::move(path);
    file->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    return file;
}

SysResult add_file(Call& call, std::shared_ptr<OpenFile> file, int flags) {
    return call.program.files().add(std::move(file), (flags & O_CLOEXEC) != 0);
}

// What a folder's openings need to know of its place.
void keep_region(const FileView& view, OpenFile& file, const FileRegion* region) {
    file.region = region;
    if (auto entries = view.list(file.fd, region)) file.folder = std::make_unique<OpenFolder>(std::move(*entries));
}

// A second opening of what a descriptor of the program's stands for.
SysResult open_descriptor(Call& call, int number, int flags) {
    const auto open = call.program.files().get(number);
    if (!open) return -ENOENT;
    if (!open->fd.valid() || open->status) return add_file(call, open, flags);
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    struct stat status {};
    if (::fstat(open->fd.get(), &status) != 0) return -errno;
    if (S_ISSOCK(status.st_mode)) return -ENXIO;
    // Pipes and the like are nobody else's; a file keeps the rights that its place gives it.
    if (writes && S_ISREG(status.st_mode) && !open->changeable && (open->flags & O_ACCMODE) == O_RDONLY) return -EROFS;
    auto file = new_file(open->path, flags);
    const int fd = call.program.view().reopen(open->fd, flags);
    if (fd < 0) return fd;
    file->fd = Fd(fd);
    file->may_block = open->may_block;
    file->changeable = open->changeable;
    file->share = open->share;
    keep_region(call.program.view(), *file, open->region);
    return add_file(call, std::move(file), flags);
}

SysResult open_made_up(Call& call, const VirtualNode& node, int flags) {
    using Kind = VirtualNode::Kind;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return -EEXIST;
    if (node.kind == Kind::kLink || (node.kind == Kind::kDescriptor && (flags & O_NOFOLLOW) != 0)) return -ELOOP;
    if (node.kind == Kind::kDescriptor) return open_descriptor(call, node.numbers.fd, flags);
    if (node.kind == Kind::kFile && (flags & O_DIRECTORY) != 0) return -ENOTDIR;
    if ((flags & O_ACCMODE) != O_RDONLY) return node.kind == Kind::kFolder ? -EISDIR : -EACCES;
    const VirtualContext context{call.program, call.thread};
    auto file = new_file(node.path, flags);
    file->status = status_of(node);
    if (node.kind == Kind::kFolder) {
        file->folder = std::make_unique<OpenFolder>(list_virtual(context, node));
    } else {
        file->fd = content_file(read_virtual(context, node));
        if (!file->fd.valid()) return -ENOMEM;
    }
    return add_file(call, std::move(file), flags);
}

bool is_terminal_or_stream(const struct stat& status) {
    constexpr dev_t kMemoryDevices = 1;  // null, zero, random …: never wait
    return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
           (S_ISCHR(status.st_mode) && (status.st_rdev >> 8U) != kMemoryDevices);
}

SysResult open_new(Call& call, const Found& found, int flags, std::uint64_t mode) {
    if (found.must_be_folder) return -EISDIR;
    if (!found.parent.writable()) return -EROFS;
    Fd fd(::openat(found.parent.fd->get(), found.name.c_str(),
                   flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, new_mode(call, mode)));
    if (!fd.valid()) return -errno;
    auto file = new_file(found.path, flags);
    file->fd = std::move(fd);
    file->changeable = true;
    return add_file(call, std::move(file), flags);
}

SysResult open_existing(Call& call, Found& found, int flags, std::uint64_t mode) {
    const bool temporary = (flags & O_TMPFILE) == O_TMPFILE;
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
    if (S_ISDIR(found.status.st_mode) && !temporary && (writes || (flags & O_CREAT) != 0)) return -EISDIR;
    auto file = new_file(found.path, flags);
    file->may_block = is_terminal_or_stream(found.status);
    file->changeable = found.writable;
    if ((flags & O_PATH) != 0) {
        if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(found.status.st_mode)) return -ENOTDIR;
        file->fd = std::move(found.fd);
        file->region = found.region;
        return add_file(call, std::move(file), flags);
    }
    if (S_ISLNK(found.status.st_mode)) return -ELOOP;
    if (S_ISSOCK(found.status.st_mode)) return -ENXIO;
    if (writes && !found.writable) return -EROFS;
    const auto host_call = [&view = call.program.view(), held = std::make_shared<Fd>(std::move(found.fd)), flags,
                            bits = temporary ? new_mode(call, mode) : 0U]() -> SysResult {
        return view.reopen(*held, flags, bits);
    };
    const auto finish = [&files = call.program.files(), &view = call.program.view(), file, region = found.region, flags,
                         &memory = call.memory()](SysResult fd) -> SysResult {
        if (fd < 0) return fd;
        file->fd = Fd(static_cast<int>(fd));
        if ((flags & O_TRUNC) != 0) memory.file_was_resized(file->fd.get());
        keep_region(view, *file, region);
        return files.add(file, (flags & O_CLOEXEC) != 0);
    };
    // Opening a pipe waits for its other end.
    if (S_ISFIFO(found.status.st_mode) && (flags & O_NONBLOCK) == 0) return wait_in_host(call, host_call, finish);
    return finish(host_call());
}

SysResult open_at(Call& call, int folder, Gva path, int flags, std::uint64_t mode) {
    const bool keep = (flags & O_NOFOLLOW) != 0 || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    // What was missing may be there a moment later, by another thread's doing.
    constexpr int kAttempts = 8;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        Found found;
        if (const SysResult error = find_place(call, folder, path, keep ? Last::kKeep : Last::kFollow, found);
            error != 0)
            return error;
        if (found.node) return open_made_up(call, *found.node, flags);
        if (found.fd.valid()) return open_existing(call, found, flags, mode);
        if ((flags & O_CREAT) == 0) return -ENOENT;
        const SysResult opened = open_new(call, found, flags, mode);
        if (opened != -EEXIST || (flags & O_EXCL) != 0) return opened;
    }
    return -EEXIST;
}

SysResult sys_openat(Call& call) {
    return open_at(call, call.int_arg(0), call.arg(1), call.int_arg(2), call.arg(3));
}
SysResult sys_open(Call& call) {
    return open_at(call, AT_FDCWD, call.arg(0), call.int_arg(1), call.arg(2));
}
SysResult sys_creat(Call& call) {
    return open_at(call, AT_FDCWD, call.arg(0), O_CREAT | O_WRONLY | O_TRUNC, call.arg(1));
}

// ---- entries of folders ----

// An entry that a call is to make, or to take away.
SysResult find_entry(const Call& call, int folder, Gva path, Found& found) {
    return find_place(call, folder, path, Last::kEntry, found);
}

SysResult find_removable(const Call& call, int folder, Gva path, Found& found) {
    if (const SysResult error = find_entry(call, folder, path, found); error != 0) return error;
    if (!found.exists()) return -ENOENT;
    if (found.node) return -EPERM;
    if (found.name.empty()) return -EBUSY;
    if (!found.parent.writable()) return -EROFS;
    return found.fixed ? -EBUSY : 0;
}

SysResult find_makeable(const Call& call, int folder, Gva path, Found& found) {
    if (const SysResult error = find_entry(call, folder, path, found); error != 0) return error;
    if (found.exists()) return -EEXIST;
    return found.parent.writable() ? 0 : -EROFS;
}

SysResult unlink_at(Call& call, int folder, Gva path, int flags) {
    if ((flags & ~AT_REMOVEDIR) != 0) return -EINVAL;
    Found found;
    if (const SysResult error = find_removable(call, folder, path, found); error != 0) return error;
    return host_result(::unlinkat(found.parent.fd->get(), found.name.c_str(), flags));
}
SysResult sys_unlink(Call& call) {
    return unlink_at(call, AT_FDCWD, call.arg(0), 0);
}
SysResult sys_rmdir(Call& call) {
    return unlink_at(call, AT_FDCWD, call.arg(0), AT_REMOVEDIR);
}
SysResult sys_unlinkat(Call& call) {
    return unlink_at(call, call.int_arg(0), call.arg(1), call.int_arg(2));
}

SysResult mkdir_at(Call& call, int folder, Gva path, std::uint64_t mode) {
    Found found;
    if (const SysResult error = find_makeable(call, folder, path, found); error != 0) return error;
    return host_result(::mkdirat(found.parent.fd->get(), found.name.c_str(), new_mode(call, mode)));
}
SysResult sys_mkdir(Call& call) {
    return mkdir_at(call, AT_FDCWD, call.arg(0), call.arg(1));
}
SysResult sys_mkdirat(Call& call) {
    return mkdir_at(call, call.int_arg(0), call.arg(1), call.arg(2));
}

SysResult mknod_at(Call& call, int folder, Gva path, std::uint64_t mode) {
    Found found;
    if (const SysResult error = find_makeable(call, folder, path, found); error != 0) return error;
    const auto type = static_cast<mode_t>(mode) & S_IFMT;
    if (type != S_IFREG && type != S_IFIFO && type != 0) return type == S_IFDIR ? -EINVAL : -EPERM;
    if (found.must_be_folder) return -ENOENT;
    return host_result(::mknodat(found.parent.fd->get(), found.name.c_str(), type | new_mode(call, mode), 0));
}
SysResult sys_mknod(Call& call) {
    return mknod_at(call, AT_FDCWD, call.arg(0), call.arg(1));
}
SysResult sys_mknodat(Call& call) {
    return mknod_at(call, call.int_arg(0), call.arg(1), call.arg(2));
}

SysResult rename_at(Call& call, int from_folder, Gva from, int to_folder, Gva to, unsigned flags) {
    constexpr unsigned kKnown = RENAME_NOREPLACE | RENAME_EXCHANGE;
    if ((flags & ~kKnown) != 0) return -EINVAL;
    Found source;
    Found target;
    if (const SysResult error = find_removable(call, from_folder, from, source); error != 0) return error;
    if (const SysResult error = find_entry(call, to_folder, to, target); error != 0) return error;
    if (target.node) return -EPERM;
    if (target.name.empty()) return -EBUSY;
    if (!target.parent.writable()) return -EROFS;
    if (target.fixed) return -EBUSY;
    if (target.must_be_folder && !S_ISDIR(source.status.st_mode)) return -ENOTDIR;
    return host_result(
        ::renameat2(source.parent.fd->get(), source.name.c_str(), target.parent.fd->get(), target.name.c_str(), flags));
}
SysResult sys_rename(Call& call) {
    return rename_at(call, AT_FDCWD, call.arg(0), AT_FDCWD, call.arg(1), 0);
}
SysResult sys_renameat(Call& call) {
    const unsigned flags = call.number == SYS_renameat2 ? static_cast<unsigned>(call.arg(4)) : 0;
    return rename_at(call, call.int_arg(0), call.arg(1), call.int_arg(2), call.arg(3), flags);
}

// What is to get a second name: `held` keeps it open.
struct LinkSource {
    Found found;
    std::shared_ptr<OpenFile> file;
    const Fd* fd = nullptr;
};

SysResult use_open_file(const Call& call, int number, LinkSource& source) {
    source.file = call.program.files().get(number);
    if (!source.file) return -EBADF;
    if (!source.file->fd.valid() || !source.file->changeable) return -EXDEV;
    source.fd = &source.file->fd;
    return 0;
}

SysResult find_link_source(const Call& call, int folder, Gva path, int flags, LinkSource& source) {
    std::string text;
    if (const SysResult error = read_path(call, path, text); error != 0) return error;
    if (text.empty() && (flags & AT_EMPTY_PATH) != 0) return use_open_file(call, folder, source);
    const Last last = (flags & AT_SYMLINK_FOLLOW) != 0 ? Last::kFollow : Last::kKeep;
    if (const SysResult error = find_existing(call, folder, path, last, source.found); error != 0) return error;
    if (source.found.node) {
        if (source.found.node->kind != VirtualNode::Kind::kDescriptor || last != Last::kFollow) return -EXDEV;
        return use_open_file(call, source.found.node->numbers.fd, source);
    }
    if (S_ISDIR(source.found.status.st_mode)) return -EPERM;
    // A second name in a writable place would make writable what is not.
    if (!source.found.writable) return -EXDEV;
    source.fd = &source.found.fd;
    return 0;
}

SysResult link_at(Call& call, int from_folder, Gva from, int to_folder, Gva to, int flags) {
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return -EINVAL;
    LinkSource source;
    if (const SysResult error = find_link_source(call, from_folder, from, flags, source); error != 0) return error;
    Found target;
    if (const SysResult error = find_makeable(call, to_folder, to, target); error != 0) return error;
    if (target.must_be_folder) return -ENOENT;
    return host_result(::linkat(call.program.view().names_folder(), FileView::name_of(*source.fd).c_str(),
                                target.parent.fd->get(), target.name.c_str(), AT_SYMLINK_FOLLOW));
}
SysResult sys_link(Call& call) {
    return link_at(call, AT_FDCWD, call.arg(0), AT_FDCWD, call.arg(1), 0);
}
SysResult sys_linkat(Call& call) {
    return link_at(call, call.int_arg(0), call.arg(1), call.int_arg(2), call.arg(3), call.int_arg(4));
}

SysResult symlink_at(Call& call, Gva target, int folder, Gva path) {
    std::string text;
    if (const SysResult error = read_path(call, target, text); error != 0) return error;
    if (text.empty()) return -ENOENT;
    Found found;
    if (const SysResult error = find_makeable(call, folder, path, found); error != 0) return error;
    if (found.must_be_folder) return -ENOENT;
    return host_result(::symlinkat(text.c_str(), found.parent.fd->get(), found.name.c_str()));
}
SysResult sys_symlink(Call& call) {
    return symlink_at(call, call.arg(0), AT_FDCWD, call.arg(1));
}
SysResult sys_symlinkat(Call& call) {
    return symlink_at(call, call.arg(0), call.int_arg(1), call.arg(2));
}

SysResult sys_getdents64(Call& call) {
    const auto file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->fd.valid() && !file->folder) return -ENOTDIR;
    std::vector<std::byte> buffer(std::min<std::uint64_t>(static_cast<std::uint32_t>(call.arg(2)), 256U << 10U));
    const SysResult count = file->folder
                                ? file->folder->read(buffer)
                                : host_result(::syscall(SYS_getdents64, file->fd.get(), buffer.data(), buffer.size()));
    if (count <= 0) return count;
    return call.memory().copy_out(call.arg(1), buffer.data(), static_cast<std::size_t>(count)) ? count : -EFAULT;
}

// ---- the working folder ----

SysResult sys_getcwd(Call& call) {
    const std::string path = call.program.working_folder().path;
    if (path.size() + 1 > call.arg(1)) return -ERANGE;
    return call.memory().copy_out(call.arg(0), path.c_str(), path.size() + 1) ? static_cast<SysResult>(path.size() + 1)
                                                                              : -EFAULT;
}

SysResult sys_chdir(Call& call) {
    Found found;
    if (const SysResult error = find_existing(call, AT_FDCWD, call.arg(0), Last::kFollow, found); error != 0)
        return error;
    ViewFolder folder{nullptr, found.path, found.region};
    if (found.node) {
        if (found.node->kind != VirtualNode::Kind::kFolder) return -ENOTDIR;
    } else {
        if (!S_ISDIR(found.status.st_mode)) return -ENOTDIR;
        if (::faccessat(found.fd.get(), ".", X_OK, AT_EACCESS) != 0) return -errno;
        folder.fd = std::make_shared<const Fd>(std::move(found.fd));
    }
    call.program.set_working_folder(std::move(folder));
    return 0;
}

SysResult sys_fchdir(Call& call) {
    const auto file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    struct stat status {};
    if (const SysResult error = stat_open_file(*file, status); error != 0) return error;
    if (!S_ISDIR(status.st_mode)) return -ENOTDIR;
    call.program.set_working_folder(as_folder(file));
    return 0;
}

constexpr SyscallEntry kEntries[] = {
    {SYS_open, "open", sys_open, Served::kForwarded, "within the program's view of the files"},
    {SYS_openat, "openat", sys_openat, Served::kForwarded, "within the program's view of the files"},
    {SYS_creat, "creat", sys_creat, Served::kForwarded, "within the program's view of the files"},
    {SYS_unlink, "unlink", sys_unlink, Served::kForwarded, "in writable folders"},
    {SYS_rmdir, "rmdir", sys_rmdir, Served::kForwarded, "in writable folders"},
    {SYS_unlinkat, "unlinkat", sys_unlinkat, Served::kForwarded, "in writable folders"},
    {SYS_mkdir, "mkdir", sys_mkdir, Served::kForwarded, "in writable folders"},
    {SYS_mkdirat, "mkdirat", sys_mkdirat, Served::kForwarded, "in writable folders"},
    {SYS_mknod, "mknod", sys_mknod, Served::kPartly, "files and named pipes"},
    {SYS_mknodat, "mknodat", sys_mknodat, Served::kPartly, "files and named pipes"},
    {SYS_rename, "rename", sys_rename, Served::kForwarded, "in writable folders"},
    {SYS_renameat, "renameat", sys_renameat, Served::kForwarded, "in writable folders"},
    {SYS_renameat2, "renameat2", sys_renameat, Served::kPartly, "in writable folders; no RENAME_WHITEOUT"},
    {SYS_link, "link", sys_link, Served::kForwarded, "in writable folders"},
    {SYS_linkat, "linkat", sys_linkat, Served::kForwarded, "in writable folders"},
    {SYS_symlink, "symlink", sys_symlink, Served::kForwarded, "in writable folders"},
    {SYS_symlinkat, "symlinkat", sys_symlinkat, Served::kForwarded, "in writable folders"},
    {SYS_getdents64, "getdents64", sys_getdents64, Served::kForwarded, ""},
    {SYS_getcwd, "getcwd", sys_getcwd, Served::kFully, ""},
    {SYS_chdir, "chdir", sys_chdir, Served::kFully, ""},
    {SYS_fchdir, "fchdir", sys_fchdir, Served::kFully, ""},
};

}  // namespace

SyscallList path_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
