// What a program may see of the host's files, and which of them it may change.
//
// All of the host's files can be read, as far as the VMM's own user can read them, but for /proc, /sys and /dev, which
// the VMM makes up (virtual_files.hpp). What lies in a writable folder can be changed: the working folder, and the
// scratch folders /tmp, /var/tmp and /dev/shm. Everything else answers EROFS.
//
// Paths are walked here, a component at a time, each from a descriptor of the one before; links are followed here too,
// and the host's kernel is never asked to follow one. So "..", links and files that are moved meanwhile lead nowhere
// else: whether a folder is writable follows from the folders that the walk came through, and never from their names.
// That holds under races: a program can move folders only from one writable place to another.
//
// Threads: all members are const, and may be called from several threads.
// Errors: negative errno values, as Linux would give them.
// Source: path_resolution(7), openat2(2).
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "hv/virtual_files.hpp"

namespace divisi::hv {

// The made-up files, as the walk meets them.
class MadeUpFiles {
public:
    MadeUpFiles() = default;
    MadeUpFiles(const MadeUpFiles&) = delete;
    MadeUpFiles& operator=(const MadeUpFiles&) = delete;
    virtual ~MadeUpFiles() = default;
    [[nodiscard]] virtual std::optional<VirtualNode> find(std::string_view path) const = 0;
    // A link's target.
    [[nodiscard]] virtual std::string read(const VirtualNode& node) const = 0;
};

// A place to start from: the working folder, or a folder that the program has open.
struct ViewFolder {
    std::shared_ptr<const Fd> fd;  // null: a made-up one
    std::string path;
    bool writable = false;
};

class FileView {
public:
    // `working_folder` is an open folder of the host's. Errors: the errno; no /proc.
    static Result<FileView> create(Fd working_folder, const std::string& path);

    [[nodiscard]] const ViewFolder& working_folder() const { return working_; }

    // Where a path leads.
    struct Found {
        ViewFolder parent;  // the folder that has it; of a folder reached by "..", "." or "/", that folder itself
        std::string name;   // its name there; empty for those
        std::string path;
        bool must_be_folder = false;      // the path ended in a slash
        std::optional<VirtualNode> node;  // a made-up file, and nothing below
        Fd fd;                            // O_PATH of what is there; not valid where nothing is
        struct stat status {};
        bool writable = false;

        [[nodiscard]] bool exists() const { return node || fd.valid(); }
    };
    // What the last component is to be, where it is a link: what it points to; itself (but what it points to where a
    // slash follows); the entry of that name, whatever it is.
    enum class Last : std::uint8_t { kFollow, kKeep, kEntry };
    // 0 also where the last component is missing, but could be made.
    std::int64_t find(const ViewFolder& from, std::string_view path, Last last, const MadeUpFiles& made_up,
                      Found& found) const;

    // Opens what an O_PATH descriptor stands for; a negative errno. May wait for a pipe's other end.
    [[nodiscard]] int reopen(const Fd& file, int flags, unsigned mode = 0) const;
    // A name by which calls that take a path reach an open file: under `names_folder`, to be followed.
    [[nodiscard]] static std::string name_of(const Fd& file) { return std::to_string(file.get()); }
    [[nodiscard]] int names_folder() const { return own_descriptors_->get(); }

private:
    struct Identity {
        dev_t device;
        ino_t inode;
    };
    class Walk;

    FileView() = default;
    Result<void> add_writable(const Fd& folder);
    [[nodiscard]] bool in_writable(const Fd& folder) const;
    [[nodiscard]] bool is_writable_root(const struct stat& status) const;
    [[nodiscard]] bool is_root(const struct stat& status) const;

    std::shared_ptr<const Fd> own_descriptors_;  // /proc/self/fd of the VMM
    std::shared_ptr<const Fd> root_;
    Identity root_identity_{};
    std::vector<Identity> writable_roots_;
    ViewFolder working_;
};

}  // namespace divisi::hv
