#include "hv/address_space.hpp"

#include <fmt/format.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "hv/frame_runs.hpp"

namespace divisi::hv {
namespace {

// Anonymous areas up to this size get their frames at once: a few page-table entries against an exit later.
constexpr std::uint64_t kMapAheadBytes = 256U << 10U;
constexpr std::uint64_t kFileAheadBytes = 4U << 20U;
// As on Linux: each takes memory of the VMM's.
constexpr std::size_t kMostAreas = 65530;
// What is kept free below a stack that grows down, and how much it grows by.
constexpr Gva kStackGap = 256 * kPageBytes;
constexpr Gva kStackStep = 64U << 10U;
constexpr std::uint32_t kFirstRunPages = 16;
constexpr std::uint32_t kLargestRunPages = 1024;

bool range_ok(Gva address, std::uint64_t length) {
    return address % kPageBytes == 0 && length != 0 && length <= kUserBytes && address <= kUserBytes - length;
}

bool allows(Pte pte, Access access) {
    if (!pte.present()) return false;
    if (access == Access::kWrite) return pte.writable();
    if (access == Access::kExecute) return pte.executable();
    return true;
}

bool allows(int prot, Access access) {
    if (access == Access::kWrite) return (prot & PROT_WRITE) != 0;
    if (access == Access::kExecute) return (prot & PROT_EXEC) != 0;
    return (prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) != 0;
}

}  // namespace

bool AddressSpace::Area::charged() const {
    return (prot & PROT_WRITE) != 0 && !stack && !noreserve && !window;
}

bool AddressSpace::Area::is_data() const {
    return (prot & PROT_WRITE) != 0 && !shared && !grows && !window;
}

int AddressSpace::Area::clean_prot() const {
    return file && file->shared ? prot & ~PROT_WRITE : prot;
}

bool AddressSpace::Area::merges_with(const Area& next, Gva boundary) const {
    return end == boundary && !file && !next.file && prot == next.prot && stack == next.stack && grows == next.grows &&
           shared == next.shared && noreserve == next.noreserve && !window && !next.window && label == next.label;
}

AddressSpace::AddressSpace(Ram& ram, PageTables& tables, LentViews* views)
    : ram_(ram), tables_(tables), views_(views) {}

AddressSpace::~AddressSpace() {
    if (views_ != nullptr) views_->forget(tables_);
    release_frames(0, kWindowGva);
    tables_.clear();
}

AddressSpace::Areas::iterator AddressSpace::find(Gva address) {
    auto next = areas_.upper_bound(address);
    if (next == areas_.begin()) return areas_.end();
    --next;
    return address < next->second.end ? next : areas_.end();
}

void AddressSpace::split_at(Gva address) {
    const auto it = find(address);
    if (it == areas_.end() || it->first == address) return;
    Area upper = it->second;
    it->second.end = address;
    if (upper.file) {
        const std::uint64_t below = address - it->first;
        upper.file->offset += below;
        upper.file->bytes -= std::min(upper.file->bytes, below);
    }
    areas_.emplace(address, std::move(upper));
}

AddressSpace::Areas::iterator AddressSpace::insert(Gva begin, Area area) {
    return areas_.insert_or_assign(begin, std::move(area)).first;
}

void AddressSpace::merge_around(Gva begin, Gva end) {
    auto it = areas_.lower_bound(begin);
    if (it != areas_.begin()) --it;
    while (it != areas_.end() && it->first <= end) {
        const auto next = std::next(it);
        if (next == areas_.end()) return;
        if (it->second.merges_with(next->second, next->first)) {
            it->second.end = next->second.end;
            areas_.erase(next);
        } else {
            it = next;
        }
    }
}

bool AddressSpace::is_free(Gva begin, Gva end) const {
    const auto next = areas_.lower_bound(end);
    return next == areas_.begin() || std::prev(next)->second.end <= begin;
}

std::optional<Gva> AddressSpace::find_gap(std::uint64_t length, Gva hint) const {
    hint = page_floor(hint);
    if (hint >= kLowestGva && hint < kMmapTop && length <= kMmapTop - hint && is_free(hint, hint + length)) return hint;
    // Top down, as Linux does: the highest gap that is large enough.
    Gva top = kMmapTop;
    auto it = areas_.lower_bound(kMmapTop);
    for (;;) {
        const Gva below = it == areas_.begin() ? kLowestGva : std::max(kLowestGva, std::prev(it)->second.end);
        if (below < top && top - below >= length) return top - length;
        if (it == areas_.begin()) return std::nullopt;
        --it;
        top = std::min(top, it->first);
    }
}

void AddressSpace::bound(const Bounds& bounds) {
    const std::unique_lock lock(mutex_);
    bounds_ = bounds;
}

bool AddressSpace::within_bounds(std::uint64_t all, std::uint64_t data) const {
    constexpr std::uint64_t kNone = ~0ULL;
    if (bounds_.all == kNone && (bounds_.data == kNone || data == 0)) return true;
    for (const auto& [begin, area] : areas_) {
        if (area.window) continue;
        all += area.end - begin;
        if (data != 0 && area.is_data()) data += area.end - begin;
    }
    return all <= bounds_.all && data <= bounds_.data;
}

bool AddressSpace::within_bounds(Gva begin, const Area& area, bool replaces) const {
    const std::uint64_t bytes = area.end - begin;
    std::uint64_t replaced = 0;
    for (auto it = areas_.lower_bound(area.end); replaces && it != areas_.begin();) {
        --it;
        if (it->second.end <= begin) break;
        replaced += std::min(it->second.end, area.end) - std::max(it->first, begin);
    }
    return within_bounds(bytes - replaced, area.is_data() ? bytes : 0);
}

bool AddressSpace::crowded(std::size_t more) const {
    return areas_.size() + more > kMostAreas;
}

// The stack above the page, after it has grown to hold it.
AddressSpace::Areas::iterator AddressSpace::grow_down(Gva page) {
    const auto stack = areas_.upper_bound(page);
    if (stack == areas_.end() || !stack->second.grows || page < kLowestGva) return areas_.end();
    const Gva end = stack->second.end;
    const Gva below = stack == areas_.begin() ? 0 : std::prev(stack)->second.end + kStackGap;
    const Gva lowest = std::max(below, end - std::min(end, page_floor(bounds_.stack)));
    if (page < lowest) return areas_.end();
    const Gva begin = std::max(lowest, page - page % kStackStep);
    if (!within_bounds(stack->first - begin, 0)) return areas_.end();
    auto node = areas_.extract(stack);
    node.key() = begin;
    return areas_.insert(std::move(node)).position;
}

bool AddressSpace::charge(std::uint64_t bytes) {
    if (bytes > ram_.size_bytes() || charged_ > ram_.size_bytes() - bytes) return false;
    charged_ += bytes;
    return true;
}

void AddressSpace::release_frames(Gva begin, Gva end) {
    static_cast<void>(write_back(begin, end));
    release(begin, end);
}

void AddressSpace::release(Gva begin, Gva end) {
    std::vector<FrameRun> released;
    std::vector<FrameRun> kept;
    if (shares_files_.load(std::memory_order_relaxed)) {
        for (const auto& [start, area] : areas_) {
            if (!area.file || !area.file->pages || start >= end || area.end <= begin) continue;
            release_shared(std::max(begin, start), std::min(end, area.end), start, area, released, kept);
        }
    }
    {
        RunCollector runs([&released](FrameRun run) { released.push_back(run); });
        tables_.for_each_held(begin, end, [&](Gva address, Pte pte) {
            if (!pte.in_ram()) return;
            tables_.set(address, {});
            runs.add(pte.frame());
        });
    }
    if (released.empty() && kept.empty()) return;
    hide_from_others(begin, end);
    tables_.revoke(begin, end);
    for (const FrameRun run : released) ram_.free(run);
    if (tables_.cached()) return;
    for (const FrameRun run : kept) ram_.invalidate(run);
}

void AddressSpace::invalidate(Gva begin, Gva end, const std::vector<FrameRun>& changed) {
    if (changed.empty()) return;
    hide_from_others(begin, end);
    if (tables_.cached()) {
        tables_.revoke(begin, end);
    } else {
        for (const FrameRun run : changed) ram_.invalidate(run);
    }
}

void AddressSpace::remove(Gva begin, Gva end) {
    split_at(begin);
    split_at(end);
    release_frames(begin, end);
    auto it = areas_.lower_bound(begin);
    while (it != areas_.end() && it->first < end) {
        if (it->second.charged()) uncharge(it->second.end - it->first);
        it = areas_.erase(it);
    }
}

SysResult AddressSpace::map(Gva hint, std::uint64_t length, int prot, int flags, std::optional<FileBacking> file) {
    if (length == 0) return -EINVAL;
    if (length > kUserBytes) return -ENOMEM;
    length = page_ceil(length);
    const std::unique_lock lock(mutex_);
    const bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
    Gva begin = hint;
    if (fixed) {
        if (hint % kPageBytes != 0) return -EINVAL;
        if (hint < kLowestGva) return -EPERM;
        if (hint >= kWindowGva || length > kWindowGva - hint) return -ENOMEM;
        if ((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE && !is_free(begin, begin + length)) return -EEXIST;
    } else {
        const auto gap = find_gap(length, hint);
        if (!gap) return -ENOMEM;
        begin = *gap;
    }
    Area area;
    area.end = begin + length;
    area.prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
    area.stack = (flags & (MAP_STACK | MAP_GROWSDOWN)) != 0;
    area.grows = (flags & MAP_GROWSDOWN) != 0;
    area.shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    area.noreserve = (flags & MAP_NORESERVE) != 0;
    area.file = std::move(file);
    if (crowded(1) || !within_bounds(begin, area, fixed)) return -ENOMEM;
    if (area.charged() && !charge(length)) return -ENOMEM;
    if (fixed) remove(begin, begin + length);
    if (area.file && area.file->shared) share_pages(*area.file);
    const bool ahead =
        area.prot != PROT_NONE && !area.stack && length <= (area.file ? kFileAheadBytes : kMapAheadBytes);
    const auto it = insert(begin, std::move(area));
    if (ahead || (flags & MAP_POPULATE) != 0)
        populate(begin, begin, it->second, static_cast<std::uint32_t>(length / kPageBytes));
    merge_around(begin, begin + length);
    return static_cast<SysResult>(begin);
}

SysResult AddressSpace::unmap(Gva address, std::uint64_t length) {
    length = page_ceil(length);
    if (!range_ok(address, length) || address + length > kWindowGva) return -EINVAL;
    const std::unique_lock lock(mutex_);
    if (const auto it = find(address);
        it != areas_.end() && crowded(1) && it->first < address && it->second.end > address + length)
        return -ENOMEM;
    remove(address, address + length);
    return 0;
}

void AddressSpace::apply_protection(Gva begin, Gva end, int prot) {
    std::vector<FrameRun> changed;
    {
        RunCollector narrowed([&changed](FrameRun run) { changed.push_back(run); });
        tables_.for_each_held(begin, end, [&](Gva address, Pte old) {
            const Pte now = Pte::make(old.gpa(), prot);
            tables_.set(address, now);
            const bool narrower = (old.present() && !now.present()) || (old.writable() && !now.writable()) ||
                                  (old.executable() && !now.executable());
            if (narrower && old.in_ram()) narrowed.add(old.frame());
        });
    }
    invalidate(begin, end, changed);
}

SysResult AddressSpace::protect(Gva address, std::uint64_t length, int prot) {
    if (address % kPageBytes != 0) return -EINVAL;
    if (length == 0) return 0;
    length = page_ceil(length);
    if (!range_ok(address, length) || address + length > kWindowGva) return -ENOMEM;
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
    const Gva end = address + length;
    const std::unique_lock lock(mutex_);
    // All of the range must be mapped before any of it changes.
    std::uint64_t wanted = 0;
    std::uint64_t data = 0;
    for (Gva at = address; at < end;) {
        const auto it = find(at);
        if (it == areas_.end()) return -ENOMEM;
        const auto& file = it->second.file;
        if (file && file->shared && !file->writable && (prot & PROT_WRITE) != 0) return -EACCES;
        Area changed = it->second;
        changed.prot = prot;
        const std::uint64_t bytes = std::min(it->second.end, end) - at;
        if (changed.charged() && !it->second.charged()) wanted += bytes;
        if (changed.is_data() && !it->second.is_data()) data += bytes;
        at = it->second.end;
    }
    if (crowded(2) || !within_bounds(0, data)) return -ENOMEM;
    if (wanted != 0 && !charge(wanted)) return -ENOMEM;
    split_at(address);
    split_at(end);
    for (auto it = areas_.lower_bound(address); it != areas_.end() && it->first < end; ++it) {
        const bool was_charged = it->second.charged();
        static_cast<void>(write_back(it->first, it->second.end));
        it->second.prot = prot;
        if (was_charged && !it->second.charged()) uncharge(it->second.end - it->first);
        apply_protection(it->first, it->second.end, it->second.clean_prot());
        const std::uint64_t bytes = it->second.end - it->first;
        if (prot != PROT_NONE && !it->second.stack && !it->second.file && bytes <= kMapAheadBytes)
            populate(it->first, it->first, it->second, static_cast<std::uint32_t>(bytes / kPageBytes));
    }
    merge_around(address, end);
    return 0;
}

SysResult AddressSpace::remap(Gva old_address, std::uint64_t old_length, std::uint64_t new_length, int flags,
                              Gva new_address) {
    if (old_address % kPageBytes != 0 || new_length == 0 || (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0)
        return -EINVAL;
    if ((flags & MREMAP_FIXED) != 0 && (flags & MREMAP_MAYMOVE) == 0) return -EINVAL;
    if (old_length > kUserBytes || new_length > kUserBytes) return -ENOMEM;
    old_length = page_ceil(old_length);
    new_length = page_ceil(new_length);
    if (old_length == 0) return -EINVAL;  // duplicating a shared mapping: there are none
    if (!range_ok(old_address, old_length) || old_address + old_length > kWindowGva) return -EFAULT;
    const Gva old_end = old_address + old_length;
    const std::unique_lock lock(mutex_);
    const auto source = find(old_address);
    if (source == areas_.end() || source->second.end < old_end) return -EFAULT;
    const bool fixed = (flags & MREMAP_FIXED) != 0;
    if (fixed &&
        (new_address % kPageBytes != 0 || new_address < kLowestGva || new_address >= kWindowGva ||
         new_length > kWindowGva - new_address || (new_address < old_end && old_address < new_address + new_length)))
        return -EINVAL;
    if (!fixed && new_length <= old_length) {
        if (new_length < old_length) remove(old_address + new_length, old_end);
        return static_cast<SysResult>(old_address);
    }
    const std::uint64_t growth = new_length > old_length ? new_length - old_length : 0;
    const bool charged = source->second.charged();
    const Gva grown_end = old_end + growth;
    const bool in_place =
        !fixed && source->second.end == old_end && grown_end <= kMmapTop && is_free(old_end, grown_end);
    if (!in_place && (flags & MREMAP_MAYMOVE) == 0) return -ENOMEM;
    if (crowded(2) || (growth != 0 && !within_bounds(growth, source->second.is_data() ? growth : 0))) return -ENOMEM;
    if (growth != 0 && charged && !charge(growth)) return -ENOMEM;
    if (in_place) {
        source->second.end = grown_end;
        merge_around(source->first, grown_end);
        return static_cast<SysResult>(old_address);
    }
    Gva target = new_address;
    if (!fixed) {
        const auto gap = find_gap(new_length, 0);
        if (!gap) {
            if (growth != 0 && charged) uncharge(growth);
            return -ENOMEM;
        }
        target = *gap;
    } else {
        remove(target, target + new_length);
    }
    split_at(old_address);
    split_at(old_end);
    if (new_length < old_length) {
        remove(old_address + new_length, old_end);
        old_length = new_length;
    }
    const auto moved = areas_.find(old_address);
    Area area = moved->second;
    areas_.erase(moved);
    area.end = target + new_length;
    insert(target, std::move(area));
    std::vector<FrameRun> moved_frames;
    {
        RunCollector left([&moved_frames](FrameRun run) { moved_frames.push_back(run); });
        tables_.for_each_held(old_address, old_address + old_length, [&](Gva address, Pte pte) {
            tables_.set(target + (address - old_address), pte);
            tables_.set(address, {});
            if (pte.in_ram()) left.add(pte.frame());
        });
    }
    invalidate(old_address, old_address + old_length, moved_frames);
    return static_cast<SysResult>(target);
}

SysResult AddressSpace::advise(Gva address, std::uint64_t length, int advice) {
    if (address % kPageBytes != 0) return -EINVAL;
    if (length == 0) return 0;
    length = page_ceil(length);
    if (!range_ok(address, length)) return -ENOMEM;
    const Gva end = address + length;
    const std::unique_lock lock(mutex_);
    for (Gva at = address; at < end;) {
        const auto it = find(at);
        if (it == areas_.end() || it->second.window) return -ENOMEM;
        at = it->second.end;
    }
    switch (advice) {
        case MADV_DONTNEED:
        case MADV_FREE:  // may be taken lazily: at once is within the contract
            release_frames(address, end);
            return 0;
        case MADV_WILLNEED:
        case MADV_POPULATE_READ:
        case MADV_POPULATE_WRITE:
        case MADV_NORMAL:
        case MADV_RANDOM:
        case MADV_SEQUENTIAL:
        case MADV_HUGEPAGE:
        case MADV_NOHUGEPAGE:
        case MADV_DONTDUMP:
        case MADV_DODUMP:
        case MADV_DONTFORK:
        case MADV_DOFORK:
        case MADV_COLD:
        case MADV_PAGEOUT: return 0;
        default: return -EINVAL;
    }
}

SysResult AddressSpace::residency(Gva address, std::uint64_t length, Gva vector) {
    if (address % kPageBytes != 0) return -EINVAL;
    if (length == 0) return 0;
    length = page_ceil(length);
    if (!range_ok(address, length)) return -ENOMEM;
    for (std::uint64_t at = 0; at < length; at += kPageBytes) {
        const std::shared_lock lock(mutex_);
        if (const_cast<AddressSpace*>(this)->find(address + at) == areas_.end()) return -ENOMEM;
    }
    for (std::uint64_t at = 0; at < length; at += kPageBytes) {
        const auto here = static_cast<std::uint8_t>(tables_.peek(address + at).present() ? 1 : 0);
        if (!copy_out(vector + at / kPageBytes, &here, 1)) return -EFAULT;
    }
    return 0;
}

void AddressSpace::set_break_start(Gva start) {
    const std::unique_lock lock(mutex_);
    break_start_ = break_end_ = page_ceil(start);
}

SysResult AddressSpace::set_break(Gva end) {
    const std::unique_lock lock(mutex_);
    if (end < break_start_ || end >= kMmapTop) return static_cast<SysResult>(break_end_);
    const Gva old_top = page_ceil(break_end_);
    const Gva new_top = page_ceil(end);
    if (new_top < old_top) remove(new_top, old_top);
    if (new_top > old_top) {
        const std::uint64_t growth = new_top - old_top;
        if (!is_free(old_top, new_top) || crowded(1) || !within_bounds(growth, growth) || !charge(growth))
            return static_cast<SysResult>(break_end_);
        Area area;
        area.end = new_top;
        area.prot = PROT_READ | PROT_WRITE;
        area.label = "[heap]";
        const auto it = insert(old_top, std::move(area));
        if (new_top - old_top <= kMapAheadBytes)
            populate(old_top, old_top, it->second, static_cast<std::uint32_t>((new_top - old_top) / kPageBytes));
        merge_around(old_top, new_top);
    }
    break_end_ = end;
    return static_cast<SysResult>(end);
}

void AddressSpace::map_windows() {
    const std::unique_lock lock(mutex_);
    Gva at = kWindowGva;
    std::size_t offset = 0;
    for (const WindowPiece& piece : tables_.windows()) {
        Area area;
        area.end = at + piece.size_bytes;
        area.prot = PROT_READ | (piece.writable ? PROT_WRITE : 0) | (piece.executable ? PROT_EXEC : 0);
        area.window = true;
        area.label = piece.executable ? "[vdso]" : "[divisi]";
        for (std::size_t page = 0; page < piece.size_bytes; page += kPageBytes)
            tables_.set(at + page, Pte::make(PageTables::window_gpa(offset + page), area.prot));
        insert(at, std::move(area));
        at += piece.size_bytes;
        offset += piece.size_bytes;
    }
}

bool AddressSpace::populate(Gva address, Gva area_begin, Area& area, std::uint32_t pages,
                            std::vector<FrameRun>* taken) {
    const Gva end = std::min(area.end, address + std::uint64_t{pages} * kPageBytes);
    const std::uint64_t file_pages =
        area.file && !area.file->zeros_beyond ? page_ceil(area.file->bytes) : area.end - area_begin;
    if (area.file && area.file->pages)
        return populate_shared(address, std::min(end, area_begin + file_pages), area_begin, area, taken);
    Gva at = address;
    while (at < end && at - area_begin < file_pages) {
        if (tables_.peek(at).held()) {
            at += kPageBytes;
            continue;
        }
        Gva gap_end = at + kPageBytes;
        while (gap_end < end && gap_end - area_begin < file_pages && !tables_.peek(gap_end).held())
            gap_end += kPageBytes;
        const FrameRun run = ram_.allocate(static_cast<std::uint32_t>((gap_end - at) / kPageBytes));
        if (run.count == 0) return at > address;
        if (taken != nullptr) taken->push_back(run);
        const std::size_t run_bytes = std::size_t{run.count} * kPageBytes;
        if (area.file && at - area_begin < area.file->bytes) {
            if (const auto shared =
                    shares_files_.load(std::memory_order_relaxed) ? pages_of(area.file->fd->get()) : nullptr)
                static_cast<void>(write_back(*shared));
            const std::uint64_t in_file = std::min<std::uint64_t>(run_bytes, area.file->bytes - (at - area_begin));
            std::size_t done = 0;
            while (done < in_file) {
                const ssize_t count = ::pread(area.file->fd->get(), ram_.host(run.first) + done, in_file - done,
                                              static_cast<off_t>(area.file->offset + (at - area_begin) + done));
                if (count <= 0) break;  // truncated meanwhile: zeros
                done += static_cast<std::size_t>(count);
            }
        }
        for (std::uint32_t i = 0; i < run.count; ++i)
            tables_.set(at + std::uint64_t{i} * kPageBytes,
                        Pte::make(kRamGpa + (std::uint64_t{run.first} + i) * kPageBytes, area.clean_prot()));
        at += run_bytes;
    }
    return true;
}

FaultOutcome AddressSpace::fault_locked(Gva address, Access access, std::vector<FrameRun>& taken) {
    const Gva page = page_floor(address);
    auto it = find(page);
    if (it == areas_.end()) it = grow_down(page);
    if (it == areas_.end()) return FaultOutcome::kNotMapped;
    Area& area = it->second;
    if (!allows(area.prot, access)) return FaultOutcome::kNoAccess;
    // Another node may have come first, or the processor still held an older entry.
    if (allows(tables_.peek(page), access)) return FaultOutcome::kResolved;
    if (area.window) return FaultOutcome::kNoAccess;
    if (area.file && !area.file->zeros_beyond && page - it->first >= page_ceil(area.file->bytes)) {
        // It may have grown.
        struct stat status {};
        const bool known = area.file->shared && ::fstat(area.file->fd->get(), &status) == 0;
        const auto size = static_cast<std::uint64_t>(known ? status.st_size : 0);
        if (size > area.file->offset) area.file->bytes = std::max(area.file->bytes, size - area.file->offset);
        if (page - it->first >= page_ceil(area.file->bytes)) return FaultOutcome::kPastFile;
    }
    const auto touch = [&] {
        if (access != Access::kWrite || !area.file || !area.file->pages) return;
        area.file->pages->written = true;
        if (const Pte pte = tables_.peek(page); pte.held()) tables_.set(page, Pte::make(pte.gpa(), area.prot));
    };
    if (tables_.peek(page).held()) {
        touch();
        return FaultOutcome::kResolved;
    }
    const std::uint32_t run = area.next_run;
    area.next_run = std::min(run * 2, area.stack ? kFirstRunPages * 4 : kLargestRunPages);
    // A run that contains the page and starts at a multiple of its size: a stack grows down into it, an array up.
    const Gva run_bytes = std::uint64_t{run} * kPageBytes;
    const Gva start = std::max(it->first, page - page % run_bytes);
    const auto pages_before = static_cast<std::uint32_t>((page - start) / kPageBytes);
    if (!populate(page, it->first, area, run - std::min(run - 1, pages_before), &taken))
        return FaultOutcome::kOutOfMemory;
    if (start < page) populate(start, it->first, area, pages_before, &taken);
    touch();
    return FaultOutcome::kResolved;
}

FaultOutcome AddressSpace::fault(Gva address, Access access) {
    std::vector<FrameRun> taken;
    FaultOutcome outcome{};
    {
        const std::unique_lock lock(mutex_);
        outcome = fault_locked(address, access, taken);
    }
    // Not under the lock: other nodes' faults need not wait until the host has cleared so many pages.
    for (const FrameRun run : taken) ram_.populate(run);
    return outcome;
}

std::byte* AddressSpace::reach(Gva address, bool write) const {
    const Pte pte = tables_.peek(address);
    if (!allows(pte, write ? Access::kWrite : Access::kRead) || pte.gpa() == kDoorGpa) return nullptr;
    const std::size_t within = address % kPageBytes;
    // SAFETY: entries are made by this class only, from frames of `ram_` or pages of the windows.
    if (pte.in_ram()) return ram_.host(pte.frame()) + within;
    return tables_.host(pte.gpa()) + within;
}

bool AddressSpace::inspect(Gva page, std::span<std::byte> to) const {
    if (page % kPageBytes != 0 || page >= kUserBytes || to.size() != kPageBytes) return false;
    const std::shared_lock lock(mutex_);
    auto next = areas_.upper_bound(page);
    if (next == areas_.begin()) return false;
    const auto& [begin, area] = *--next;
    if (page >= area.end) return false;
    if (const Pte pte = tables_.peek(page); pte.held()) {
        // SAFETY: as in `reach`; other nodes may write the page meanwhile, and the copy is only looked at.
        const std::byte* from = pte.in_ram() ? ram_.host(pte.frame()) : tables_.host(pte.gpa());
        std::memcpy(to.data(), from, kPageBytes);
        return true;
    }
    std::memset(to.data(), 0, to.size());
    const std::uint64_t within = page - begin;
    if (!area.file || within >= area.file->bytes) return true;
    const std::size_t wanted = std::min<std::uint64_t>(kPageBytes, area.file->bytes - within);
    // What cannot be read is zeros, as it would be after a fault.
    (void)!::pread(area.file->fd->get(), to.data(), wanted, static_cast<off_t>(area.file->offset + within));
    return true;
}

std::vector<AddressSpace::AreaView> AddressSpace::areas() const {
    const std::shared_lock lock(mutex_);
    std::vector<AreaView> views;
    for (const auto& [begin, area] : areas_)
        views.push_back({begin, area.end, area.prot, area.window, area.file ? area.file->name : std::string(),
                         area.file ? area.file->offset : 0});
    return views;
}

std::vector<Gva> AddressSpace::pages_with_content(Gva begin, Gva end) const {
    const std::shared_lock lock(mutex_);
    std::vector<Gva> pages;
    tables_.for_each_held(begin, end, [&pages](Gva address, Pte) { pages.push_back(address); });
    for (auto it = areas_.lower_bound(begin); it != areas_.end() && it->first < end; ++it) {
        if (!it->second.file) continue;
        const Gva file_end = std::min({it->second.end, end, it->first + page_ceil(it->second.file->bytes)});
        for (Gva page = it->first; page < file_end; page += kPageBytes) {
            if (!tables_.peek(page).held()) pages.push_back(page);
        }
    }
    return pages;
}

std::uint32_t* AddressSpace::word(Gva address) {
    if (address % sizeof(std::uint32_t) != 0 || address >= kUserBytes) return nullptr;
    for (;;) {
        {
            const std::shared_lock lock(mutex_);
            if (std::byte* at = reach(address, true); at != nullptr) return reinterpret_cast<std::uint32_t*>(at);
        }
        if (fault(address, Access::kWrite) != FaultOutcome::kResolved) return nullptr;
    }
}

std::string AddressSpace::describe() const {
    const std::shared_lock lock(mutex_);
    std::string text;
    for (const auto& [begin, area] : areas_) {
        const std::string_view name = area.file               ? std::string_view(area.file->name)
                                      : area.end == kStackTop ? "[stack]"
                                                              : std::string_view(area.label);
        text +=
            fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} 00:00 0", begin, area.end, (area.prot & PROT_READ) ? 'r' : '-',
                        (area.prot & PROT_WRITE) ? 'w' : '-', (area.prot & PROT_EXEC) ? 'x' : '-',
                        area.shared ? 's' : 'p', area.file ? area.file->offset : 0);
        text += name.empty() ? "\n" : fmt::format("{:>20} {}\n", "", name);
    }
    return text;
}

std::uint64_t AddressSpace::resident_bytes() const {
    const std::shared_lock lock(mutex_);
    std::uint64_t bytes = 0;
    tables_.for_each_held(0, kWindowGva, [&bytes](Gva, Pte pte) { bytes += pte.in_ram() ? kPageBytes : 0; });
    return bytes;
}

std::uint64_t AddressSpace::mapped_bytes() const {
    const std::shared_lock lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [begin, area] : areas_) bytes += area.window ? 0 : area.end - begin;
    return bytes;
}

}  // namespace divisi::hv
