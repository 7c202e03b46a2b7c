// The page tables of one program, and the guest-physical region that holds them and the program's windows.
//
// The program's address space is 128 GiB, so its last-level entries are one flat array: the entry of an address is
// `leaf[address >> 12]`, and every upper entry has one value for ever. That keeps edits trivial, and it keeps them
// right where KVM shadows guest page tables: an upper entry never changes once it is present, and a last-level entry
// is only taken away together with an invalidation of the frame behind it (`Ram::free`, `Ram::invalidate`), which
// removes the shadow.
//
// Shape of the region: [PML4][PDPT][128 page directories][fast calls: code, counts][count of changes of the views][leaf
// array, 256 MiB, sparse][windows][views]. Threads: entries are read and written atomically; who may change which is
// the address space's business. Source: Intel SDM vol. 3A, 4.5.4 "Linear-Address Translation with 4-Level Paging".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "hv/layout.hpp"
#include "hv/view_window.hpp"

namespace divisi::hv {

// A last-level entry.
struct Pte {
    static constexpr std::uint64_t kPresent = 1, kWritable = 2, kUser = 4, kNoExecute = 1ULL << 63U;
    // Set from the start, so that no processor ever writes to the tables.
    static constexpr std::uint64_t kAccessedDirty = 0x60;
    static constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;

    std::uint64_t bits = 0;

    [[nodiscard]] bool present() const { return (bits & kPresent) != 0; }
    [[nodiscard]] bool writable() const { return (bits & kWritable) != 0; }
    [[nodiscard]] bool executable() const { return (bits & kNoExecute) == 0; }
    [[nodiscard]] Gpa gpa() const { return bits & kAddressMask; }
    // An entry that holds a frame the program may not touch now (PROT_NONE): known to us, absent to the processor.
    [[nodiscard]] bool held() const { return bits != 0; }
    [[nodiscard]] bool in_ram() const { return held() && gpa() >= kRamGpa; }
    [[nodiscard]] std::uint32_t frame() const { return static_cast<std::uint32_t>((gpa() - kRamGpa) >> kPageShift); }

    // `prot` as in mmap(2).
    static Pte make(Gpa gpa, int prot);
};

// A piece of a window: pages of some memory file.
struct WindowPiece {
    int fd = -1;
    std::uint64_t offset = 0;
    std::size_t size_bytes = 0;
    bool writable = true;
    bool executable = false;
};

// Something that keeps translations of its own, made from page-table entries (a node's processor that does not walk the
// tables itself).
class TranslationCache {
public:
    TranslationCache() = default;
    TranslationCache(const TranslationCache&) = delete;
    TranslationCache& operator=(const TranslationCache&) = delete;
    virtual ~TranslationCache() = default;

    // Forgets what it made of the entries of [begin, end), which have changed. When it returns, no processor reaches
    // the pages by them any more.
    virtual void revoke(Gva begin, Gva end) noexcept = 0;
};

class PageTables {
public:
    // `view_bytes`: for what other programs may show this one; at most kViewBytes.
    static Result<std::unique_ptr<PageTables>> create(std::size_t window_bytes, std::size_t view_bytes = 0);

    [[nodiscard]] Pte get(Gva address) const;
    // The same, but never gives a table memory by looking at it.
    [[nodiscard]] Pte peek(Gva address) const;
    void set(Gva address, Pte pte);
    // Calls `visit(address, pte)` for every entry in use in [begin, end); `visit` may change it.
    template <typename Visit>
    void for_each_held(Gva begin, Gva end, Visit visit) const {
        constexpr Gva kTableSpan = 1ULL << 21U;
        for (Gva at = begin; at < end;) {
            const Gva table_end = (at & ~(kTableSpan - 1)) + kTableSpan;
            // Reading a table that was never written would give it memory.
            if (!has_table(at)) {
                at = table_end;
                continue;
            }
            for (; at < end && at < table_end; at += kPageBytes) {
                if (const Pte pte = get(at); pte.held()) visit(at, pte);
            }
        }
    }

