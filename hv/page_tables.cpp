#include "hv/page_tables.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace divisi::hv {
namespace {

constexpr std::size_t kPml4At = 0;
constexpr std::size_t kPdptAt = kPageBytes;
constexpr std::size_t kDirectoriesAt = 2 * kPageBytes;
constexpr std::size_t kFastCallsAt = 0x90 * kPageBytes;
constexpr std::size_t kWaitersAt = kFastCallsAt + kPageBytes;
constexpr std::size_t kLooksAt = kWaitersAt - sizeof(std::uint32_t);
constexpr std::size_t kViewChangesAt = kWaitersAt + kPageBytes;
constexpr std::size_t kLeavesAt = 1U << 20U;
constexpr std::size_t kLeafBytes = (kUserBytes >> kPageShift) * sizeof(std::uint64_t);
constexpr std::size_t kTableBytes = kLeavesAt + kLeafBytes;

constexpr std::uint64_t kUpper = Pte::kPresent | Pte::kWritable | Pte::kUser | 0x20;
// The supervisor's quarter is the same for all: an upper table in the node's own system pages.
constexpr std::uint64_t kSystemPdptGpa = kSystemGpa + 0x8000;

static_assert(kDirectoriesAt + (kUserBytes >> 30U) * kPageBytes <= kFastCallsAt);
static_assert(kViewChangesAt + kPageBytes <= kLeavesAt);
static_assert(kViewsGva + kViewBytes <= kFastCallsGva);
static_assert(kWindowGva < kUserBytes);

std::uint64_t next_generation() {
    static std::atomic<std::uint64_t> counter{0};
    return ++counter;
}

}  // namespace

Pte Pte::make(Gpa gpa, int prot) {
    std::uint64_t bits = gpa | kUser | kAccessedDirty;
    if ((prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) != 0) bits |= kPresent;
    if ((prot & PROT_WRITE) != 0) bits |= kWritable;
    if ((prot & PROT_EXEC) == 0) bits |= kNoExecute;
    return {bits};
}

PageTables::PageTables(Fd fd, Mapping region, std::size_t view_bytes)
    : fd_(std::move(fd)), region_(std::move(region)), views_(region_, view_bytes), generation_(next_generation()) {
    write_fixed_entries();
}

Result<std::unique_ptr<PageTables>> PageTables::create(std::size_t window_bytes, std::size_t view_bytes) {
    DIVISI_TRY_ASSIGN(Fd fd, create_memfd("divisi-tables", kTableBytes));
    DIVISI_TRY_ASSIGN(Mapping region, Mapping::reserve(kTableBytes + page_ceil(window_bytes) + view_bytes));
    DIVISI_TRY(region.overlay(0, fd.get(), 0, kTableBytes, PROT_READ | PROT_WRITE));
    return std::unique_ptr<PageTables>(new PageTables(std::move(fd), std::move(region), view_bytes));
}

std::uint64_t* PageTables::entry(std::size_t byte_offset) const {
    // SAFETY: all offsets are computed from addresses below kUserBytes, so they stay within the tables; the region is
    // page aligned and the offsets are multiples of 8.
    return reinterpret_cast<std::uint64_t*>(region_.data() + byte_offset);
}

void PageTables::write_fixed_entries() {
    *entry(kPml4At) = (kProgramGpa + kPdptAt) | kUpper;
    *entry(kPml4At + 511 * sizeof(std::uint64_t)) = kSystemPdptGpa | (kUpper & ~Pte::kUser);
    for (std::size_t gib = 0; gib < (kUserBytes >> 30U); ++gib) {
        *entry(kPdptAt + gib * sizeof(std::uint64_t)) = (kProgramGpa + kDirectoriesAt + gib * kPageBytes) | kUpper;
    }
}

Pte PageTables::get(Gva address) const {
    if (address >= kUserBytes) return {};
    return {std::atomic_ref(*entry(kLeavesAt + (address >> kPageShift) * sizeof(std::uint64_t)))
                .load(std::memory_order_acquire)};
}

Pte PageTables::peek(Gva address) const {
    return address < kUserBytes && has_table(address) ? get(address) : Pte{};
}

void PageTables::set(Gva address, Pte pte) {
    store(address, pte);
}

void PageTables::store(Gva address, Pte pte) const {
    ensure_upper_entry(address);
    // ORDER: release, so that a processor that walks to this entry finds what the frame was filled with.
    std::atomic_ref(*entry(kLeavesAt + (address >> kPageShift) * sizeof(std::uint64_t)))
        .store(pte.bits, std::memory_order_release);
}

void PageTables::ensure_upper_entry(Gva address) const {
    const std::size_t table = address >> 21U;
    const std::atomic_ref directory(*entry(kDirectoriesAt + table * sizeof(std::uint64_t)));
    if (directory.load(std::memory_order_relaxed) == 0)
        directory.store((kProgramGpa + kLeavesAt + table * kPageBytes) | kUpper, std::memory_order_release);
}

