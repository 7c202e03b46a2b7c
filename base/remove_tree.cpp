#include "base/remove_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/fd.hpp"

namespace divisi {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

// An open folder that can be emptied: its owner may always give himself the rights.
Folder open_folder(int parent, const char* name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(::openat(parent, name, kFlags));
    if (!fd.valid() && errno == EACCES && ::fchmodat(parent, name, S_IRWXU, 0) == 0)
        fd = Fd(::openat(parent, name, kFlags));
    if (fd.valid()) (void)::fchmod(fd.get(), S_IRWXU);
    DIR* const stream = fd.valid() ? ::fdopendir(fd.get()) : nullptr;
    if (stream != nullptr) (void)fd.release();
    return {stream, &::closedir};
}

// Calls `visit` with each entry but "." and ".."; whether all went well.
bool each_entry(DIR* folder, const std::function<bool(const char*)>& visit) {
    bool good = true;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(folder);
        if (entry == nullptr) return good && errno == 0;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") good = visit(entry->d_name) && good;
    }
}

// Empties a folder. Folders in folders are moved up before their own are looked at: so none is deeper than two, and
// the depth that there was costs neither descriptors nor stack.
class Emptying {
public:
    explicit Emptying(Folder top) : top_(std::move(top)) {}

    bool run() {
        for (bool more = true; more;) {
            more = false;
            ::rewinddir(top_.get());
            const bool good = each_entry(top_.get(), [&](const char* name) {
                more = true;
                return remove(name);
            });
            if (!good) return false;
        }
        return true;
    }

private:
    [[nodiscard]] int top() const { return ::dirfd(top_.get()); }

    bool remove(const char* name) {
        if (::unlinkat(top(), name, 0) == 0 || errno == ENOENT) return true;
        if (::unlinkat(top(), name, AT_REMOVEDIR) == 0) return true;
        const Folder folder = open_folder(top(), name);
        if (!folder) return false;
        const int fd = ::dirfd(folder.get());
        const bool emptied = each_entry(
            folder.get(), [&](const char* inner) { return ::unlinkat(fd, inner, 0) == 0 || move_up(fd, inner); });
        return emptied && ::unlinkat(top(), name, AT_REMOVEDIR) == 0;
    }

    bool move_up(int folder, const char* name) {
        if (::unlinkat(folder, name, AT_REMOVEDIR) == 0) return true;
        // What moves to another parent must be writable itself.
        if (::fchmodat(folder, name, S_IRWXU, 0) != 0) return false;
        constexpr int kAttempts = 1 << 20;
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            const std::string free_name = ".gone-" + std::to_string(moved_++);
            if (::renameat(folder, name, top(), free_name.c_str()) == 0) return true;
            if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return false;
        }
        return false;
    }

    Folder top_;
    std::uint64_t moved_ = 0;
};

}  // namespace

Result<void> remove_tree(int folder, const std::string& name) {
    if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return system_error(errno, "cannot remove", name);
    if (Folder opened = open_folder(folder, name.c_str()); !opened || !Emptying(std::move(opened)).run())
        return system_error(errno, "cannot empty a folder", name);
    if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0) return system_error(errno, "cannot remove", name);
    return {};
}

}  // namespace divisi
