#include "hv/file_view.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace divisi::hv {
namespace {

constexpr int kMaxLinks = 40;
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
constexpr std::array kScratchFolders = {"/tmp", "/var/tmp", "/dev/shm"};

// File systems that show or steer the host's kernel, wherever they are mounted.
bool reveals_host(const Fd& folder) {
    constexpr std::array<std::uint32_t, 18> kKernelFileSystems = {
        0x9fa0,      // proc
        0x62656572,  // sysfs
        0x1cd1,      // devpts
        0x27e0eb,    // cgroup
        0x63677270,  // cgroup2
        0x64626720,  // debugfs
        0x74726163,  // tracefs
        0x73636673,  // securityfs
        0xcafe4a11,  // bpf
        0x62656570,  // configfs
        0xde5e81e4,  // efivarfs
        0x6165676c,  // pstore
        0x42494e4d,  // binfmt_misc
        0x6e736673,  // nsfs
        0xf97cff8c,  // selinux
        0x43415d53,  // smack
        0x19800202,  // mqueue
        0x65735543,  // fusectl
    };
    struct statfs status {};
    if (::fstatfs(folder.get(), &status) != 0) return true;
    const auto type = static_cast<std::uint32_t>(status.f_type);
    return std::find(kKernelFileSystems.begin(), kKernelFileSystems.end(), type) != kKernelFileSystems.end();
}

// Devices that are no danger wherever their file lies.
bool harmless_device(dev_t device) {
    constexpr std::array<std::pair<unsigned, unsigned>, 6> kDevices = {
        {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}}};  // null zero full random urandom tty
    return std::any_of(kDevices.begin(), kDevices.end(), [device](const auto& item) {
        return major(device) == item.first && minor(device) == item.second;
    });
}

// What the VMM makes up, less what hangs there of the host's.
bool is_made_up(std::string_view path) {
    constexpr std::string_view kShared = "/dev/shm";
    const bool shared = path.starts_with(kShared) && (path.size() == kShared.size() || path[kShared.size()] == '/');
    return is_virtual(path) && !shared;
}

std::string join(const std::string& folder, std::string_view name) {
    return (folder == "/" ? "/" : folder + "/") + std::string(name);
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

// One walk along a path.
class FileView::Walk {
public:
    Walk(const FileView& view, const MadeUpFiles& made_up, Found& found)
        : view_(view), made_up_(made_up), found_(found) {}

    std::int64_t run(const ViewFolder& from, std::string_view path, Last last);

private:
    ViewFolder& here() { return stack_.back(); }
    // Puts the components of `path` before those that are left.
    std::int64_t push(std::string_view path);
    void go_to_root();
    bool take_shortcut();
    std::int64_t step_up();
    std::int64_t step(const std::string& name, bool last, bool follow);
    std::int64_t step_made_up(const std::string& path, const std::string& name, bool last, bool follow);
    std::int64_t enter(Fd fd, const struct stat& status, std::string path, const std::string& name, bool last);
    std::int64_t follow_link(const std::string& target);
    void finish_here();

    const FileView& view_;
    const MadeUpFiles& made_up_;
    Found& found_;
    std::vector<ViewFolder> stack_;
    std::vector<std::string> left_;  // components, the next one last
    int links_ = 0;
};

std::int64_t FileView::Walk::push(std::string_view path) {
    if (path.size() >= PATH_MAX || left_.size() > PATH_MAX) return -ENAMETOOLONG;
    std::vector<std::string> parts;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        if (part.size() > NAME_MAX) return -ENAMETOOLONG;
        // A "." at the end is a folder's own, like the slash.
        if (part.empty() || (part == "." && !path.empty())) continue;
        parts.emplace_back(part);
    }
    left_.insert(left_.end(), parts.rbegin(), parts.rend());
    return 0;
}

void FileView::Walk::go_to_root() {
    stack_.clear();
    stack_.push_back({view_.root_, "/", false});
    struct stat status {};
    if (::fstat(view_.root_->get(), &status) == 0) here().writable = view_.is_writable_root(status);
}

void FileView::Walk::finish_here() {
    found_.parent = here();
    found_.name.clear();
    found_.path = here().path;
    found_.writable = here().writable;
    if (!here().fd) {
        found_.node = made_up_.find(here().path);
        return;
    }
    found_.fd = Fd(::openat(here().fd->get(), ".", kFolderFlags));
    if (found_.fd.valid()) ::fstat(found_.fd.get(), &found_.status);
}

