#include "hv/file_view.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace divisi::hv {
namespace {

constexpr int kMaxLinks = 40;
constexpr std::array kMadeUpRoots = {"dev", "proc", "sys"};
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;

// Devices that are no danger wherever their file lies.
bool harmless_device(dev_t device) {
    constexpr std::array<std::pair<unsigned, unsigned>, 6> kDevices = {
        {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}}};  // null zero full random urandom tty
    return std::any_of(kDevices.begin(), kDevices.end(), [device](const auto& item) {
        return major(device) == item.first && minor(device) == item.second;
    });
}

std::string join(const std::string& folder, std::string_view name) {
    return (folder == "/" ? "/" : folder + "/") + std::string(name);
}

}  // namespace

// One walk along a path.
class FileView::Walk {
public:
    Walk(const FileView& view, const MadeUpFiles& made_up, Found& found)
        : view_(view), made_up_(made_up), found_(found) {}

    std::int64_t run(const ViewFolder& from, std::string_view path, Last last);

private:
    // Puts the components of `path` before those that are left.
    std::int64_t push(std::string_view path);
    void go_to_root();
    void go_to(ViewFolder folder, const FilePlace* place);
    void go_to(ViewFolder folder);
    bool take_shortcut();
    std::int64_t step_up();
    std::int64_t step(const std::string& name, bool last, bool follow);
    std::int64_t step_made_up(const std::string& path, const std::string& name, bool last, bool follow);
    // Whether what was met can be seen from here. `region` becomes that it lies in.
    bool shows(const FilePlace* place, const FileRegion*& region) const;
    std::int64_t enter(Fd fd, struct stat status, std::string path, const std::string& name, bool last);
    std::int64_t follow_link(const std::string& target);
    void finish_here();

    const FileView& view_;
    const MadeUpFiles& made_up_;
    Found& found_;
    ViewFolder here_;
    const FilePlace* here_place_ = nullptr;
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

void FileView::Walk::go_to(ViewFolder folder, const FilePlace* place) {
    here_ = std::move(folder);
    here_place_ = place;
}

void FileView::Walk::go_to(ViewFolder folder) {
    struct stat status {};
    const bool known = folder.fd && ::fstat(folder.fd->get(), &status) == 0;
    go_to(std::move(folder), known ? view_.places_.find(status) : nullptr);
}

void FileView::Walk::go_to_root() {
    go_to({view_.places_.root(), "/", view_.places_.root_region()});
}

void FileView::Walk::finish_here() {
    found_.parent = here_;
    found_.name.clear();
    found_.path = here_.path;
    found_.region = here_.region;
    found_.writable = here_.writable();
    if (!here_.fd) {
        found_.node = made_up_.find(here_.path);
        return;
    }
    found_.fd = Fd(::openat(here_.fd->get(), ".", kFolderFlags));
    if (found_.fd.valid()) ::fstat(found_.fd.get(), &found_.status);
}

// Most paths have neither links nor ".." in them and stay on one file system: the kernel can walk those in one call,
// and must refuse if it is otherwise. The last component is left, since it may not exist.
bool FileView::Walk::take_shortcut() {
    constexpr std::size_t kWorthIt = 3;
    if (left_.size() < kWorthIt || !here_.fd) return false;
    std::string path;
    for (std::size_t i = left_.size() - 1; i > 0; --i) {
        if (left_[i] == "..") return false;
        path += (path.empty() ? "" : "/") + left_[i];
    }
    // What is made up hangs at the root; a folder of another region must be met to be known.
    if (here_.path == "/" || !here_.writable() || here_.region->has_inner) return false;
    open_how how{};
    how.flags = kFolderFlags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, here_.fd->get(), path.c_str(), &how, sizeof how)));
    if (!fd.valid()) return false;
    go_to({std::make_shared<const Fd>(std::move(fd)), join(here_.path, path), here_.region}, nullptr);
    left_.erase(left_.begin() + 1, left_.end());
    return true;
}

// The kernel knows a folder's parent best: the folder may have been moved. The parent of what lies in a region is in it
// too; that of its root is not.
std::int64_t FileView::Walk::step_up() {
    if (!here_.fd) {
        const std::string parent = folder_of(here_.path);
        if (parent == "/") {
            go_to_root();
        } else {
            go_to({nullptr, parent, nullptr});
        }
        return 0;
    }
    struct stat status {};
    if (::fstat(here_.fd->get(), &status) != 0) return -errno;
    const FilePlaces& places = view_.places_;
    if (places.is_root(status)) return 0;
    const FilePlace* const place = places.find(status);
    if (place != nullptr && place->above) {
        go_to(*place->above);
        return 0;
    }
    Fd fd(::openat(here_.fd->get(), "..", kFolderFlags));
    if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return -errno;
    if (places.is_root(status)) {
        go_to_root();
        return 0;
    }
    if (reveals_host(fd)) return -ENOENT;
    const std::string path = folder_of(here_.path);
    if (is_made_up(path)) {
        go_to({nullptr, path, nullptr});
        return 0;
    }
    const FilePlace* const above = places.find(status);
    const FileRegion* region = place != nullptr && place->region != nullptr ? places.region_of(fd) : here_.region;
    if (region == nullptr || !shows(above, region)) return -ENOENT;
    go_to({std::make_shared<const Fd>(std::move(fd)), path, region}, above);
    return 0;
}

