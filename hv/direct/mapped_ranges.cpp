#include "hv/direct/mapped_ranges.hpp"

#include <iterator>

namespace divisi::hv {

std::uint64_t MappedRanges::entry(Gva page) const {
    auto next = ranges_.upper_bound(page);
    if (next == ranges_.begin()) return 0;
    --next;
    return page < next->second.end ? next->second.entry + (page - next->first) : 0;
}

bool MappedRanges::intersects(Gva begin, Gva end) const {
    const auto next = ranges_.lower_bound(end);
    return next != ranges_.begin() && std::prev(next)->second.end > begin;
}

void MappedRanges::erase(Gva begin, Gva end) {
    auto at = ranges_.lower_bound(begin);
    if (at != ranges_.begin() && std::prev(at)->second.end > begin) --at;
    while (at != ranges_.end() && at->first < end) {
        const Gva first = at->first;
        const Range range = at->second;
        at = ranges_.erase(at);
        if (first < begin) ranges_.emplace(first, Range{begin, range.entry});
        if (range.end > end) ranges_.emplace(end, Range{range.end, range.entry + (end - first)});
    }
}

void MappedRanges::insert(Gva begin, Gva end, std::uint64_t entry) {
    erase(begin, end);
    auto next = ranges_.lower_bound(end);
    if (next != ranges_.end() && next->first == end && next->second.entry == entry + (end - begin)) {
        end = next->second.end;
        next = ranges_.erase(next);
    }
    if (next != ranges_.begin()) {
        const auto before = std::prev(next);
        if (before->second.end == begin && before->second.entry + (begin - before->first) == entry) {
            before->second.end = end;
            return;
        }
    }
    ranges_.emplace_hint(next, begin, Range{end, entry});
}

}  // namespace divisi::hv
