// The pages of files that are mapped to be shared (hv/file_pages.hpp).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "hv/address_space.hpp"
#include "hv/frame_runs.hpp"

namespace divisi::hv {
namespace {

constexpr int kNoAppend = 0x20;  // RWF_NOAPPEND: Linux 6.9

// SAFETY: the frames are ours, and other nodes may change them meanwhile: bytes on their way between a file and memory.
void fill(std::byte* to, std::uint64_t bytes, int fd, std::uint64_t offset) {
    for (std::uint64_t done = 0; done < bytes;) {
        const ssize_t count = ::pread(fd, to + done, bytes - done, static_cast<off_t>(offset + done));
        if (count <= 0) return;  // the end, or truncated meanwhile: zeros
        done += static_cast<std::uint64_t>(count);
    }
}

std::optional<FileId> id_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return FileId::of(status);
}

}  // namespace

void AddressSpace::share_pages(FileBacking& file) {
    std::erase_if(shared_files_, [](const auto& item) { return item.second.expired(); });
    std::weak_ptr<FilePages>& known = shared_files_[file.id];
    file.pages = known.lock();
    if (file.pages == nullptr) known = file.pages = std::make_shared<FilePages>();
    if (file.pages->reader == nullptr) file.pages->reader = file.fd;
    if (file.pages->writer == nullptr && file.writable) file.pages->writer = file.fd;
    shares_files_.store(true, std::memory_order_relaxed);
}

std::shared_ptr<FilePages> AddressSpace::pages_of(int fd) const {
    const auto id = id_of(fd);
    const auto found = id ? shared_files_.find(*id) : shared_files_.end();
    return found == shared_files_.end() ? nullptr : found->second.lock();
}

bool AddressSpace::populate_shared(Gva begin, Gva end, Gva area_begin, const Area& area, std::vector<FrameRun>* taken) {
    FilePages& file = *area.file->pages;
    const auto number_of = [&](Gva at) { return (area.file->offset + (at - area_begin)) / kPageBytes; };
    const auto map_page = [&](Gva at, FilePages::Page& page) {
        ++page.mapped;
        tables_.set(at, Pte::make(kRamGpa + std::uint64_t{page.frame} * kPageBytes, area.clean_prot()));
    };
    for (Gva at = begin; at < end;) {
        if (tables_.peek(at).held()) {
            at += kPageBytes;
            continue;
        }
        if (const auto known = file.pages.find(number_of(at)); known != file.pages.end()) {
            map_page(at, known->second);
            at += kPageBytes;
            continue;
        }
        Gva gap_end = at + kPageBytes;
        while (gap_end < end && !tables_.peek(gap_end).held() && !file.pages.contains(number_of(gap_end)))
            gap_end += kPageBytes;
        const FrameRun run = ram_.allocate(static_cast<std::uint32_t>((gap_end - at) / kPageBytes));
        if (run.count == 0) return at > begin;
        if (taken != nullptr) taken->push_back(run);
        fill(ram_.host(run.first), std::uint64_t{run.count} * kPageBytes, area.file->fd->get(),
             number_of(at) * kPageBytes);
        for (std::uint32_t i = 0; i < run.count; ++i, at += kPageBytes)
            map_page(at, file.pages[number_of(at)] = {run.first + i, 0, false});
    }
    return true;
}

// Takes the entries of [begin, end), all of one area, away. Frames that nothing maps any more are `released`.
void AddressSpace::release_shared(Gva begin, Gva end, Gva area_begin, const Area& area, std::vector<FrameRun>& released,
                                  std::vector<FrameRun>& kept) {
    FilePages& file = *area.file->pages;
    RunCollector free([&released](FrameRun run) { released.push_back(run); });
    RunCollector held([&kept](FrameRun run) { kept.push_back(run); });
    tables_.for_each_held(begin, end, [&](Gva address, Pte pte) {
        tables_.set(address, {});
        const auto page = file.pages.find((area.file->offset + (address - area_begin)) / kPageBytes);
        if (page == file.pages.end() || page->second.frame != pte.frame()) return;
        if (--page->second.mapped != 0) {
            held.add(pte.frame());
            return;
        }
        free.add(pte.frame());
        file.pages.erase(page);
    });
}

// No processor writes to the file's pages any more without being seen.
void AddressSpace::make_clean(FilePages& file) {
    for (auto& [begin, area] : areas_) {
        if (!area.file || area.file->pages.get() != &file) continue;
        std::vector<FrameRun> changed;
        {
            RunCollector runs([&changed](FrameRun run) { changed.push_back(run); });
            tables_.for_each_held(begin, area.end, [&, start = begin, &shown = area](Gva address, Pte pte) {
                if (!pte.writable()) return;
                tables_.set(address, Pte::make(pte.gpa(), shown.clean_prot()));
                file.pages[(shown.file->offset + (address - start)) / kPageBytes].dirty = true;
                runs.add(pte.frame());
            });
        }
        invalidate(begin, area.end, changed);
    }
}

