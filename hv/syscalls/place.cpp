#include "hv/syscalls/place.hpp"

#include <fcntl.h>

#include <cerrno>
#include <climits>

#include "hv/virtual_files.hpp"

namespace divisi::hv {

std::optional<VirtualNode> CallFiles::find(std::string_view path) const {
    return find_virtual(context_, path);
}

std::string CallFiles::read(const VirtualNode& node) const {
    return read_virtual(context_, node);
}

SysResult read_path(const Call& call, Gva at, std::string& path) {
    auto text = call.memory().copy_string_in(at, PATH_MAX);
    if (text) {
        path = std::move(*text);
        return 0;
    }
    // Either it cannot be read, or it has no end in reach.
    std::array<char, PATH_MAX> bytes{};
    return call.memory().copy_in(bytes.data(), at, bytes.size()) ? -ENAMETOOLONG : -EFAULT;
}

ViewFolder as_folder(const std::shared_ptr<OpenFile>& file) {
    // The file lives as long as the walk uses its descriptor.
    std::shared_ptr<const Fd> fd;
    if (file->fd.valid()) fd = std::shared_ptr<const Fd>(file, &file->fd);
    return {std::move(fd), file->path, file->region};
}

SysResult find_place(const Call& call, int folder, Gva path, FileView::Last last, FileView::Found& found) {
    std::string text;
    if (const SysResult error = read_path(call, path, text); error != 0) return error;
    if (text.empty()) return -ENOENT;
    ViewFolder from;
    if (folder == AT_FDCWD || text.front() == '/') {
        from = call.program.working_folder();
    } else {
        const auto file = call.program.files().get(folder);
        if (!file) return -EBADF;
        struct stat status {};
        if (stat_open_file(*file, status) != 0 || !S_ISDIR(status.st_mode)) return -ENOTDIR;
        from = as_folder(file);
    }
    return call.program.view().find(from, text, last, CallFiles(call), found);
}

SysResult find_existing(const Call& call, int folder, Gva path, FileView::Last last, FileView::Found& found) {
    const SysResult error = find_place(call, folder, path, last, found);
    return error == 0 && !found.exists() ? -ENOENT : error;
}

SysResult stat_open_file(const OpenFile& file, struct stat& status) {
    if (file.status) {
        status = *file.status;
    } else if (file.host() < 0) {
        status.st_mode = S_IFIFO | 0600;
        status.st_nlink = 1;
        status.st_blksize = kPageBytes;
    } else if (::fstat(file.host(), &status) != 0) {
        return -errno;
    }
    return 0;
}

}  // namespace divisi::hv
