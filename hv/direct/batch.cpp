#include "hv/direct/batch.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cassert>

namespace divisi::hv {

Gva Batch::put_bytes(std::span<const std::byte> bytes) {
    const std::size_t place = data_;
    data_ = (data_ + bytes.size() + 15) & ~std::size_t{15};
    assert(data_ <= DIVISI_CONTROL_BYTES);
    std::memcpy(page_ + place, bytes.data(), bytes.size());
    return at_ + place;
}

void Batch::add(long number, std::array<std::uint64_t, 6> arguments) {
    assert(count_ < DIVISI_CONTROL_MAX_CALLS);
    std::byte* call = page_ + DIVISI_CONTROL_CALLS + std::size_t{count_} * DIVISI_CONTROL_CALL_BYTES;
    std::memcpy(call, &number, sizeof number);
    std::memcpy(call + sizeof number, arguments.data(), sizeof arguments);
    ++count_;
}

void Batch::post() {
    std::memcpy(page_ + DIVISI_CONTROL_COUNT, &count_, sizeof count_);
    // SAFETY: the page is ours to write and the stub's to read; the word is aligned.
    auto* sequence = reinterpret_cast<std::uint32_t*>(page_ + DIVISI_CONTROL_SEQUENCE);
    // ORDER: release, so that the task that sees the new number sees the batch.
    std::atomic_ref(*sequence).fetch_add(1, std::memory_order_release);
    ::syscall(SYS_futex, sequence, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace divisi::hv
