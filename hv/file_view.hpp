// What a program may see of the host's files, and which of them it may change.
//
// What the places allow (file_places.hpp), as far as the VMM's own user can read it, but for /proc, /sys and /dev,
// which the VMM makes up (virtual_files.hpp). What is hidden does not exist; what can only be read answers EROFS; what
// the places need where it is answers EBUSY to who would move it.
//
// Paths are walked here, a component at a time, each from a descriptor of the one before; links are followed here too,
// and the host's kernel is never asked to follow one. So "..", links and files that are moved meanwhile lead nowhere
// else: the region of a folder follows from the folders that the walk came through, and never from their names. That
// holds under races: a program can move folders only from one writable place to another.
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
#include "hv/file_places.hpp"
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

class FileView {
public:
    // Errors: those of the places; no /proc.
    static Result<FileView> create(FilePlacesSpec spec);

    [[nodiscard]] const ViewFolder& working_folder() const { return places_.working_folder(); }

    // Where a path leads.
    struct Found {
        ViewFolder parent;  // the folder that has it; of a folder reached by "..", "." or "/", that folder itself
        std::string name;   // its name there; empty for those
        std::string path;
        bool must_be_folder = false;      // the path ended in a slash
        std::optional<VirtualNode> node;  // a made-up file, and nothing below
        Fd fd;                            // O_PATH of what is there; not valid where nothing is
        struct stat status {};
        const FileRegion* region = nullptr;  // that it lies in
        bool writable = false;
        bool fixed = false;  // can be neither moved nor removed

        [[nodiscard]] bool exists() const { return node || fd.valid(); }
    };
    // What the last component is to be, where it is a link: what it points to; itself (but what it points to where a
    // slash follows); the entry of that name, whatever it is.
    enum class Last : std::uint8_t { kFollow, kKeep, kEntry };
    // 0 also where the last component is missing, but could be made.
    std::int64_t find(const ViewFolder& from, std::string_view path, Last last, const MadeUpFiles& made_up,
                      Found& found) const;

    // The entries of a folder, where they are not all that the host says.
    [[nodiscard]] std::optional<std::vector<VirtualEntry>> list(const Fd& folder, const FileRegion* region) const;
    // Opens what an O_PATH descriptor stands for; a negative errno. May wait for a pipe's other end.
    [[nodiscard]] int reopen(const Fd& file, int flags, unsigned mode = 0) const;
    // A name by which calls that take a path reach an open file: under `names_folder`, to be followed.
    [[nodiscard]] static std::string name_of(const Fd& file) { return std::to_string(file.get()); }
    [[nodiscard]] int names_folder() const { return own_descriptors_->get(); }

private:
    class Walk;

    explicit FileView(FilePlaces places) : places_(std::move(places)) {}

    FilePlaces places_;
    std::shared_ptr<const Fd> own_descriptors_;  // /proc/self/fd of the VMM
};

}  // namespace divisi::hv
