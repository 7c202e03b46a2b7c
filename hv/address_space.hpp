// The address space of one guest program: which areas are mapped, with what behind them, and how they change.
//
// The area map is the authority; the page tables follow it. Frames are taken on first use, in runs that grow with the
// use of an area, so that few first touches leave the guest. Protection lives in the page tables; taking rights away
// edits them first and then invalidates the frames' host mapping, upon which the kernel drops what every node's
// processor cached of them. No node has to be stopped for it.
//
// Threads: all members may be called from several threads. The VMM reads and writes the program's memory only by
// `copy_*`, which hold the map still for the time of one copy.
// Errors: as the Linux system calls of the same names, a negative errno in the result.
// Source: mmap(2), mprotect(2), mremap(2), madvise(2), brk(2).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "hv/file_pages.hpp"
#include "hv/layout.hpp"
#include "hv/lent_views.hpp"
#include "hv/page_tables.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {

// What a system call returns: a value, or a negative errno.
using SysResult = std::int64_t;

// How an access that the processor refused ended.
enum class FaultOutcome : std::uint8_t { kResolved, kNotMapped, kNoAccess, kPastFile, kOutOfMemory };

enum class Access : std::uint8_t { kRead, kWrite, kExecute };

class AddressSpace {
public:
    // All are lent for its lifetime. `ram` may be shared with other programs. `views`: who has to be told when pages
    // change that other programs see; null: none does. Gives every frame back when it goes.
    AddressSpace(Ram& ram, PageTables& tables, LentViews* views = nullptr);
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    ~AddressSpace();

    // A file whose bytes an area shows: from `offset`, up to `bytes`, zeros beyond. A private area keeps what is
    // written to it; a shared one has its pages in common with all that show the file (hv/file_pages.hpp).
    struct FileBacking {
        std::shared_ptr<const Fd> fd;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
        bool shared = false;
        bool writable = false;      // a shared one: its descriptor may be written
        bool zeros_beyond = false;  // past `bytes`: zeros (program images), or SIGBUS (mapped files)
        std::string name;
        FileId id;                         // of a shared one
        std::shared_ptr<FilePages> pages;  // of a shared one; `map` sees to it
    };

    // How much it may grow to (setrlimit(2)): in all; of private memory that may be written, but for stacks; and each
    // stack that grows down. The windows count nowhere.
    struct Bounds {
        std::uint64_t all = ~0ULL, data = ~0ULL, stack = 8U << 20U;
    };
    void bound(const Bounds& bounds);

    SysResult map(Gva hint, std::uint64_t length, int prot, int flags, std::optional<FileBacking> file);
    SysResult unmap(Gva address, std::uint64_t length);
    SysResult protect(Gva address, std::uint64_t length, int prot);
    SysResult remap(Gva old_address, std::uint64_t old_length, std::uint64_t new_length, int flags, Gva new_address);
    SysResult advise(Gva address, std::uint64_t length, int advice);
    // Writes back what was written to shared files in the range; -ENOMEM where it is not all mapped.
    SysResult synchronize(Gva address, std::uint64_t length);
    // What is to be said of a file that the program reads, writes or sizes by system calls, and may have mapped. Cheap
    // where no file is shared.
    [[nodiscard]] bool shares_files() const { return shares_files_.load(std::memory_order_relaxed); }
    void before_file_is_read(int fd);
    // Whether a mapping of it may be written to, now or after mprotect.
    [[nodiscard]] bool may_write_to(int fd) const;
    void file_was_written(int fd, std::uint64_t offset, std::uint64_t bytes);
    // While it lives, nothing is written back to the file: the program writes to it, and says so before it goes.
    class FileWrite {
    public:
        void wrote(std::uint64_t offset, std::uint64_t bytes);
        [[nodiscard]] bool matters() const { return file_ != nullptr; }

    private:
        friend class AddressSpace;
        FileWrite(AddressSpace& space, int fd);
        AddressSpace& space_;
        std::unique_lock<std::shared_mutex> lock_;
        std::shared_ptr<FilePages> file_;  // null: nobody has mapped it
    };
    FileWrite write_file(int fd) { return {*this, fd}; }
    void file_was_resized(int fd);
    // Which byte of which shared file is there: for futexes, whose words may be mapped at several places.
    std::optional<std::pair<const void*, std::uint64_t>> place_in_file(Gva address) const;
    SysResult set_break(Gva end);
    SysResult residency(Gva address, std::uint64_t length, Gva vector);
    // Fixes where the heap starts: above the image.
    void set_break_start(Gva start);

    // Shows the windows of the page tables' region to the program, at kWindowGva.
    void map_windows();

    FaultOutcome fault(Gva address, Access access);

    // Copies between the VMM and the program. False (EFAULT) where the program itself could not make the access; what
    // precedes the bad page may have been copied.
    bool copy_in(void* to, Gva from, std::size_t bytes);
    bool copy_out(Gva to, const void* from, std::size_t bytes);
    bool zero_out(Gva to, std::size_t bytes);
    // Copies from one program's memory to another's. `from` and `to` differ.
    enum class Copied : std::uint8_t { kAll, kSourceFault, kTargetFault };
    static Copied copy_between(AddressSpace& from, Gva source, AddressSpace& to, Gva target, std::size_t bytes);
    // Shows whole pages, which the program may read, in the views of another program, from their page `at` on. Shared
    // mappings of files are not shown. 0, -ENXIO where the program could not read them itself, -EOPNOTSUPP, -ENOMEM.
    SysResult show(Gva begin, Gva end, PageTables& viewer, std::size_t at);
    // A page as it is in memory or, where it was never touched, would be: for looking at a program from outside. Does
    // not ask for the program's rights, and changes nothing. False where nothing is mapped.
    bool inspect(Gva page, std::span<std::byte> to) const;
    struct AreaView {
        Gva begin = 0, end = 0;
        int prot = 0;
        bool window = false;
        std::string file;  // its name; empty where there is none
        std::uint64_t offset = 0;
    };
    [[nodiscard]] std::vector<AreaView> areas() const;
    // The pages of [begin, end) that may hold something other than zeros.
    [[nodiscard]] std::vector<Gva> pages_with_content(Gva begin, Gva end) const;
    // A string without its terminator; nothing where it is not readable or longer than `limit`.
    std::optional<std::string> copy_string_in(Gva from, std::size_t limit);

