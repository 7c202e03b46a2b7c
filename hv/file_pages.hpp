// The pages of a file that a program has mapped to be shared, each once, however many mappings show it: what one of
// them writes, all see. And where read(2) and write(2) of the program's meet them: what was written to memory goes into
// the file before that is read, and what is written to the file also goes into its pages here.
//
// They are the program's own. Other programs, and whoever else changes the file, see what was written to memory when it
// is written back: at msync, at the program's next read, and when the pages are unmapped. So nobody who truncates the
// file can make an access of ours fail.
//
// Threads: under the lock of the address space that holds it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "base/fd.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {

// Which file a descriptor is open to.
struct FileId {
    dev_t device = 0;
    ino_t inode = 0;

    static FileId of(const struct stat& status) { return {status.st_dev, status.st_ino}; }
    auto operator<=>(const FileId&) const = default;
};

struct FilePages {
    struct Page {
        Frame frame = 0;
        std::uint32_t mapped = 0;  // by how many entries
        bool dirty = false;        // or an entry lets the processor write to it, then it may become so
    };

    std::map<std::uint64_t, Page> pages;  // by their numbers in the file
    std::shared_ptr<const Fd> reader;
    std::shared_ptr<const Fd> writer;  // null until it is mapped by a descriptor that may write
    bool written = false;              // some page may be dirty
};

}  // namespace divisi::hv
