#include "hv/ram.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

namespace divisi::hv {
namespace {

constexpr std::uint32_t kBits = 64;
constexpr std::size_t kHugeBytes = 2U << 20U;

// Whether the kernel heeds MADV_HUGEPAGE for memory files: the word in brackets is the one in force.
bool transparent_pages_allowed() {
    const auto setting = read_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", 4096);
    return setting && setting->find("[never]") == std::string::npos && setting->find("[deny]") == std::string::npos;
}

void bind_to_numa_node(const Mapping& mapping, int numa_node) {
    if (numa_node < 0 || numa_node >= 64) return;
    const unsigned long mask = 1UL << static_cast<unsigned>(numa_node);
    // Preferred, not strict: memory from the wrong node is slower, a refused page is a dead node.
    ::syscall(SYS_mbind, mapping.data(), mapping.size(), MPOL_PREFERRED, &mask, 65UL, 0U);
}

}  // namespace

Ram::Ram(Backing backing, bool keeps)
    : fd_(std::move(backing.fd)),
      mapping_(std::move(backing.mapping)),
      huge_(backing.huge),
      keeps_(keeps),
      note_(std::move(backing.note)),
      frame_count_(static_cast<std::uint32_t>(mapping_.size() / kPageBytes)),
      beside_(std::make_shared<HostMemory>(mapping_.size() / 2)),
      used_((frame_count_ + kBits - 1) / kBits, 0),
      free_count_(frame_count_) {
    // The bits past the end are never free.
    if (frame_count_ % kBits != 0) used_.back() = ~0ULL << (frame_count_ % kBits);
}

Result<Ram::Backing> Ram::small_pages(const std::string& name, std::size_t size_bytes) {
    Backing backing;
    DIVISI_TRY_ASSIGN(backing.fd, create_memfd(name, size_bytes));
    // Aligned, so that huge pages of the file can be mapped as such.
    DIVISI_TRY_ASSIGN(backing.mapping, Mapping::reserve(size_bytes, kHugeBytes));
    DIVISI_TRY(backing.mapping.overlay(0, backing.fd.get(), 0, size_bytes, PROT_READ | PROT_WRITE));
    return backing;
}

// The mapping reserves its pages: it fails here, or no access to it ever does.
Result<Ram::Backing> Ram::huge_pages(const std::string& name, std::size_t size_bytes) {
    const std::size_t bytes = (size_bytes + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    Backing backing;
    backing.huge = true;
    backing.fd = Fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
    if (!backing.fd.valid()) return system_error(errno, "cannot make a file of huge pages", name);
    if (::ftruncate(backing.fd.get(), static_cast<off_t>(bytes)) != 0)
        return system_error(errno, "cannot make a file of huge pages", name);
    DIVISI_TRY_ASSIGN(backing.mapping, Mapping::file(backing.fd.get(), 0, bytes, PROT_READ | PROT_WRITE));
    return backing;
}

Result<std::unique_ptr<Ram>> Ram::create(const std::string& name, std::size_t size_bytes, int numa_node, RamKind kind) {
    std::string note;
    Result<Backing> backing = make_error(Errc::kFailed, "not tried");
    if (kind.pages == RamKind::Pages::kHuge) {
        backing = huge_pages(name, size_bytes);
        if (!backing)
            note = "no pages of 2 MiB to be had, using small ones (set vm.nr_hugepages with sysctl, for " +
                   std::to_string((size_bytes + kHugeBytes - 1) / kHugeBytes) + " a node)";
    }
    if (!backing) backing = small_pages(name, size_bytes);
    if (!backing) return std::move(backing).error();
    const Mapping& mapping = backing->mapping;
    ::madvise(mapping.data(), mapping.size(), MADV_DONTDUMP);
    bind_to_numa_node(mapping, numa_node);
    if (kind.pages != RamKind::Pages::kSmall && !backing->huge) {
        if (::madvise(mapping.data(), mapping.size(), MADV_HUGEPAGE) != 0 || !transparent_pages_allowed())
            note +=
                (note.empty() ? "" : "; ") + std::string(
                                                 "the kernel makes no transparent huge pages of shared memory "
                                                 "(write advise to /sys/kernel/mm/transparent_hugepage/shmem_enabled)");
    }
    if (kind.prefault && ::madvise(mapping.data(), mapping.size(), MADV_POPULATE_WRITE) != 0)
        note += (note.empty() ? "" : "; ") + std::string("memory could not be taken ahead: ") +
                std::generic_category().message(errno);
    backing->note = std::move(note);
    const bool keeps = kind.prefault || backing->huge;
    return std::unique_ptr<Ram>(new Ram(std::move(*backing), keeps));
}

FrameRun Ram::allocate(std::uint32_t wanted) {
    const std::lock_guard lock(mutex_);
    if (free_count_ == 0 || wanted == 0) return {};
    // Two passes over the words from `next_` round to it: the first free run that is long enough, else the longest.
    FrameRun best;
    FrameRun current;
    const auto words = static_cast<std::uint32_t>(used_.size());
    const std::uint32_t start = next_ / kBits;
    for (std::uint32_t step = 0; step < words && best.count < wanted; ++step) {
        const std::uint32_t index = (start + step) % words;
        if (index == 0) current = {};
        const std::uint64_t word = used_[index];
        if (word == ~0ULL) {
            current = {};
            continue;
        }
        for (std::uint32_t bit = 0; bit < kBits && best.count < wanted;) {
            const std::uint64_t rest = word >> bit;
            if ((rest & 1U) != 0) {
                current = {};
                bit += static_cast<std::uint32_t>(std::countr_one(rest));
                continue;
            }
            const std::uint32_t zeros = std::min<std::uint32_t>(
                rest == 0 ? kBits - bit : static_cast<std::uint32_t>(std::countr_zero(rest)), kBits - bit);
            if (current.count == 0) current.first = index * kBits + bit;
            current.count += zeros;
            bit += zeros;
            if (current.count > best.count) best = current;
        }
    }
    best.count = std::min(best.count, wanted);
    for (std::uint32_t i = 0; i < best.count; ++i) {
        const Frame frame = best.first + i;
        used_[frame / kBits] |= 1ULL << (frame % kBits);
    }
    free_count_ -= best.count;
    next_ = (best.first + best.count) % frame_count_;
    return best;
}

void Ram::free(FrameRun run) {
    if (run.count == 0) return;
    if (keeps_) {
        // Unmapped everywhere before they are wiped: nobody writes after that.
        zap(run);
        std::memset(host(run.first), 0, std::size_t{run.count} * kPageBytes);
    } else {
        // Before the frames can be had again: punching the hole unmaps them everywhere and zeroes them.
        ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(run.first) * static_cast<off_t>(kPageBytes),
                    static_cast<off_t>(run.count) * static_cast<off_t>(kPageBytes));
    }
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < run.count; ++i) {
        const Frame frame = run.first + i;
        used_[frame / kBits] &= ~(1ULL << (frame % kBits));
    }
    free_count_ += run.count;
    next_ = std::min(next_, run.first);
}

void Ram::populate(FrameRun run) const {
    // A kernel before 5.14 does not know it; the pages then come one by one.
    if (run.count != 0) ::madvise(host(run.first), std::size_t{run.count} * kPageBytes, MADV_POPULATE_WRITE);
}

// The pages stay in the file: only what was derived from this mapping of them goes.
void Ram::zap(FrameRun run) const {
    std::size_t begin = std::size_t{run.first} * kPageBytes;
    std::size_t end = begin + std::size_t{run.count} * kPageBytes;
    if (huge_) {
        begin = begin / kHugeBytes * kHugeBytes;
        end = (end + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    }
    ::madvise(mapping_.data() + begin, end - begin, MADV_DONTNEED);
}

void Ram::invalidate(FrameRun run) const {
    if (run.count != 0) zap(run);
}

std::uint32_t Ram::free_frames() const {
    const std::lock_guard lock(mutex_);
    return free_count_;
}

}  // namespace divisi::hv