SysResult AddressSpace::write_back(FilePages& file) {
    if (!file.written || file.writer == nullptr) return 0;
    file.written = false;
    make_clean(file);
    struct stat status {};
    if (::fstat(file.writer->get(), &status) != 0) return -errno;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    // A descriptor that appends would do so wherever it is told to write.
    const int flags = (::fcntl(file.writer->get(), F_GETFL) & O_APPEND) != 0 ? kNoAppend : 0;
    SysResult result = 0;
    for (auto& [number, page] : file.pages) {
        const std::uint64_t at = number * kPageBytes;
        if (!page.dirty) continue;
        page.dirty = false;
        if (at >= size) continue;
        // SAFETY: as in `fill`.
        const iovec part{ram_.host(page.frame), std::min<std::uint64_t>(kPageBytes, size - at)};
        if (::pwritev2(file.writer->get(), &part, 1, static_cast<off_t>(at), flags) >= 0) continue;
        result = -errno;
        page.dirty = file.written = true;
    }
    return result;
}

SysResult AddressSpace::write_back(Gva begin, Gva end) {
    if (!shares_files_.load(std::memory_order_relaxed)) return 0;
    SysResult result = 0;
    for (const auto& [start, area] : areas_) {
        if (!area.file || !area.file->pages || start >= end || area.end <= begin) continue;
        if (const SysResult error = write_back(*area.file->pages); error != 0) result = error;
    }
    return result;
}

SysResult AddressSpace::synchronize(Gva address, std::uint64_t length) {
    if (address % kPageBytes != 0) return -EINVAL;
    if (length == 0) return 0;
    if (length > kUserBytes || address >= kUserBytes || page_ceil(length) > kUserBytes - address) return -ENOMEM;
    const Gva end = address + page_ceil(length);
    const std::unique_lock lock(mutex_);
    if (const SysResult error = write_back(address, end); error != 0) return error;
    for (Gva at = address; at < end;) {
        const auto it = find(at);
        if (it == areas_.end()) return -ENOMEM;
        at = it->second.end;
    }
    return 0;
}

bool AddressSpace::may_write_to(int fd) const {
    if (!shares_files()) return false;
    const std::shared_lock lock(mutex_);
    const auto file = pages_of(fd);
    return file != nullptr && std::any_of(areas_.begin(), areas_.end(), [&file](const auto& item) {
               return item.second.file && item.second.file->pages == file && item.second.file->writable;
           });
}

void AddressSpace::before_file_is_read(int fd) {
    if (!shares_files_.load(std::memory_order_relaxed)) return;
    const std::unique_lock lock(mutex_);
    if (const auto file = pages_of(fd); file != nullptr) static_cast<void>(write_back(*file));
}

AddressSpace::FileWrite::FileWrite(AddressSpace& space, int fd) : space_(space), lock_(space.mutex_, std::defer_lock) {
    if (!space.shares_files()) return;
    lock_.lock();
    file_ = space.pages_of(fd);
    if (file_ == nullptr) lock_.unlock();
}

void AddressSpace::FileWrite::wrote(std::uint64_t offset, std::uint64_t bytes) {
    if (file_ != nullptr) space_.refresh(*file_, offset, bytes);
}

void AddressSpace::file_was_written(int fd, std::uint64_t offset, std::uint64_t bytes) {
    FileWrite(*this, fd).wrote(offset, bytes);
}

void AddressSpace::refresh(FilePages& file, std::uint64_t offset, std::uint64_t bytes) {
    const std::uint64_t end = offset + std::min(bytes, ~offset);
    for (auto page = file.pages.lower_bound(offset / kPageBytes);
         page != file.pages.end() && page->first * kPageBytes < end; ++page) {
        const std::uint64_t from = std::max(offset, page->first * kPageBytes);
        const std::uint64_t part = std::min(end, (page->first + 1) * kPageBytes) - from;
        fill(ram_.host(page->second.frame) + from % kPageBytes, part, file.reader->get(), from);
    }
}

void AddressSpace::file_was_resized(int fd) {
    if (!shares_files_.load(std::memory_order_relaxed)) return;
    const std::unique_lock lock(mutex_);
    const auto file = pages_of(fd);
    struct stat status {};
    if (file == nullptr || ::fstat(fd, &status) != 0) return;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (const auto last = file->pages.find(size / kPageBytes); last != file->pages.end() && size % kPageBytes != 0)
        std::memset(ram_.host(last->second.frame) + size % kPageBytes, 0, kPageBytes - size % kPageBytes);
    for (auto& [begin, area] : areas_) {
        if (!area.file || area.file->pages != file) continue;
        area.file->bytes = size > area.file->offset ? size - area.file->offset : 0;
        const Gva gone = begin + std::min(page_ceil(area.file->bytes), area.end - begin);
        release(gone, area.end);
    }
}

std::optional<std::pair<const void*, std::uint64_t>> AddressSpace::place_in_file(Gva address) const {
    if (!shares_files_.load(std::memory_order_relaxed)) return std::nullopt;
    const std::shared_lock lock(mutex_);
    const auto next = areas_.upper_bound(address);
    if (next == areas_.begin()) return std::nullopt;
    const auto& [begin, area] = *std::prev(next);
    if (address >= area.end || !area.file || !area.file->pages) return std::nullopt;
    return std::pair<const void*, std::uint64_t>(area.file->pages.get(), area.file->offset + (address - begin));
}

}  // namespace divisi::hv
