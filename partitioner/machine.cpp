#include "partitioner/machine.hpp"

#include <algorithm>
#include <cstddef>

namespace divisi::partitioner {

std::vector<std::uint32_t> Machine::usable_pus(const Core& core) const {
    std::vector<std::uint32_t> usable;
    std::copy_if(core.pus.begin(), core.pus.end(), std::back_inserter(usable),
                 [this](std::uint32_t pu) { return pus.at(pu).usable; });
    return usable;
}

std::vector<std::uint32_t> Machine::usable_cores() const {
    std::vector<std::uint32_t> usable;
    for (const Core& core : cores)
        if (!usable_pus(core).empty()) usable.push_back(core.logical);
    return usable;
}

std::uint32_t Machine::usable_pu_count() const {
    return static_cast<std::uint32_t>(std::count_if(pus.begin(), pus.end(), [](const Pu& pu) { return pu.usable; }));
}

bool Machine::has_smt() const {
    return std::any_of(cores.begin(), cores.end(), [](const Core& core) { return core.pus.size() > 1; });
}

std::string format_list(const std::vector<std::uint32_t>& numbers) {
    std::string text;
    for (std::size_t i = 0; i < numbers.size();) {
        std::size_t last = i;
        while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
        if (!text.empty()) text += ',';
        text += std::to_string(numbers[i]);
        if (last > i) text += (last == i + 1 ? "," : "-") + std::to_string(numbers[last]);
        i = last + 1;
    }
    return text;
}

}  // namespace divisi::partitioner