    // Places pieces one after another at the start of the windows; replaces what was there. Their pages appear to the
    // program once it maps kWindowGva… (AddressSpace::map_windows). Errors: kInsufficient when they do not fit.
    Result<void> set_windows(const std::vector<WindowPiece>& pieces);
    [[nodiscard]] const std::vector<WindowPiece>& windows() const { return pieces_; }
    [[nodiscard]] std::size_t window_bytes_used() const { return window_bytes_used_; }
    // Where a page that is not in RAM is for the VMM.
    [[nodiscard]] std::byte* host(Gpa gpa) const { return region_.data() + (gpa - kProgramGpa); }
    // Where window byte `offset` is for the VMM, and for the guest.
    [[nodiscard]] std::byte* window_host(std::size_t offset) const;
    [[nodiscard]] static Gpa window_gpa(std::size_t offset);

    // Memory files of which pages may be shown in the views, lent for its lifetime: a processor that does not walk the
    // tables has to know them before it starts.
    void set_view_files(std::vector<int> fds) { view_files_ = std::move(fds); }
    [[nodiscard]] const std::vector<int>& view_files() const { return view_files_; }
    [[nodiscard]] const ViewWindow& views() const { return views_; }
    // ViewWindow's.
    Result<void> show(std::size_t page, const Ram& ram, std::span<const FrameRun> runs);
    void hide(std::size_t page, std::size_t pages) noexcept;
    // Views are about to change that the program relies on: it can read how often that has been so.
    void count_view_change() noexcept;
    // Which page of the views this is; nothing where it is none.
    [[nodiscard]] std::optional<std::size_t> view_page(Gpa gpa) const;

    // Shows the program, until `clear`, a page with this code at kFastCallsGva, and one with the counts of waiters at
    // kWaitersGva. It can write neither. Behind them, the door.
    void expose_fast_calls(std::span<const std::byte> code) const;
    // How many threads wait on words whose addresses end like this one's; for the VMM to keep.
    [[nodiscard]] std::uint32_t& waiters(Gva address) const;
    // How often that code looks at a word before the thread waits for it: 0 where other threads want the PU.
    void set_looks(std::uint32_t looks) const;

    // Forgets all entries, and gives their memory back.
    void clear();

    // Who has to be told when rights are taken away. Without one, the invalidation of the frames' host mapping is all
    // that it takes (`Ram::free`, `Ram::invalidate`). Any thread.
    void attach(TranslationCache& cache) const;
    void detach(TranslationCache& cache) const;
    [[nodiscard]] bool cached() const;
    // Tells them all; after the entries were changed, and before their frames are given to anyone else.
    void revoke(Gva begin, Gva end) const noexcept;

    // The memory file of the region's beginning, up to the windows.
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] std::byte* region() const { return region_.data(); }
    [[nodiscard]] std::size_t region_bytes() const { return region_.size(); }
    [[nodiscard]] static Gpa root() { return kProgramGpa; }
    // Different for every set of tables that ever lived: tells a node that kept a pointer from one that reused it.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

private:
    PageTables(Fd fd, Mapping region, std::size_t view_bytes);
    void write_fixed_entries();
    void ensure_upper_entry(Gva address) const;
    void store(Gva address, Pte pte) const;
    [[nodiscard]] bool has_table(Gva address) const;
    [[nodiscard]] std::uint64_t* entry(std::size_t byte_offset) const;

    Fd fd_;
    Mapping region_;
    ViewWindow views_;
    std::vector<int> view_files_;
    std::vector<WindowPiece> pieces_;
    std::size_t window_bytes_used_ = 0;
    std::uint64_t generation_;
    mutable std::mutex caches_mutex_;
    mutable std::vector<TranslationCache*> caches_;
};

}  // namespace divisi::hv