    template <typename T>
    std::optional<T> read(Gva from) {
        T value;
        return copy_in(&value, from, sizeof value) ? std::optional<T>(value) : std::nullopt;
    }
    template <typename T>
    bool write(Gva to, const T& value) {
        return copy_out(to, &value, sizeof value);
    }

    // Where the word at `address` is in the VMM: for futexes. Valid while the page stays mapped: an operation on it
    // must be atomic and must tolerate that the page has meanwhile become another of the same program's.
    // Null where it is not mapped and writable.
    std::uint32_t* word(Gva address);

    // Text in the form of /proc/self/maps.
    [[nodiscard]] std::string describe() const;
    [[nodiscard]] std::uint64_t resident_bytes() const;
    [[nodiscard]] std::uint64_t mapped_bytes() const;  // but for the windows

private:
    struct Area {
        Gva end = 0;
        int prot = 0;
        bool stack = false;  // grows its runs slowly, is not charged
        bool grows = false;  // downwards, when it is used
        bool shared = false;
        bool noreserve = false;  // not charged
        bool window = false;
        std::uint32_t next_run = 16;  // pages to take at the next first touch
        std::optional<FileBacking> file;
        const char* label = "";

        [[nodiscard]] bool charged() const;
        [[nodiscard]] bool is_data() const;
        // With which rights a page that nobody wrote to yet is mapped: the first write to a shared file is to be seen.
        [[nodiscard]] int clean_prot() const;
        [[nodiscard]] bool merges_with(const Area& next, Gva boundary) const;
    };
    using Areas = std::map<Gva, Area>;

    Areas::iterator find(Gva address);
    // Makes `address` a boundary between areas.
    void split_at(Gva address);
    Areas::iterator insert(Gva begin, Area area);
    void merge_around(Gva begin, Gva end);
    std::optional<Gva> find_gap(std::uint64_t length, Gva hint) const;
    [[nodiscard]] bool is_free(Gva begin, Gva end) const;
    // Whether there may be `all` more bytes, `data` of them private and writable.
    [[nodiscard]] bool within_bounds(std::uint64_t all, std::uint64_t data) const;
    [[nodiscard]] bool within_bounds(Gva begin, const Area& area, bool replaces) const;
    [[nodiscard]] bool crowded(std::size_t more) const;
    Areas::iterator grow_down(Gva page);
    bool charge(std::uint64_t bytes);
    void uncharge(std::uint64_t bytes) { charged_ -= bytes; }

    void remove(Gva begin, Gva end);
    void release_frames(Gva begin, Gva end);
    // The same, but forgets what was written to shared files.
    void release(Gva begin, Gva end);
    void share_pages(FileBacking& file);
    [[nodiscard]] std::shared_ptr<FilePages> pages_of(int fd) const;
    bool populate_shared(Gva begin, Gva end, Gva area_begin, const Area& area, std::vector<FrameRun>* taken);
    void release_shared(Gva begin, Gva end, Gva area_begin, const Area& area, std::vector<FrameRun>& released,
                        std::vector<FrameRun>& kept);
    void make_clean(FilePages& file);
    SysResult write_back(FilePages& file);
    void refresh(FilePages& file, std::uint64_t offset, std::uint64_t bytes);
    SysResult write_back(Gva begin, Gva end);
    // After entries of [begin, end) lost rights: no processor keeps the old ones of the frames `changed`.
    void invalidate(Gva begin, Gva end, const std::vector<FrameRun>& changed);
    [[nodiscard]] bool shares_files_in(Gva begin, Gva end) const;
    // Pages of [begin, end) have other contents from here on, or other rights: nobody else sees them any more.
    void hide_from_others(Gva begin, Gva end) const noexcept;
    void apply_protection(Gva begin, Gva end, int prot);
    // `taken`, if given, gets the frames that it took.
    bool populate(Gva address, Gva area_begin, Area& area, std::uint32_t pages, std::vector<FrameRun>* taken = nullptr);
    FaultOutcome fault_locked(Gva address, Access access, std::vector<FrameRun>& taken);
    // The VMM's pointer to the page, or null; needs the map held.
    std::byte* reach(Gva address, bool write) const;
    template <typename Step>
    bool walk(Gva at, std::size_t bytes, bool write, Step step);

    Ram& ram_;
    PageTables& tables_;
    LentViews* views_;
    mutable std::shared_mutex mutex_;
    Areas areas_;
    Bounds bounds_;
    std::uint64_t charged_ = 0;
    std::atomic<bool> shares_files_{false};  // or did once
    std::map<FileId, std::weak_ptr<FilePages>> shared_files_;
    Gva break_start_ = 0;
    Gva break_end_ = 0;
};

}  // namespace divisi::hv
