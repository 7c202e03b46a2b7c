// Where the host threads of nodes sleep while they have nothing to do: several of them on one word, a place each, so
// that one call of the kernel's wakes any number of them, and the first that runs does not take the PU from who wakes
// the rest.
//
// Threads: all members may be called from several threads.
// Source: futex(2), FUTEX_WAKE_BITSET.
#pragma once

#include <atomic>
#include <cstdint>

namespace divisi::hv {

class Bell {
public:
    static constexpr unsigned kPlaces = 32;

    Bell() = default;
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    ~Bell() = default;

    // What `wait` is to be given: taken before looking whether there is anything to do.
    [[nodiscard]] std::uint32_t heard() const { return rings_.load(); }
    // Sleeps until the bell is rung for one of these places, if it has not been rung at all since `heard`. May return
    // for no reason.
    void wait(std::uint32_t heard, std::uint32_t places) noexcept;
    void ring(std::uint32_t places) noexcept;

private:
    std::atomic<std::uint32_t> rings_{0};
};

}  // namespace divisi::hv
