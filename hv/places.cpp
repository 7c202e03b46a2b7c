#include "hv/places.hpp"

#include <map>

namespace divisi::hv {

PuLoads::PuLoads(const std::vector<CpuPlace>& places) {
    std::map<std::uint32_t, unsigned> pus;
    std::map<std::uint32_t, unsigned> cores;
    for (const CpuPlace& place : places) {
        const auto core = cores.emplace(place.core, static_cast<unsigned>(cores.size())).first->second;
        const auto [pu, fresh] = pus.emplace(place.pu, static_cast<unsigned>(pus.size()));
        if (fresh) pus_.push_back({0, core});
        pu_of_.push_back(pu->second);
    }
    cores_.resize(cores.size());
}

void PuLoads::add(unsigned cpu) {
    Pu& pu = pus_[pu_of_[cpu]];
    if (++pu.load == 2) ++crowded_;
    ++cores_[pu.core];
}

void PuLoads::remove(unsigned cpu) {
    Pu& pu = pus_[pu_of_[cpu]];
    if (--pu.load == 1) --crowded_;
    --cores_[pu.core];
}

std::optional<PuLoads::Imbalance> PuLoads::imbalance() const {
    if (pus_.empty()) return std::nullopt;
    // The busiest of the busiest core, and the idlest of the idlest: cores decide only where PUs do not.
    Imbalance by_pu;
    Imbalance by_core;
    for (unsigned i = 1; i < pus_.size(); ++i) {
        const Pu& pu = pus_[i];
        const Pu& from = pus_[by_core.from_pu];
        const Pu& to = pus_[by_core.to_pu];
        if (pu.load > pus_[by_pu.from_pu].load) by_pu.from_pu = i;
        if (pu.load < pus_[by_pu.to_pu].load) by_pu.to_pu = i;
        if (cores_[pu.core] > cores_[from.core] || (pu.core == from.core && pu.load > from.load)) by_core.from_pu = i;
        if (cores_[pu.core] < cores_[to.core] || (pu.core == to.core && pu.load < to.load)) by_core.to_pu = i;
    }
    if (pus_[by_pu.from_pu].load >= pus_[by_pu.to_pu].load + 2) return by_pu;
    const Pu& to = pus_[by_core.to_pu];
    if (to.load == 0 && cores_[pus_[by_core.from_pu].core] >= cores_[to.core] + 2) return by_core;
    return std::nullopt;
}

}  // namespace divisi::hv
