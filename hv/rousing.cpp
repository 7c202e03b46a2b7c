#include "hv/rousing.hpp"

#include <algorithm>
#include <utility>

namespace divisi::hv {

Rousing& Rousing::operator=(Rousing&& other) noexcept {
    ring();
    sleepers_ = std::exchange(other.sleepers_, {});
    return *this;
}

void Rousing::add(const std::shared_ptr<Bell>& bell, std::uint32_t place, std::uint32_t pu) {
    const auto same = std::find_if(sleepers_.begin(), sleepers_.end(),
                                   [&bell](const Sleepers& sleepers) { return sleepers.bell == bell; });
    if (same == sleepers_.end()) {
        sleepers_.push_back({bell, place, pu});
    } else {
        same->places |= place;
    }
}

void Rousing::ring_elsewhere(std::uint32_t pu) noexcept {
    for (Sleepers& sleepers : sleepers_)
        if (sleepers.bell != nullptr && sleepers.pu != pu) std::exchange(sleepers.bell, nullptr)->ring(sleepers.places);
}

void Rousing::ring() noexcept {
    for (Sleepers& sleepers : sleepers_)
        if (sleepers.bell != nullptr) std::exchange(sleepers.bell, nullptr)->ring(sleepers.places);
    sleepers_.clear();
}

}  // namespace divisi::hv
