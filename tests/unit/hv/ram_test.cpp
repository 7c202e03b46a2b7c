#include "hv/ram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace divisi::hv {
namespace {

std::unique_ptr<Ram> make_ram(std::size_t pages) {
    auto ram = Ram::create("ram-test", pages * kPageBytes, -1);
    EXPECT_TRUE(ram) << ram.error().message();
    return std::move(*ram);
}

TEST(Ram, GivesEveryFrameOnceAndThenNone) {
    const auto ram = make_ram(100);
    std::set<Frame> seen;
    for (FrameRun run = ram->allocate(7); run.count != 0; run = ram->allocate(7)) {
        for (std::uint32_t i = 0; i < run.count; ++i) EXPECT_TRUE(seen.insert(run.first + i).second);
    }
    EXPECT_EQ(seen.size(), 100U);
    EXPECT_EQ(*seen.rbegin(), 99U);
    EXPECT_EQ(ram->free_frames(), 0U);
}

TEST(Ram, GivesARunAsLongAsWantedWhereThereIsOne) {
    const auto ram = make_ram(256);
    const FrameRun first = ram->allocate(100);
    EXPECT_EQ(first.count, 100U);
    EXPECT_EQ(ram->allocate(150).count, 150U);
}

TEST(Ram, GivesTheLongestRunWhereNoneIsLongEnough) {
    const auto ram = make_ram(64);
    const FrameRun all = ram->allocate(64);
    ram->free({all.first + 3, 2});
    ram->free({all.first + 10, 5});
    EXPECT_EQ(ram->allocate(20).count, 5U);
    EXPECT_EQ(ram->allocate(20).count, 2U);
    EXPECT_EQ(ram->allocate(20).count, 0U);
}

TEST(Ram, FreedFramesComeBackZeroed) {
    const auto ram = make_ram(8);
    const FrameRun run = ram->allocate(8);
    std::memset(ram->host(run.first), 0x5a, 8 * kPageBytes);
    ram->free(run);
    const FrameRun again = ram->allocate(8);
    ASSERT_EQ(again.count, 8U);
    const auto* bytes = reinterpret_cast<const char*>(ram->host(again.first));
    EXPECT_TRUE(std::all_of(bytes, bytes + 8 * kPageBytes, [](char byte) { return byte == 0; }));
}

TEST(Ram, InvalidationKeepsTheContents) {
    const auto ram = make_ram(4);
    const FrameRun run = ram->allocate(2);
    std::strcpy(reinterpret_cast<char*>(ram->host(run.first)), "kept");
    ram->invalidate(run);
    EXPECT_STREQ(reinterpret_cast<const char*>(ram->host(run.first)), "kept");
}

TEST(Ram, KeepsPrefaultedMemoryAndWipesIt) {
    const auto ram = Ram::create("prefaulted", 512 * kPageBytes, -1, {RamKind::Pages::kSmall, true});
    ASSERT_TRUE(ram);
    EXPECT_EQ((*ram)->note(), "");
    const FrameRun run = (*ram)->allocate(16);
    ASSERT_EQ(run.count, 16U);
    *(*ram)->host(run.first) = std::byte{7};
    (*ram)->invalidate(run);
    EXPECT_EQ(*(*ram)->host(run.first), std::byte{7});
    (*ram)->free(run);
    EXPECT_EQ(*(*ram)->host(run.first), std::byte{0});
    struct stat status {};
    ASSERT_EQ(::fstat((*ram)->fd(), &status), 0);
    EXPECT_EQ(static_cast<std::size_t>(status.st_blocks) * 512, 512 * kPageBytes);
}

TEST(Ram, TakesSmallPagesWhereHugeOnesAreNotToBeHad) {
    // More than any pool has.
    const auto ram = Ram::create("huge", std::size_t{1} << 38U, -1, {RamKind::Pages::kHuge, false});
    if (!ram) GTEST_SKIP() << "SKIP: no address space for the test";
    EXPECT_NE((*ram)->note(), "");
    *(*ram)->host(0) = std::byte{1};
}

}  // namespace
}  // namespace divisi::hv
