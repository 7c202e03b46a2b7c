// Nodes whose host threads are to be woken: taken down while locks are held, woken once those have been let go of. Who
// is woken may run at once, in the stead of who wakes it, and would find the locks taken: two more switches for each.
//
// Owns: a share of the bells; so the programs that they are of may be gone by then.
// Threads: the user's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hv/bell.hpp"

namespace divisi::hv {

class Rousing {
public:
    Rousing() = default;
    Rousing(Rousing&& other) noexcept = default;
    Rousing& operator=(Rousing&& other) noexcept;
    Rousing(const Rousing&) = delete;
    Rousing& operator=(const Rousing&) = delete;
    // Wakes those that are left. So one that is made before a lock is taken wakes after it was let go of.
    ~Rousing() { ring(); }

    // The sleeper at `place` of the bell, on the PU of this number.
    void add(const std::shared_ptr<Bell>& bell, std::uint32_t place, std::uint32_t pu);
    // Wakes those on other PUs, where they can begin at once.
    void ring_elsewhere(std::uint32_t pu) noexcept;
    // Wakes all, in the order in which they were added.
    void ring() noexcept;

private:
    struct Sleepers {
        std::shared_ptr<Bell> bell;  // null: woken
        std::uint32_t places;
        std::uint32_t pu;
    };
    std::vector<Sleepers> sleepers_;
};

}  // namespace divisi::hv
