// Which pages a stub process has mapped, and by which page-table entries.
//
// Shape: disjoint ranges; the entry of a page in a range is the range's first entry plus the page's distance, as of
// neighbouring pages of one memory file with the same rights.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>

#include "hv/layout.hpp"

namespace divisi::hv {

class MappedRanges {
public:
    // The entry by which the page is mapped, or 0.
    [[nodiscard]] std::uint64_t entry(Gva page) const;
    [[nodiscard]] bool intersects(Gva begin, Gva end) const;
    // [begin, end) is now mapped from `entry` on, whatever was there.
    void insert(Gva begin, Gva end, std::uint64_t entry);
    void erase(Gva begin, Gva end);
    void clear() { ranges_.clear(); }
    [[nodiscard]] std::size_t count() const { return ranges_.size(); }

private:
    struct Range {
        Gva end;
        std::uint64_t entry;
    };
    std::map<Gva, Range> ranges_;
};

}  // namespace divisi::hv
