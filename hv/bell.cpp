#include "hv/bell.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace divisi::hv {

void Bell::wait(std::uint32_t heard, std::uint32_t places) noexcept {
    ::syscall(SYS_futex, &rings_, FUTEX_WAIT_BITSET_PRIVATE, heard, nullptr, nullptr, places);
}

// ORDER: who rings has given the sleeper its work before, under the lock under which the sleeper took `heard`: a
// sleeper that did not find the work finds another number here.
void Bell::ring(std::uint32_t places) noexcept {
    rings_.fetch_add(1);
    ::syscall(SYS_futex, &rings_, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, nullptr, nullptr, places);
}

}  // namespace divisi::hv