bool PageTables::has_table(Gva address) const {
    return std::atomic_ref(*entry(kDirectoriesAt + (address >> 21U) * sizeof(std::uint64_t)))
               .load(std::memory_order_relaxed) != 0;
}

Result<void> PageTables::set_windows(const std::vector<WindowPiece>& pieces) {
    const std::size_t room = std::min<std::size_t>(views_.at() - kTableBytes, kViewsGva - kPageBytes - kWindowGva);
    std::size_t used = 0;
    for (const WindowPiece& piece : pieces) {
        if (piece.size_bytes % kPageBytes != 0 || piece.size_bytes > room - used)
            return make_error(Errc::kInsufficient, "a node's windows do not fit into its window space");
        used += piece.size_bytes;
    }
    if (window_bytes_used_ != 0) DIVISI_TRY(region_.clear(kTableBytes, window_bytes_used_));
    pieces_.clear();
    window_bytes_used_ = 0;
    std::size_t at = kTableBytes;
    for (const WindowPiece& piece : pieces) {
        const int prot = piece.writable ? PROT_READ | PROT_WRITE : PROT_READ;
        DIVISI_TRY(region_.overlay(at, piece.fd, piece.offset, piece.size_bytes, prot));
        at += piece.size_bytes;
    }
    pieces_ = pieces;
    window_bytes_used_ = used;
    return {};
}

std::byte* PageTables::window_host(std::size_t offset) const {
    return region_.data() + kTableBytes + offset;
}

Gpa PageTables::window_gpa(std::size_t offset) {
    return kProgramGpa + kTableBytes + offset;
}

std::optional<std::size_t> PageTables::view_page(Gpa gpa) const {
    const Gpa first = kProgramGpa + views_.at();
    if (gpa < first || gpa >= kProgramGpa + region_.size()) return std::nullopt;
    return (gpa - first) / kPageBytes;
}

Result<void> PageTables::show(std::size_t page, const Ram& ram, std::span<const FrameRun> runs) {
    DIVISI_TRY(views_.show(page, ram, runs));
    const Gpa first = kProgramGpa + views_.at();
    store(kViewsGva - kPageBytes, Pte::make(kProgramGpa + kViewChangesAt, PROT_READ));
    for (const FrameRun& run : runs) {
        for (const std::size_t end = page + run.count; page < end; ++page)
            store(kViewsGva + page * kPageBytes, Pte::make(first + page * kPageBytes, PROT_READ));
    }
    return {};
}

void PageTables::count_view_change() noexcept {
    // SAFETY: a word of a page of its own, aligned as that is; only this writes it, programs read it.
    std::atomic_ref(*reinterpret_cast<std::uint32_t*>(region_.data() + kViewChangesAt)).fetch_add(1);
}

void PageTables::hide(std::size_t page, std::size_t pages) noexcept {
    views_.hide(page, pages);
    revoke(kViewsGva + page * kPageBytes, kViewsGva + (page + pages) * kPageBytes);
}

void PageTables::attach(TranslationCache& cache) const {
    const std::lock_guard lock(caches_mutex_);
    caches_.push_back(&cache);
}

void PageTables::detach(TranslationCache& cache) const {
    const std::lock_guard lock(caches_mutex_);
    std::erase(caches_, &cache);
}

bool PageTables::cached() const {
    const std::lock_guard lock(caches_mutex_);
    return !caches_.empty();
}

void PageTables::revoke(Gva begin, Gva end) const noexcept {
    const std::lock_guard lock(caches_mutex_);
    for (TranslationCache* cache : caches_) cache->revoke(begin, end);
}

void PageTables::expose_fast_calls(std::span<const std::byte> code) const {
    std::memcpy(region_.data() + kFastCallsAt, code.data(), std::min(code.size(), kLooksAt - kFastCallsAt));
    store(kFastCallsGva, Pte::make(kProgramGpa + kFastCallsAt, PROT_READ | PROT_EXEC));
    store(kWaitersGva, Pte::make(kProgramGpa + kWaitersAt, PROT_READ));
    store(kDoorGva, Pte::make(kDoorGpa, PROT_READ | PROT_WRITE));
}

std::uint32_t& PageTables::waiters(Gva address) const {
    // SAFETY: within the page, and aligned as it is; other threads and the program's own look at it, atomically.
    return *reinterpret_cast<std::uint32_t*>(region_.data() + kWaitersAt + (address & 0xffcU));
}

void PageTables::set_looks(std::uint32_t looks) const {
    // SAFETY: the last word of the page of code, aligned as that is; only this writes it, programs read it.
    std::atomic_ref(*reinterpret_cast<std::uint32_t*>(region_.data() + kLooksAt)).store(looks);
}

void PageTables::clear() {
    set_looks(0);
    std::memset(region_.data() + kWaitersAt, 0, kPageBytes);
    // Only the leaves: the upper entries' values hold for every program to come.
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kLeavesAt),
                static_cast<off_t>(kLeafBytes));
    revoke(0, kUserBytes);
}

}  // namespace divisi::hv
