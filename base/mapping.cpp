#include "base/mapping.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

namespace divisi {
namespace {

Result<std::byte*> map(void* where, std::size_t size, int prot, int flags, int fd, std::uint64_t offset) {
    void* address = ::mmap(where, size, prot, flags, fd, static_cast<off_t>(offset));
    if (address == MAP_FAILED)
        return system_error(errno, "cannot map " + std::to_string(size) + " bytes of memory", {},
                            errno == ENOMEM ? "too little memory, or vm.max_map_count is reached" : "");
    return static_cast<std::byte*>(address);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

void Mapping::reset() noexcept {
    if (data_ != nullptr) ::munmap(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

Result<Mapping> Mapping::reserve(std::size_t size_bytes, std::size_t alignment_bytes) {
    const std::size_t slack = alignment_bytes > 4096 ? alignment_bytes : 0;
    if (size_bytes + slack < slack) return system_error(ENOMEM, "cannot reserve more than there are addresses");
    DIVISI_TRY_ASSIGN(std::byte * raw,
                      map(nullptr, size_bytes + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (slack == 0) return Mapping(raw, size_bytes);
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    const std::size_t before = (alignment_bytes - address % alignment_bytes) % alignment_bytes;
    if (before != 0) ::munmap(raw, before);
    ::munmap(raw + before + size_bytes, slack - before);
    return Mapping(raw + before, size_bytes);
}

Result<Mapping> Mapping::anonymous(std::size_t size_bytes) {
    DIVISI_TRY_ASSIGN(std::byte * data, map(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    return Mapping(data, size_bytes);
}

Result<Mapping> Mapping::file(int fd, std::uint64_t offset, std::size_t size_bytes, int prot) {
    DIVISI_TRY_ASSIGN(std::byte * data, map(nullptr, size_bytes, prot, MAP_SHARED, fd, offset));
    return Mapping(data, size_bytes);
}

Result<void> Mapping::overlay(std::size_t at, int fd, std::uint64_t offset, std::size_t size_bytes, int prot) {
    if (at > size_ || size_bytes > size_ - at) return make_error(Errc::kFailed, "overlay outside of its mapping");
    DIVISI_TRY(map(data_ + at, size_bytes, prot, MAP_SHARED | MAP_FIXED, fd, offset));
    return {};
}

Result<void> Mapping::overlay_zeros(std::size_t at, std::size_t size_bytes) {
    if (at > size_ || size_bytes > size_ - at) return make_error(Errc::kFailed, "overlay outside of its mapping");
    DIVISI_TRY(map(data_ + at, size_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
    return {};
}

Result<void> Mapping::clear(std::size_t at, std::size_t size_bytes) {
    if (at > size_ || size_bytes > size_ - at) return make_error(Errc::kFailed, "clear outside of its mapping");
    DIVISI_TRY(map(data_ + at, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
    return {};
}

}  // namespace divisi