// Most paths have neither links nor ".." in them and stay on one file system: the kernel can walk those in one call,
// and must refuse if it is otherwise. The last component is left, since it may not exist.
bool FileView::Walk::take_shortcut() {
    constexpr std::size_t kWorthIt = 3;
    if (left_.size() < kWorthIt || !here().fd) return false;
    std::string path;
    for (std::size_t i = left_.size() - 1; i > 0; --i) {
        if (left_[i] == "..") return false;
        path += (path.empty() ? "" : "/") + left_[i];
    }
    // What is made up hangs at the root; a writable folder must be met to be known.
    if (here().path == "/" || !here().writable) return false;
    open_how how{};
    how.flags = kFolderFlags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, here().fd->get(), path.c_str(), &how, sizeof how)));
    if (!fd.valid()) return false;
    stack_.push_back({std::make_shared<const Fd>(std::move(fd)), join(here().path, path), true});
    left_.erase(left_.begin() + 1, left_.end());
    return true;
}

// The kernel knows a folder's parent best: the folder may have been moved. The parent of what lies in a writable
// folder is in it too; the parent of such a folder itself is not.
std::int64_t FileView::Walk::step_up() {
    if (!here().fd) {
        const std::string parent = folder_of(here().path);
        if (parent == "/") {
            go_to_root();
        } else {
            stack_.push_back({nullptr, parent, false});
        }
        return 0;
    }
    struct stat status {};
    if (::fstat(here().fd->get(), &status) != 0) return -errno;
    if (view_.is_root(status)) return 0;
    const bool writable = here().writable && !view_.is_writable_root(status);
    Fd fd(::openat(here().fd->get(), "..", kFolderFlags));
    if (!fd.valid()) return -errno;
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (view_.is_root(status)) {
        go_to_root();
        return 0;
    }
    if (reveals_host(fd)) return -ENOENT;
    const std::string path = folder_of(here().path);
    if (is_made_up(path)) {
        stack_.push_back({nullptr, path, false});
    } else {
        stack_.push_back({std::make_shared<const Fd>(std::move(fd)), path, writable || view_.is_writable_root(status)});
    }
    return 0;
}

std::int64_t FileView::Walk::follow_link(const std::string& target) {
    if (++links_ > kMaxLinks) return -ELOOP;
    if (target.empty()) return -ENOENT;
    if (target.front() == '/') go_to_root();
    return push(target);
}

