#include "hv/ram.hpp"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <memory>

namespace divisi::hv {
namespace {

constexpr std::uint32_t kBits = 64;

void bind_to_numa_node(const Mapping& mapping, int numa_node) {
    if (numa_node < 0 || numa_node >= 64) return;
    const unsigned long mask = 1UL << static_cast<unsigned>(numa_node);
    // Preferred, not strict: memory from the wrong node is slower, a refused page is a dead node.
    ::syscall(SYS_mbind, mapping.data(), mapping.size(), MPOL_PREFERRED, &mask, 65UL, 0U);
}

}  // namespace

Ram::Ram(Fd fd, Mapping mapping)
    : fd_(std::move(fd)),
      mapping_(std::move(mapping)),
      frame_count_(static_cast<std::uint32_t>(mapping_.size() / kPageBytes)),
      beside_(std::make_shared<HostMemory>(mapping_.size() / 2)),
      used_((frame_count_ + kBits - 1) / kBits, 0),
      free_count_(frame_count_) {
    // The bits past the end are never free.
    if (frame_count_ % kBits != 0) used_.back() = ~0ULL << (frame_count_ % kBits);
}

Result<std::unique_ptr<Ram>> Ram::create(const std::string& name, std::size_t size_bytes, int numa_node) {
    DIVISI_TRY_ASSIGN(Fd fd, create_memfd(name, size_bytes));
    DIVISI_TRY_ASSIGN(Mapping mapping, Mapping::file(fd.get(), 0, size_bytes, PROT_READ | PROT_WRITE));
    ::madvise(mapping.data(), mapping.size(), MADV_DONTDUMP);
    bind_to_numa_node(mapping, numa_node);
    return std::unique_ptr<Ram>(new Ram(std::move(fd), std::move(mapping)));
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
    // Before the frames can be had again: punching the hole unmaps them everywhere and zeroes them.
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(run.first) * static_cast<off_t>(kPageBytes),
                static_cast<off_t>(run.count) * static_cast<off_t>(kPageBytes));
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

void Ram::invalidate(FrameRun run) const {
    if (run.count != 0) ::madvise(host(run.first), std::size_t{run.count} * kPageBytes, MADV_DONTNEED);
}

std::uint32_t Ram::free_frames() const {
    const std::lock_guard lock(mutex_);
    return free_count_;
}

}  // namespace divisi::hv
