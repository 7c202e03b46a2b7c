#include "hv/vmm/scratch.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/control.hpp"
#include "base/remove_tree.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// As much as a folder and a file of a page; what it takes of the kernel's memory is not in the size.
constexpr std::uint64_t kBytesPerFile = 16384;
constexpr std::uint64_t kLeastFiles = 1024;
constexpr std::uint64_t kMostFiles = 1U << 18U;

Fd mount_tmpfs(std::uint64_t size_bytes) {
    const Fd context(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
    if (!context.valid()) return {};
    const auto set = [&context](const char* key, const std::string& value) {
        return ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
    };
    const std::uint64_t files = std::clamp(size_bytes / kBytesPerFile, kLeastFiles, kMostFiles);
    const bool good = set("size", std::to_string(size_bytes)) && set("nr_inodes", std::to_string(files)) &&
                      set("mode", "0700") && set("uid", std::to_string(::geteuid())) &&
                      set("gid", std::to_string(::getegid())) &&
                      ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
    if (!good) return {};
    return Fd(
        static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)));
}

// In a user namespace that has this one user and group, anybody may mount.
bool enter_namespace() {
    const std::string user = std::to_string(::geteuid());
    const std::string group = std::to_string(::getegid());
    const auto write = [](const char* path, const std::string& text) {
        const auto file = open_file(path, O_WRONLY);
        return file && write_all(file->get(), text, path);
    };
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write("/proc/self/setgroups", "deny") &&
           write("/proc/self/uid_map", user + " " + user + " 1") &&
           write("/proc/self/gid_map", group + " " + group + " 1");
}

// A mount belongs to who has its descriptor: another process can make it, and end.
Fd mount_tmpfs_in_namespace(std::uint64_t size_bytes) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
    ControlConnection ours{Fd(ends[0])};
    Fd theirs(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        const Fd mounted = enter_namespace() ? mount_tmpfs(size_bytes) : Fd();
        ControlConnection parent(std::move(theirs));
        if (mounted.valid()) (void)parent.send({}, std::array{mounted.get()});
        ::_exit(0);
    }
    theirs.reset();
    if (child < 0) return {};
    auto answer = ours.receive();
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (!answer || !*answer || (*answer)->fds.empty()) return {};
    return std::move((*answer)->fds.front());
}

}  // namespace

Result<Scratch> Scratch::create(const std::string& topology_folder, std::uint64_t size_bytes) {
    Fd mounted = mount_tmpfs(size_bytes);
    if (!mounted.valid()) mounted = mount_tmpfs_in_namespace(size_bytes);
    if (mounted.valid()) return Scratch(std::move(mounted), true);
    const std::string path = topology_folder + "/scratch";
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error(errno, "cannot make the folder for scratch files", path);
    DIVISI_TRY_ASSIGN(Fd folder, open_file(path, kFolderFlags));
    return Scratch(std::move(folder), false);
}

Result<std::shared_ptr<const Fd>> Scratch::make_folders() {
    DIVISI_TRY(clear());
    present_ = std::to_string(++last_);
    const auto make = [](int folder, const std::string& name, mode_t mode) {
        // The mask of this process is not the programs'.
        return ::mkdirat(folder, name.c_str(), mode) == 0 && ::fchmodat(folder, name.c_str(), mode, 0) == 0;
    };
    const auto failed = [] { return system_error(errno, "cannot make a job's scratch folders"); };
    if (!make(root_.get(), present_, 0700)) return failed();
    Fd folder(::openat(root_.get(), present_.c_str(), kFolderFlags));
    if (!folder.valid()) return failed();
    for (const char* name : {"tmp", "var-tmp", "shm"})
        if (!make(folder.get(), name, 01777)) return failed();
    return std::make_shared<const Fd>(std::move(folder));
}

Result<void> Scratch::clear() {
    if (present_.empty()) return {};
    DIVISI_TRY(remove_tree(root_.get(), present_));
    present_.clear();
    return {};
}

}  // namespace divisi::hv::vmm