std::int64_t FileView::Walk::step_made_up(const std::string& path, const std::string& name, bool last, bool follow) {
    auto node = made_up_.find(path);
    if (!node) return -ENOENT;
    using Kind = VirtualNode::Kind;
    if (node->kind == Kind::kHost) {
        Fd fd(::openat(view_.root_->get(), path.c_str() + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct stat status {};
        if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return -errno;
        return enter(std::move(fd), status, path, name, last);
    }
    if (node->kind == Kind::kLink && (!last || follow)) return follow_link(made_up_.read(*node));
    // A descriptor's link can be walked through where it leads to a folder: by its name.
    if (node->kind == Kind::kDescriptor && !last) {
        const std::string target = made_up_.read(*node);
        return target.starts_with('/') ? follow_link(target) : -ENOTDIR;
    }
    if (node->kind == Kind::kFolder) {
        stack_.push_back({nullptr, path, false});
        if (last) finish_here();
        return 0;
    }
    if (!last || found_.must_be_folder) return -ENOTDIR;
    found_.parent = here();
    found_.name = name;
    found_.path = path;
    found_.node = std::move(node);
    return 0;
}

std::int64_t FileView::Walk::enter(Fd fd, const struct stat& status, std::string path, const std::string& name,
                                   bool last) {
    bool writable = here().writable || view_.is_writable_root(status);
    if (S_ISDIR(status.st_mode)) {
        if (reveals_host(fd)) return -ENOENT;
        if (!last) {
            stack_.push_back({std::make_shared<const Fd>(std::move(fd)), std::move(path), writable});
            return 0;
        }
    } else if (!last || found_.must_be_folder) {
        return -ENOTDIR;
    }
    if (S_ISBLK(status.st_mode)) return -EACCES;
    if (S_ISCHR(status.st_mode)) {
        if (!harmless_device(status.st_rdev)) return -EACCES;
        writable = true;
    }
    found_.parent = here();
    found_.name = name;
    found_.path = std::move(path);
    found_.fd = std::move(fd);
    found_.status = status;
    found_.writable = writable;
    return 0;
}

std::int64_t FileView::Walk::step(const std::string& name, bool last, bool follow) {
    std::string path = join(here().path, name);
    if (!here().fd || (here().path == "/" && is_virtual(path))) return step_made_up(path, name, last, follow);
    Fd fd(::openat(here().fd->get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) {
        if (errno != ENOENT || !last) return -errno;
        found_.parent = here();
        found_.name = name;
        found_.path = std::move(path);
        found_.writable = here().writable;
        return 0;
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (S_ISLNK(status.st_mode) && (!last || follow)) {
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlinkat(fd.get(), "", target.data(), target.size());
        if (length < 0) return -errno;
        return follow_link(std::string(target.data(), static_cast<std::size_t>(length)));
    }
    return enter(std::move(fd), status, std::move(path), name, last);
}

std::int64_t FileView::Walk::run(const ViewFolder& from, std::string_view path, Last last) {
    stack_.push_back(from);
    if (path.starts_with('/')) go_to_root();
    found_.must_be_folder = path.ends_with('/');
    const bool follow = last == Last::kFollow || (last == Last::kKeep && found_.must_be_folder);
    if (const std::int64_t error = push(path); error != 0) return error;
    take_shortcut();
    while (!left_.empty()) {
        const std::string name = std::move(left_.back());
        left_.pop_back();
        if (name == ".") continue;
        const std::int64_t error = name == ".." ? step_up() : step(name, left_.empty(), follow);
        if (error != 0) return error;
    }
    // What ends in "/", "." or ".." is a folder that has been entered already.
    if (!found_.exists() && found_.name.empty()) finish_here();
    return 0;
}

bool FileView::is_root(const struct stat& status) const {
    return status.st_dev == root_identity_.device && status.st_ino == root_identity_.inode;
}

bool FileView::is_writable_root(const struct stat& status) const {
    return std::any_of(writable_roots_.begin(), writable_roots_.end(), [&status](const Identity& root) {
        return status.st_dev == root.device && status.st_ino == root.inode;
    });
}

Result<void> FileView::add_writable(const Fd& folder) {
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0) return system_error(errno, "cannot look at a folder");
    if (!S_ISDIR(status.st_mode)) return system_error(ENOTDIR, "the working folder is none");
    writable_roots_.push_back({status.st_dev, status.st_ino});
    return {};
}

// Only at the start, when no program is there to move folders about.
bool FileView::in_writable(const Fd& folder) const {
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0) return false;
    if (is_writable_root(status)) return true;
    if (is_root(status)) return false;
    const Fd parent(::openat(folder.get(), "..", kFolderFlags));
    return parent.valid() && in_writable(parent);
}

Result<FileView> FileView::create(Fd working_folder, const std::string& path) {
    FileView view;
    DIVISI_TRY_ASSIGN(Fd descriptors, open_file("/proc/self/fd", O_PATH | O_DIRECTORY));
    DIVISI_TRY_ASSIGN(Fd root, open_file("/", O_PATH | O_DIRECTORY));
    struct stat status {};
    if (::fstat(root.get(), &status) != 0) return system_error(errno, "cannot look at a folder", "/");
    view.root_identity_ = {status.st_dev, status.st_ino};
    view.own_descriptors_ = std::make_shared<const Fd>(std::move(descriptors));
    view.root_ = std::make_shared<const Fd>(std::move(root));
    for (const char* scratch : kScratchFolders) {
        const auto folder = open_file(scratch, O_PATH | O_DIRECTORY);
        if (folder) DIVISI_TRY(view.add_writable(*folder));
    }
    std::array<char, PATH_MAX> name{};
    const ssize_t length =
        ::readlinkat(view.names_folder(), name_of(working_folder).c_str(), name.data(), name.size() - 1);
    view.working_.path = length > 0 && name[0] == '/' ? std::string(name.data()) : path;
    // Nobody works in the host's /proc or /dev, even who started there.
    if (is_made_up(view.working_.path) || reveals_host(working_folder)) return view;
    if (!view.in_writable(working_folder)) DIVISI_TRY(view.add_writable(working_folder));
    view.working_.fd = std::make_shared<const Fd>(std::move(working_folder));
    view.working_.writable = true;
    return view;
}

std::int64_t FileView::find(const ViewFolder& from, std::string_view path, Last last, const MadeUpFiles& made_up,
                            Found& found) const {
    return Walk(*this, made_up, found).run(from, path, last);
}

int FileView::reopen(const Fd& file, int flags, unsigned mode) const {
    const int fd = ::openat(own_descriptors_->get(), name_of(file).c_str(),
                            (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY, mode);
    return fd < 0 ? -errno : fd;
}

}  // namespace divisi::hv
