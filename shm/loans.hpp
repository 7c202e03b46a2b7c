// Memory that one rank lends to another for a message (divisi_loan in shm/abi/node_page.h), as whoever copies sees it.
#pragma once

#include <cstdint>
#include <optional>

struct divisi_loan;

namespace divisi::shm {

// While it lives, the owner waits with using that memory for something else.
//
// Threads: as many at a time as one likes.
class Borrowed {
public:
    // Nothing where the loan is not this borrower's.
    static std::optional<Borrowed> take(divisi_loan& loan, std::uint32_t borrower);
    Borrowed(Borrowed&& other) noexcept;
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed();

    // The owner's word: any 64-bit values.
    [[nodiscard]] std::uint64_t address() const noexcept { return address_; }
    [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }
    [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t bytes) const noexcept {
        return offset <= size_bytes_ && bytes <= size_bytes_ - offset;
    }
    [[nodiscard]] bool writable() const noexcept { return writable_; }  // else it may be read

private:
    explicit Borrowed(divisi_loan& loan);

    divisi_loan* loan_;  // null: moved from
    std::uint64_t address_ = 0;
    std::uint64_t size_bytes_ = 0;
    bool writable_ = false;
};

}  // namespace divisi::shm