bool FileView::Walk::shows(const FilePlace* place, const FileRegion*& region) const {
    if (place != nullptr && place->region != nullptr) region = place->region;
    return region->access != FileAccess::kHidden || (place != nullptr && place->on_the_way);
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
        Fd fd(::openat(view_.places_.root()->get(), path.c_str() + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC));
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
        go_to({nullptr, path, nullptr});
        if (last) finish_here();
        return 0;
    }
    if (!last || found_.must_be_folder) return -ENOTDIR;
    found_.parent = here_;
    found_.name = name;
    found_.path = path;
    found_.node = std::move(node);
    return 0;
}

std::int64_t FileView::Walk::enter(Fd fd, struct stat status, std::string path, const std::string& name, bool last) {
    static constexpr FileRegion kMadeUp{};
    const FilePlace* place = view_.places_.find(status);
    const bool replaced = place != nullptr && place->replacement;
    if (replaced) {
        fd = Fd(::fcntl(place->replacement->get(), F_DUPFD_CLOEXEC, 0));
        if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return -errno;
        place = view_.places_.find(status);
    }
    const FileRegion* region = here_.region != nullptr ? here_.region : &kMadeUp;
    if (!shows(place, region)) return -ENOENT;
    if (S_ISDIR(status.st_mode)) {
        if (reveals_host(fd)) return -ENOENT;
        if (!last) {
            go_to({std::make_shared<const Fd>(std::move(fd)), std::move(path), region}, place);
            return 0;
        }
    } else if (!last || found_.must_be_folder) {
        return -ENOTDIR;
    }
    if (S_ISBLK(status.st_mode)) return -EACCES;
    if (S_ISCHR(status.st_mode) && !harmless_device(status.st_rdev)) return -EACCES;
    found_.parent = here_;
    found_.name = name;
    found_.path = std::move(path);
    found_.fd = std::move(fd);
    found_.status = status;
    found_.region = region;
    found_.writable = region->access == FileAccess::kWritable || S_ISCHR(status.st_mode);
    found_.fixed = replaced || (place != nullptr && place->fixed());
    return 0;
}

std::int64_t FileView::Walk::step(const std::string& name, bool last, bool follow) {
    std::string path = join(here_.path, name);
    if (!here_.fd || (here_.path == "/" && is_virtual(path))) return step_made_up(path, name, last, follow);
    if (here_place_ != nullptr && here_place_->hidden.contains(name)) return -ENOENT;
    Fd fd(::openat(here_.fd->get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) {
        if (errno != ENOENT || !last || here_.hidden()) return here_.hidden() ? -ENOENT : -errno;
        found_.parent = here_;
        found_.name = name;
        found_.path = std::move(path);
        found_.region = here_.region;
        found_.writable = here_.writable();
        return 0;
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (S_ISLNK(status.st_mode) && (!last || follow)) {
        const FileRegion* region = here_.region;
        if (!shows(view_.places_.find(status), region)) return -ENOENT;
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlinkat(fd.get(), "", target.data(), target.size());
        if (length < 0) return -errno;
        return follow_link(std::string(target.data(), static_cast<std::size_t>(length)));
    }
    return enter(std::move(fd), status, std::move(path), name, last);
}

std::int64_t FileView::Walk::run(const ViewFolder& from, std::string_view path, Last last) {
    if (path.starts_with('/')) {
        go_to_root();
    } else {
        go_to(from);
    }
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

Result<FileView> FileView::create(FilePlacesSpec spec) {
    DIVISI_TRY_ASSIGN(Fd descriptors, open_file("/proc/self/fd", O_PATH | O_DIRECTORY));
    DIVISI_TRY_ASSIGN(FilePlaces places, FilePlaces::create(std::move(spec)));
    FileView view(std::move(places));
    view.own_descriptors_ = std::make_shared<const Fd>(std::move(descriptors));
    return view;
}

std::int64_t FileView::find(const ViewFolder& from, std::string_view path, Last last, const MadeUpFiles& made_up,
                            Found& found) const {
    return Walk(*this, made_up, found).run(from, path, last);
}

namespace {

VirtualEntry to_entry(const std::string& name, const struct stat& status) {
    return {name, static_cast<unsigned char>(IFTODT(status.st_mode)), status.st_ino};
}

}  // namespace

std::optional<std::vector<VirtualEntry>> FileView::list(const Fd& folder, const FileRegion* region) const {
    struct stat status {};
    if (region == nullptr || ::fstat(folder.get(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
    const FilePlace* const place = places_.find(status);
    const bool hidden = region->access == FileAccess::kHidden;
    if (!hidden && (place == nullptr || place->hidden.empty())) return std::nullopt;
    std::vector<VirtualEntry> entries{to_entry(".", status), to_entry("..", status)};
    const auto add = [&](const std::string& name) {
        struct stat entry {};
        if (::fstatat(folder.get(), name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) == 0)
            entries.push_back(to_entry(name, entry));
    };
    if (hidden) {
        if (place != nullptr) std::for_each(place->ways.begin(), place->ways.end(), add);
        if (places_.is_root(status)) std::for_each(kMadeUpRoots.begin(), kMadeUpRoots.end(), add);
        return entries;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(
        ::fdopendir(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), &::closedir);
    while (const dirent* const entry = stream ? ::readdir(stream.get()) : nullptr) {
        const std::string name = entry->d_name;
        if (name != "." && name != ".." && !place->hidden.contains(name))
            entries.push_back({name, entry->d_type, entry->d_ino});
    }
    return entries;
}

int FileView::reopen(const Fd& file, int flags, unsigned mode) const {
    const int fd = ::openat(own_descriptors_->get(), name_of(file).c_str(),
                            (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY, mode);
    return fd < 0 ? -errno : fd;
}

}  // namespace divisi::hv
