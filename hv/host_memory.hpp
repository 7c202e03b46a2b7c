// What the programs of a RAM make the host keep for them beside it: the buffers of pipes and sockets, memory files.
//
// Threads: all members may be called from several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace divisi::hv {

class HostMemory {
public:
    explicit HostMemory(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

private:
    friend class HostShare;
    std::mutex mutex_;
    const std::uint64_t limit_;
    std::uint64_t used_ = 0;
};

// A part of it, given back when it goes.
class HostShare {
public:
    explicit HostShare(std::shared_ptr<HostMemory> memory) : memory_(std::move(memory)) {}
    HostShare(const HostShare&) = delete;
    HostShare& operator=(const HostShare&) = delete;
    ~HostShare() { static_cast<void>(resize(0)); }

    // False, and as it was, where there is not so much.
    [[nodiscard]] bool resize(std::uint64_t bytes) {
        const std::lock_guard lock(memory_->mutex_);
        return resize_locked(bytes);
    }
    [[nodiscard]] bool grow_to(std::uint64_t bytes) {
        const std::lock_guard lock(memory_->mutex_);
        return bytes <= bytes_ || resize_locked(bytes);
    }

private:
    bool resize_locked(std::uint64_t bytes) {
        if (bytes > bytes_ && bytes - bytes_ > memory_->limit_ - memory_->used_) return false;
        memory_->used_ = memory_->used_ - bytes_ + bytes;
        bytes_ = bytes;
        return true;
    }

    std::shared_ptr<HostMemory> memory_;
    std::uint64_t bytes_ = 0;  // under the memory's lock
};

}  // namespace divisi::hv
