// Where the CPUs of a program are: several may share a PU, and several PUs a core.
//
// Threads: the user's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace divisi::hv {

// On which free CPU a thread starts: where there is the least to do around it, or on the first.
enum class Spread : std::uint8_t { kScatter, kCompact };

// Any numbers that tell one core, and one PU, from another.
struct CpuPlace {
    std::uint32_t core = 0;
    std::uint32_t pu = 0;
};

// How many threads there are to be run on every PU and core.
class PuLoads {
public:
    explicit PuLoads(const std::vector<CpuPlace>& places);

    void add(unsigned cpu);
    void remove(unsigned cpu);
    // Of the PU and of the core that this CPU is on.
    [[nodiscard]] unsigned pu(unsigned cpu) const { return pus_[pu_of_[cpu]].load; }
    [[nodiscard]] unsigned core(unsigned cpu) const { return cores_[pus_[pu_of_[cpu]].core]; }
    [[nodiscard]] unsigned index_of_pu(unsigned cpu) const { return pu_of_[cpu]; }
    // Whether there is a PU with more than one to be run.
    [[nodiscard]] bool crowded() const { return crowded_ != 0; }

    // That a thread would be better off on another PU: one with less to do by two threads, or one without work on a
    // core with less to do by two.
    struct Imbalance {
        unsigned from_pu = 0, to_pu = 0;  // as `index_of_pu`
    };
    [[nodiscard]] std::optional<Imbalance> imbalance() const;

private:
    struct Pu {
        unsigned load = 0;
        unsigned core = 0;
    };
    std::vector<Pu> pus_;
    std::vector<unsigned> cores_;
    std::vector<unsigned> pu_of_;
    unsigned crowded_ = 0;  // PUs with more than one
};

}  // namespace divisi::hv
