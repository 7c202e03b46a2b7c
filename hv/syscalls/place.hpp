// What a system call's path argument means: a file in the program's view, or an open file by its number.
#pragma once

#include <memory>

#include "hv/file_view.hpp"
#include "hv/syscalls/call.hpp"

namespace divisi::hv {

class CallFiles final : public MadeUpFiles {
public:
    explicit CallFiles(const Call& call) : context_{call.program, call.thread} {}
    [[nodiscard]] std::optional<VirtualNode> find(std::string_view path) const override;
    [[nodiscard]] std::string read(const VirtualNode& node) const override;

private:
    VirtualContext context_;
};

// Reads a path out of the program's memory: -EFAULT, -ENAMETOOLONG.
SysResult read_path(const Call& call, Gva at, std::string& path);
// As the *at calls take them. -ENOENT for an empty path; 0 where the last component is missing (FileView::find).
SysResult find_place(const Call& call, int folder, Gva path, FileView::Last last, FileView::Found& found);
// The same, and it exists.
SysResult find_existing(const Call& call, int folder, Gva path, FileView::Last last, FileView::Found& found);

// What fstat(2) says of an open file.
SysResult stat_open_file(const OpenFile& file, struct stat& status);
// Where a folder that is open starts a walk from.
ViewFolder as_folder(const std::shared_ptr<OpenFile>& file);

}  // namespace divisi::hv
