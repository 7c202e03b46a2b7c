// Which places of the host's file system a program knows, by the identity of their files and folders, so that neither
// links nor moves change what may be done there.
//
// The file system is divided into regions: what lies below a root, as far as the next root. A root is a path of the
// policy's files section, or "/". Where a region is hidden, the ways that lead to the roots below it can still be
// walked, and show nothing but these.
//
// The scratch folders /tmp, /var/tmp and /dev/shm are the job's own, unless a rule names them: another folder stands
// in each one's place. A root that lies in a scratch folder of the host's stands in the job's own at the same path.
//
// Threads: const after `create`, and then usable from several.
// Errors of `create`: kUsage: the working folder is hidden; a writable path is not there; the errno of what could not
// be looked at or made.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/file_rules.hpp"
#include "base/result.hpp"

namespace divisi::hv {

enum class FileAccess : std::uint8_t { kHidden, kReadable, kWritable };

struct FileRegion {
    FileAccess access = FileAccess::kReadable;
    bool has_inner = false;  // there are roots in it, so that a walk must look at each folder
};

// A place to start from: the working folder, or a folder that the program has open.
struct ViewFolder {
    std::shared_ptr<const Fd> fd;  // null: a made-up one
    std::string path;
    const FileRegion* region = nullptr;  // null where made up

    [[nodiscard]] bool writable() const { return region != nullptr && region->access == FileAccess::kWritable; }
    [[nodiscard]] bool hidden() const { return region != nullptr && region->access == FileAccess::kHidden; }
};

// What is known of one file or folder.
struct FilePlace {
    const FileRegion* region = nullptr;         // of a root
    bool on_the_way = false;                    // a folder or link that leads to a root that can be seen
    bool has_below = false;                     // there is a root below it
    std::set<std::string, std::less<>> ways;    // names in it that lead to roots
    std::set<std::string, std::less<>> hidden;  // names in it that are not to be seen
    std::shared_ptr<const Fd> replacement;      // what stands in its place
    std::optional<ViewFolder> above;            // where ".." leads to from there

    // It is where the view needs it to be.
    [[nodiscard]] bool fixed() const { return region != nullptr || on_the_way || has_below || replacement; }
};

struct FilePlacesSpec {
    std::shared_ptr<const Fd> working_folder;  // O_PATH
    std::string working_path;                  // its name, where the host cannot say
    FileRules rules;
    std::string program_path;           // the program's file can always be read; may be empty
    std::shared_ptr<const Fd> scratch;  // has the folders tmp, var-tmp and shm; null: the host's are as the rest
};

class FilePlaces {
public:
    static Result<FilePlaces> create(FilePlacesSpec spec);

    [[nodiscard]] const std::shared_ptr<const Fd>& root() const { return root_; }
    [[nodiscard]] const FileRegion* root_region() const { return root_region_; }
    [[nodiscard]] bool is_root(const struct stat& status) const { return Identity::of(status) == root_identity_; }
    // Null where nothing is known of it.
    [[nodiscard]] const FilePlace* find(const struct stat& status) const;
    // The region that a folder lies in, by the folders above it; null where they cannot be looked at.
    [[nodiscard]] const FileRegion* region_of(const Fd& folder) const;
    [[nodiscard]] const ViewFolder& working_folder() const { return working_; }

private:
    struct Identity {
        dev_t device = 0;
        ino_t inode = 0;
        static Identity of(const struct stat& status) { return {status.st_dev, status.st_ino}; }
        auto operator<=>(const Identity&) const = default;
    };
    class Builder;

    FilePlaces() = default;

    std::shared_ptr<const Fd> root_;
    Identity root_identity_;
    const FileRegion* root_region_ = nullptr;
    std::vector<std::unique_ptr<FileRegion>> regions_;
    std::map<Identity, FilePlace> places_;
    std::vector<std::shared_ptr<const Fd>> held_;  // so that no other file is given the identity of a root
    ViewFolder working_;
};

// File systems that show or steer the host's kernel, wherever they are mounted.
bool reveals_host(const Fd& folder);
// Of an absolute path; the root's is the root.
std::string folder_of(const std::string& path);
// Paths of what the VMM makes up, less what hangs there of the host's.
bool is_made_up(std::string_view path);

}  // namespace divisi::hv
