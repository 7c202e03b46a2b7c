// The memory of a node or of a whole multiprocessor: a memory file, and who has which of its frames.
//
// Shape: frames of 4 KiB, numbered from 0; frame n is at guest-physical kRamGpa + n * 4096 and at host() + n * 4096.
// Invariant: a free frame reads as zero, so that no program ever sees another's bytes.
// Threads: all members may be called from several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "hv/host_memory.hpp"
#include "hv/layout.hpp"

namespace divisi::hv {

using Frame = std::uint32_t;

// A run of neighbouring frames.
struct FrameRun {
    Frame first = 0;
    std::uint32_t count = 0;
};

// What memory is made of. What cannot be had is replaced by the next best, and noted.
struct RamKind {
    enum class Pages : std::uint8_t {
        kSmall,
        kTransparent,  // huge where the kernel finds them
        kHuge,         // 2 MiB out of the kernel's pool, reserved: no access to it can fail later
    };
    Pages pages = Pages::kSmall;
    bool prefault = false;  // all of it now, and kept when frames are free
};

class Ram {
public:
    // `numa_node` (an OS index) binds the pages where it is not negative; a machine that cannot, ignores it.
    static Result<std::unique_ptr<Ram>> create(const std::string& name, std::size_t size_bytes, int numa_node,
                                               RamKind kind = {});
    // What of the kind could not be had, and how to get it; empty where all could.
    [[nodiscard]] const std::string& note() const { return note_; }

    // A run of 1 … `wanted` free frames, as long as one can be had; `count` 0 when memory is exhausted.
    FrameRun allocate(std::uint32_t wanted);
    // Gives frames back and their host memory with them. Every node's mapping of them is gone when this returns: the
    // kernel invalidates what KVM derived from the host mapping.
    void free(FrameRun run);
    // Gives the frames host memory now, all at once: cheaper than a fault of each, and where KVM shadows page tables it
    // maps the neighbours of a page that is touched only if the host has them. Zeros stay zeros, so a frame that has
    // meanwhile become free is no harm.
    void populate(FrameRun run) const;
    // Drops what processors cached of the frames' translations, and keeps the contents.
    void invalidate(FrameRun run) const;

    [[nodiscard]] std::byte* host(Frame frame) const { return mapping_.data() + std::size_t{frame} * kPageBytes; }
    [[nodiscard]] std::size_t size_bytes() const { return mapping_.size(); }
    [[nodiscard]] std::uint32_t frame_count() const { return frame_count_; }
    [[nodiscard]] std::uint32_t free_frames() const;
    [[nodiscard]] int fd() const { return fd_.get(); }
    // What its programs may make the host keep beside it: half as much again.
    [[nodiscard]] const std::shared_ptr<HostMemory>& beside() const { return beside_; }

private:
    struct Backing {
        Fd fd;
        Mapping mapping;
        bool huge = false;
        std::string note;
    };
    static Result<Backing> small_pages(const std::string& name, std::size_t size_bytes);
    static Result<Backing> huge_pages(const std::string& name, std::size_t size_bytes);
    Ram(Backing backing, bool keeps);
    void zap(FrameRun run) const;

    Fd fd_;
    Mapping mapping_;
    bool huge_;
    bool keeps_;  // frames that are free keep their host memory, wiped
    std::string note_;
    std::uint32_t frame_count_;
    std::shared_ptr<HostMemory> beside_;
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> used_;  // a bit a frame
    std::uint32_t free_count_;
    std::uint32_t next_ = 0;  // where the next search starts: neighbours in time become neighbours in memory
};

}  // namespace divisi::hv
