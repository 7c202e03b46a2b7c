// An owned range of this process's address space.
//
// Owns: the range; unmapped once. Sub-ranges may be remapped in place with `overlay`, and still belong to it.
// Threads: const access is safe from several threads; what the bytes mean is the user's contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"

namespace divisi {

class Mapping {
public:
    Mapping() = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    // Address space without memory (PROT_NONE, not committed), to be filled by `overlay`.
    static Result<Mapping> reserve(std::size_t size_bytes, std::size_t alignment_bytes = 4096);
    // Private zero pages.
    static Result<Mapping> anonymous(std::size_t size_bytes);
    // `size_bytes` of `fd` from `offset`, shared.
    static Result<Mapping> file(int fd, std::uint64_t offset, std::size_t size_bytes, int prot);

    // Replaces [at, at+size_bytes) of this mapping by pages of `fd`, shared.
    // Errors: kFailed outside the mapping; the errno of mmap, and the range is then as before.
    Result<void> overlay(std::size_t at, int fd, std::uint64_t offset, std::size_t size_bytes, int prot);
    // The same by private zero pages that can only be read.
    Result<void> overlay_zeros(std::size_t at, std::size_t size_bytes);
    // Turns [at, at+size_bytes) back into reserved address space.
    Result<void> clear(std::size_t at, std::size_t size_bytes);

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool valid() const noexcept { return data_ != nullptr; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
    void reset() noexcept;

private:
    Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace divisi
