// The files that a kernel makes up: /proc, /sys and /dev as a program in a node should find them.
//
// The VMM answers these paths itself, from one table; the host's files of these names are never shown. They say what
// the program's own machine is like: as many processors as it has nodes, its own memory, itself as the only process.
// What the table does not have, does not exist.
//
// Shape: paths are absolute and canonical: no "." or "..", no doubled slashes.
// Threads: may be called from several threads.
// Source: proc(5), sysfs-devices-system-cpu of the kernel's Documentation/ABI.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace divisi::hv {

class Program;
struct Thread;

// Who asks.
struct VirtualContext {
    Program& program;
    Thread& thread;
};

struct VirtualNode {
    enum class Kind : std::uint8_t {
        kFolder,
        kFile,
        kLink,
        kDescriptor,  // a link that stands for one of the program's open files: `numbers.fd`
        kHost,        // a file of the host's, under the same name
    };
    // What the wildcards of the table's pattern stood for.
    struct Numbers {
        int pid = 0, tid = 0, fd = 0, cpu = 0, cache = 0;
    };
    using Text = std::string (*)(const VirtualContext&, const Numbers&);

    Kind kind = Kind::kFolder;
    std::string path;
    unsigned permissions = 0555;
    Numbers numbers;
    Text text = nullptr;
};

// Whether a path is one of those that the VMM answers.
bool is_virtual(std::string_view path);
// Nothing where there is no such file.
std::optional<VirtualNode> find_virtual(const VirtualContext& context, std::string_view path);
// A file's content, or a link's target, as of now.
std::string read_virtual(const VirtualContext& context, const VirtualNode& node);
// What stat(2) says of it.
struct stat status_of(const VirtualNode& node);

struct VirtualEntry {
    std::string name;
    unsigned char type;  // DT_DIR, DT_REG, DT_LNK, DT_CHR
    std::uint64_t inode;
};
// A folder's entries, "." and ".." first.
std::vector<VirtualEntry> list_virtual(const VirtualContext& context, const VirtualNode& folder);

}  // namespace divisi::hv
