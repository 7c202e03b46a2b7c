// System calls that watch files and folders: inotify(7), by the host's.
//
// A watch tells the names of what comes and goes in a folder, so only those of which the program sees all can be
// watched. What waits to be read, and the files that are kept known, are memory of the host's kernel: charged, and
// bounded.
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/fd.hpp"
#include "hv/syscalls/place.hpp"
#include "hv/syscalls/transfer.hpp"

namespace divisi::hv {
namespace {

constexpr std::uint32_t kMostWatches = 1024;
constexpr std::uint64_t kHostBytes = 4U << 20U;  // 16384 events with names of a usual length, and the watches

SysResult make_watcher(Call& call, int flags) {
    if ((flags & ~(IN_CLOEXEC | IN_NONBLOCK)) != 0) return -EINVAL;
    auto file = std::make_shared<OpenFile>();
    file->share = std::make_shared<HostShare>(call.program.spec().ram->beside());
    if (!file->share->resize(kHostBytes)) return -EMFILE;
    file->fd = Fd(::inotify_init1(flags | IN_CLOEXEC));
    if (!file->fd.valid()) return -errno;
    file->watches = std::make_unique<std::atomic<std::uint32_t>>(0);
    file->flags = O_RDONLY | (flags & O_NONBLOCK);
    file->path = "anon_inode:inotify";
    file->may_block = true;
    return call.program.files().add(std::move(file), (flags & IN_CLOEXEC) != 0);
}

SysResult sys_inotify_init(Call& call) {
    return make_watcher(call, 0);
}
SysResult sys_inotify_init1(Call& call) {
    return make_watcher(call, call.int_arg(0));
}

// Those that went with their files are not told to us.
std::uint32_t count_watches(const OpenFile& file) {
    const auto text = read_file("/proc/self/fdinfo/" + std::to_string(file.fd.get()));
    if (!text) return 0;
    std::uint32_t watches = 0;
    for (std::size_t at = text->find("inotify wd:"); at != std::string::npos; at = text->find("inotify wd:", at + 1))
        ++watches;
    return watches;
}

bool has_room(OpenFile& file) {
    if (file.watches->fetch_add(1) < kMostWatches) return true;
    const std::uint32_t now = count_watches(file);
    file.watches->store(now + 1);
    return now < kMostWatches;
}

SysResult sys_inotify_add_watch(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->watches) return -EINVAL;
    const auto mask = static_cast<std::uint32_t>(call.arg(2));
    const auto last = (mask & IN_DONT_FOLLOW) != 0 ? FileView::Last::kKeep : FileView::Last::kFollow;
    FileView::Found found;
    if (const SysResult error = find_existing(call, AT_FDCWD, call.arg(1), last, found); error != 0) return error;
    const FileView& view = call.program.view();
    if (found.node || view.list(found.fd, found.region)) return -EACCES;
    if (!has_room(*file)) return -ENOSPC;
    // What was found, and nothing that the host would follow it to.
    const std::string name = "/proc/self/fd/" + FileView::name_of(found.fd);
    return host_result(
        ::inotify_add_watch(file->fd.get(), name.c_str(), mask & ~static_cast<std::uint32_t>(IN_DONT_FOLLOW)));
}

SysResult sys_inotify_rm_watch(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->watches) return -EINVAL;
    return host_result(::inotify_rm_watch(file->fd.get(), call.int_arg(1)));
}

constexpr SyscallEntry kEntries[] = {
    {SYS_inotify_init, "inotify_init", sys_inotify_init, Served::kForwarded, ""},
    {SYS_inotify_init1, "inotify_init1", sys_inotify_init1, Served::kForwarded, ""},
    {SYS_inotify_add_watch, "inotify_add_watch", sys_inotify_add_watch, Served::kForwarded,
     "files, and folders of which the program sees all; at most 1024"},
    {SYS_inotify_rm_watch, "inotify_rm_watch", sys_inotify_rm_watch, Served::kForwarded, ""},
};

}  // namespace

SyscallList notify_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
