// What other programs see of a program's memory.
#include <cerrno>
#include <mutex>
#include <vector>

#include "hv/address_space.hpp"
#include "hv/frame_runs.hpp"

namespace divisi::hv {

bool AddressSpace::shares_files_in(Gva begin, Gva end) const {
    for (auto area = areas_.lower_bound(end); area != areas_.begin();) {
        --area;
        if (area->second.end <= begin) break;
        if (area->second.file && area->second.file->pages) return true;
    }
    return false;
}

SysResult AddressSpace::show(Gva begin, Gva end, PageTables& viewer, std::size_t at) {
    if (views_ == nullptr) return -EOPNOTSUPP;
    if (begin >= end || end > kWindowGva) return -ENXIO;
    // Who takes pages away as fast as they come shows nothing.
    for (std::size_t tries = 2 * (end - begin) / kPageBytes + 2; tries > 0; --tries) {
        Gva page = begin;
        {
            const std::shared_lock lock(mutex_);
            if (shares_files_in(begin, end)) return -EOPNOTSUPP;
            std::vector<FrameRun> runs;
            RunCollector collector([&runs](FrameRun run) { runs.push_back(run); });
            for (; page < end; page += kPageBytes) {
                const Pte pte = tables_.peek(page);
                if (!pte.present()) break;
                if (!pte.in_ram()) return -EOPNOTSUPP;
                collector.add(pte.frame());
            }
            collector.flush();
            if (page == end) return views_->show(*this, begin, end, ram_, runs, viewer, at) ? 0 : -ENOMEM;
        }
        if (fault(page, Access::kRead) != FaultOutcome::kResolved) return -ENXIO;
    }
    return -ENXIO;
}

void AddressSpace::hide_from_others(Gva begin, Gva end) const noexcept {
    if (views_ != nullptr) views_->changed(*this, begin, end);
}

}  // namespace divisi::hv
