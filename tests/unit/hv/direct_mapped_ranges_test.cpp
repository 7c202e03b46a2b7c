#include "hv/direct/mapped_ranges.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace divisi::hv {
namespace {

constexpr Gva page(Gva number) {
    return number * kPageBytes;
}

TEST(MappedRanges, KnowsTheEntryOfEveryPage) {
    MappedRanges ranges;
    ranges.insert(page(10), page(13), 0x5007);
    EXPECT_EQ(ranges.entry(page(9)), 0U);
    EXPECT_EQ(ranges.entry(page(10)), 0x5007U);
    EXPECT_EQ(ranges.entry(page(12)), 0x7007U);
    EXPECT_EQ(ranges.entry(page(13)), 0U);
}

TEST(MappedRanges, JoinsWhatBelongsTogether) {
    MappedRanges ranges;
    ranges.insert(page(10), page(11), 0x5007);
    ranges.insert(page(12), page(13), 0x7007);
    EXPECT_EQ(ranges.count(), 2U);
    ranges.insert(page(11), page(12), 0x6007);
    EXPECT_EQ(ranges.count(), 1U);
    ranges.insert(page(13), page(14), 0x8005);  // other rights
    EXPECT_EQ(ranges.count(), 2U);
}

TEST(MappedRanges, IsWhatAnArrayOfPagesWouldBe) {
    constexpr std::size_t kPages = 64;
    std::array<std::uint64_t, kPages> expected{};
    MappedRanges ranges;
    std::mt19937 random(20);
    for (int round = 0; round < 20000; ++round) {
        const auto begin = random() % kPages;
        const auto end = begin + 1 + random() % (kPages - begin);
        if (random() % 2 == 0) {
            const std::uint64_t entry = (random() % 8 + begin) * kPageBytes + 7;
            ranges.insert(page(begin), page(end), entry);
            for (auto at = begin; at < end; ++at) expected.at(at) = entry + page(at - begin);
        } else {
            ranges.erase(page(begin), page(end));
            for (auto at = begin; at < end; ++at) expected.at(at) = 0;
        }
        bool any = false;
        for (std::size_t at = 0; at < kPages; ++at) {
            ASSERT_EQ(ranges.entry(page(at)), expected.at(at)) << "page " << at << ", round " << round;
            any = any || (at >= begin && at < end && expected.at(at) != 0);
        }
        ASSERT_EQ(ranges.intersects(page(begin), page(end)), any);
    }
}

}  // namespace
}  // namespace divisi::hv
