// A program's open files: its descriptor numbers and what is behind them.
//
// A guest's descriptors are numbers in this table; the host's descriptors behind them are never shown. Standard output
// and error may lead to a sink of the job's instead of a descriptor.
//
// Threads: all members may be called from several threads; an open file lives as long as a call uses it.
#pragma once

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "hv/host_memory.hpp"
#include "hv/virtual_files.hpp"

namespace divisi::hv {

class SignalFile;
struct FileRegion;

// Where a program's standard output or error goes.
class OutputSink {
public:
    OutputSink() = default;
    OutputSink(const OutputSink&) = delete;
    OutputSink& operator=(const OutputSink&) = delete;
    virtual ~OutputSink() = default;
    // Takes all of it, or gives a negative errno.
    virtual std::int64_t write(std::string_view data) = 0;
    // The descriptor the output will reach, for questions such as isatty; -1 where there is none.
    [[nodiscard]] virtual int terminal() const = 0;
};

// A folder that the VMM makes up, as it was when it was opened.
class OpenFolder {
public:
    explicit OpenFolder(std::vector<VirtualEntry> entries) : entries_(std::move(entries)) {}
    // As getdents64(2): whole records into `buffer`; their bytes, 0 at the end, -EINVAL where not one fits.
    std::int64_t read(std::span<std::byte> buffer);
    std::int64_t seek(std::int64_t offset, int whence);

private:
    std::mutex mutex_;
    std::vector<VirtualEntry> entries_;
    std::size_t next_ = 0;
};

struct OpenFile {
    Fd fd;
    std::shared_ptr<OutputSink> sink;                     // instead of fd
    std::unique_ptr<OpenFolder> folder;                   // instead of fd, or of what the host would list of it
    std::shared_ptr<SignalFile> signals;                  // what `fd` only tells about: signals to be read
    std::unique_ptr<std::atomic<std::uint32_t>> watches;  // of inotify: how many were added
    std::optional<struct stat> status;                    // what fstat says, where not what the host says of `fd`
    std::string path;                                     // absolute where it has one
    std::shared_ptr<HostShare> share;                     // of what the host keeps for it: pipes, sockets, memory files
    std::shared_ptr<void> counted;                        // in the table that it was first put into
    int flags = 0;                                        // as opened: O_APPEND, O_NONBLOCK, …
    bool may_block = false;                               // a pipe, socket or terminal: calls go to another host thread
    bool changeable = false;                              // its place lets the program change its attributes
    const FileRegion* region = nullptr;                   // a folder: where it lies

    [[nodiscard]] int host() const { return sink ? sink->terminal() : fd.get(); }
};

class FileTable {
public:
    // So many there are at most.
    static constexpr int kLimit = 1024;

    // Numbers from `limit` on are given to no file more (RLIMIT_NOFILE); those that have one keep it.
    void limit(std::uint64_t limit);
    [[nodiscard]] int limit() const;
    // So many open files there are at most, those without a number that something else still uses among them.
    static constexpr int kMostFiles = 4 * kLimit;
    // The lowest free number from `from`; -EMFILE, -ENFILE.
    int add(std::shared_ptr<OpenFile> file, bool close_on_exec, int from = 0);
    // Puts the file at a number, closing what was there; -EBADF beyond the limit.
    int put(int number, std::shared_ptr<OpenFile> file, bool close_on_exec);
    [[nodiscard]] std::shared_ptr<OpenFile> get(int number) const;
    // 0 or -EBADF.
    int close(int number);
    void close_all();
    // FD_CLOEXEC: -1 where the number is not open.
    [[nodiscard]] int descriptor_flags(int number) const;
    void set_descriptor_flags(int number, bool close_on_exec);
    [[nodiscard]] std::vector<int> numbers() const;

private:
    bool count(OpenFile& file);

    struct Slot {
        std::shared_ptr<OpenFile> file;
        bool close_on_exec = false;
    };
    mutable std::mutex mutex_;
    std::vector<Slot> slots_;
    std::atomic<int> limit_{kLimit};
    std::shared_ptr<std::atomic<int>> open_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace divisi::hv
