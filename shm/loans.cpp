#include "shm/loans.hpp"

#include <atomic>
#include <utility>

#include "shm/abi/node_page.h"

namespace divisi::shm {

// ORDER: seq_cst, as the owner's: it clears `rights` and then looks at `users`; here `users` is counted and then
// `rights` looked at. One of the two sees the other.
Borrowed::Borrowed(divisi_loan& loan) : loan_(&loan) {
    std::atomic_ref(loan.users).fetch_add(1, std::memory_order_seq_cst);
}

Borrowed::Borrowed(Borrowed&& other) noexcept
    : loan_(std::exchange(other.loan_, nullptr)),
      address_(other.address_),
      size_bytes_(other.size_bytes_),
      writable_(other.writable_) {}

// ORDER: release: the copy is done before the owner sees that it is.
Borrowed::~Borrowed() {
    if (loan_ != nullptr) std::atomic_ref(loan_->users).fetch_sub(1, std::memory_order_release);
}

// SAFETY: the owner may write here what it likes, at any time. Each field is read once; whatever they are together,
// what is reached by them is the owner's own memory.
std::optional<Borrowed> Borrowed::take(divisi_loan& loan, std::uint32_t borrower) {
    Borrowed borrowed(loan);
    const std::uint32_t rights = std::atomic_ref(loan.rights).load(std::memory_order_seq_cst);
    if (rights != DIVISI_LOAN_READ && rights != DIVISI_LOAN_WRITE) return std::nullopt;
    if (std::atomic_ref(loan.borrower).load(std::memory_order_relaxed) != borrower) return std::nullopt;
    borrowed.address_ = std::atomic_ref(loan.address).load(std::memory_order_relaxed);
    borrowed.size_bytes_ = std::atomic_ref(loan.bytes).load(std::memory_order_relaxed);
    borrowed.writable_ = rights == DIVISI_LOAN_WRITE;
    return borrowed;
}

}  // namespace divisi::shm
