#include "hv/address_space.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace divisi::hv {
namespace {

constexpr int kRw = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr std::uint64_t kMiB = 1U << 20U;

class AddressSpaceTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto ram = Ram::create("space-test", 16 * kMiB, -1);
        ASSERT_TRUE(ram);
        ram_ = std::move(*ram);
        auto tables = PageTables::create(0);
        ASSERT_TRUE(tables);
        tables_ = std::move(*tables);
        space_ = std::make_unique<AddressSpace>(*ram_, *tables_);
    }

    Gva map(std::uint64_t bytes, int prot = kRw, int flags = kPrivate, Gva hint = 0) {
        const SysResult at = space_->map(hint, bytes, prot, flags, std::nullopt);
        EXPECT_GT(at, 0);
        return static_cast<Gva>(at);
    }

    std::unique_ptr<Ram> ram_;
    std::unique_ptr<PageTables> tables_;
    std::unique_ptr<AddressSpace> space_;
};

TEST_F(AddressSpaceTest, WhatIsWrittenIsReadAcrossPages) {
    const Gva at = map(3 * kPageBytes) + kPageBytes - 3;
    ASSERT_TRUE(space_->copy_out(at, "across", 7));
    EXPECT_EQ(space_->copy_string_in(at, 100), "across");
}

TEST_F(AddressSpaceTest, FreshMemoryIsZero) {
    const Gva at = map(kMiB);
    EXPECT_EQ(space_->read<std::uint64_t>(at + kMiB - 8), 0U);
}

TEST_F(AddressSpaceTest, UnmappedMemoryIsOutOfReach) {
    const Gva at = map(2 * kPageBytes);
    EXPECT_EQ(space_->unmap(at + kPageBytes, kPageBytes), 0);
    EXPECT_TRUE(space_->write(at, 1));
    EXPECT_FALSE(space_->write(at + kPageBytes, 1));
    EXPECT_EQ(space_->fault(at + kPageBytes, Access::kRead), FaultOutcome::kNotMapped);
    char byte = 0;
    EXPECT_FALSE(space_->copy_in(&byte, 0, 1));
    EXPECT_FALSE(space_->copy_in(&byte, ~0ULL, 1));
    EXPECT_FALSE(space_->copy_in(&byte, kUserBytes - 1, 2));
}

TEST_F(AddressSpaceTest, CopiesToAnotherOnlyWhatEitherMayTouch) {
    using Copied = AddressSpace::Copied;
    auto tables = PageTables::create(0);
    ASSERT_TRUE(tables);
    AddressSpace other(*ram_, **tables);
    constexpr std::uint64_t kBytes = kMiB + 12345;
    const Gva from = map(2 * kMiB) + 77;
    const Gva to = static_cast<Gva>(other.map(0, 2 * kMiB, kRw, kPrivate, std::nullopt)) + 4000;
    std::vector<unsigned char> bytes(kBytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7 + i / 4093);
    ASSERT_TRUE(space_->copy_out(from, bytes.data(), kBytes));
    EXPECT_EQ(AddressSpace::copy_between(*space_, from, other, to, kBytes), Copied::kAll);
    std::vector<unsigned char> seen(kBytes);
    ASSERT_TRUE(other.copy_in(seen.data(), to, kBytes));
    EXPECT_EQ(seen, bytes);
    EXPECT_EQ(other.read<unsigned char>(to + kBytes), 0);
    // Back, where half of the target is not to be written, and where the source ends.
    EXPECT_EQ(space_->protect(from - 77 + kMiB, kMiB, PROT_READ), 0);
    EXPECT_EQ(AddressSpace::copy_between(other, to, *space_, from, kBytes), Copied::kTargetFault);
    EXPECT_EQ(other.unmap(to - 4000 + kMiB, kMiB), 0);
    EXPECT_EQ(AddressSpace::copy_between(other, to, *space_, from, kMiB), Copied::kSourceFault);
    EXPECT_EQ(AddressSpace::copy_between(other, to, *space_, from, kMiB - 4000), Copied::kAll);
    EXPECT_EQ(AddressSpace::copy_between(other, ~0ULL, *space_, from, 2), Copied::kSourceFault);
    EXPECT_EQ(AddressSpace::copy_between(other, to, *space_, kUserBytes - 1, 2), Copied::kTargetFault);
}

TEST_F(AddressSpaceTest, CopiesBothWaysWhileBothChange) {
    auto tables = PageTables::create(0);
    ASSERT_TRUE(tables);
    AddressSpace other(*ram_, **tables);
    const Gva here = map(kMiB);
    const auto there = static_cast<Gva>(other.map(0, kMiB, kRw, kPrivate, std::nullopt));
    const auto change = [](AddressSpace& space, Gva at) {
        for (int i = 0; i < 200; ++i) {
            EXPECT_EQ(space.protect(at, kMiB, i % 2 == 0 ? PROT_READ : kRw), 0);
            EXPECT_EQ(space.advise(at + kMiB / 2, kMiB / 2, MADV_DONTNEED), 0);
        }
    };
    std::vector<std::thread> threads;
    threads.emplace_back(change, std::ref(*space_), here);
    threads.emplace_back(change, std::ref(other), there);
    // Each way its own half: the same bytes both ways would be a race of the programs, which is theirs to avoid.
    const auto copy = [](AddressSpace& from, Gva source, AddressSpace& to, Gva target) {
        for (int i = 0; i < 100; ++i) static_cast<void>(AddressSpace::copy_between(from, source, to, target, kMiB / 2));
    };
    threads.emplace_back(copy, std::ref(*space_), here, std::ref(other), there);
    threads.emplace_back(copy, std::ref(other), there + kMiB / 2, std::ref(*space_), here + kMiB / 2);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(AddressSpace::copy_between(*space_, here, other, there, kMiB), AddressSpace::Copied::kAll);
}

TEST_F(AddressSpaceTest, ProtectionIsEnforcedOnCopiesAndInTheTables) {
    const Gva at = map(kPageBytes);
    ASSERT_TRUE(space_->write(at, 7));
    EXPECT_EQ(space_->protect(at, kPageBytes, PROT_READ), 0);
    EXPECT_FALSE(space_->write(at, 8));
    EXPECT_EQ(space_->read<int>(at), 7);
    EXPECT_FALSE(tables_->get(at).writable());
    EXPECT_FALSE(tables_->get(at).executable());
    EXPECT_EQ(space_->protect(at, kPageBytes, PROT_NONE), 0);
    EXPECT_FALSE(space_->read<int>(at));
    EXPECT_FALSE(tables_->get(at).present());
    EXPECT_EQ(space_->protect(at, kPageBytes, kRw), 0);
    EXPECT_EQ(space_->read<int>(at), 7);
    EXPECT_EQ(space_->fault(at, Access::kExecute), FaultOutcome::kNoAccess);
}

TEST_F(AddressSpaceTest, ProtectingWhatIsPartlyUnmappedChangesNothing) {
    const Gva at = map(3 * kPageBytes);
    space_->unmap(at + 2 * kPageBytes, kPageBytes);
    EXPECT_EQ(space_->protect(at, 3 * kPageBytes, PROT_READ), -ENOMEM);
    EXPECT_TRUE(space_->write(at, 1));
}

TEST_F(AddressSpaceTest, UnmappingGivesTheFramesBack) {
    const std::uint32_t before = ram_->free_frames();
    const Gva at = map(kMiB);
    ASSERT_TRUE(space_->zero_out(at, kMiB));
    EXPECT_LT(ram_->free_frames(), before);
    space_->unmap(at, kMiB);
    EXPECT_EQ(ram_->free_frames(), before);
}

TEST_F(AddressSpaceTest, DestructionGivesTheFramesBack) {
    const std::uint32_t before = ram_->free_frames();
    ASSERT_TRUE(space_->zero_out(map(kMiB), kMiB));
    space_.reset();
    EXPECT_EQ(ram_->free_frames(), before);
}

TEST_F(AddressSpaceTest, MoreThanThereIsIsRefused) {
    EXPECT_EQ(space_->map(0, 17 * kMiB, kRw, kPrivate, std::nullopt), -ENOMEM);
    map(10 * kMiB);
    EXPECT_EQ(space_->map(0, 7 * kMiB, kRw, kPrivate, std::nullopt), -ENOMEM);
    map(7 * kMiB, PROT_NONE);  // a reservation costs nothing
    map(7 * kMiB, kRw, kPrivate | MAP_NORESERVE);
}

TEST_F(AddressSpaceTest, MakingAReservationWritableIsCharged) {
    const Gva at = map(64 * kMiB, PROT_NONE);
    EXPECT_EQ(space_->protect(at, 17 * kMiB, kRw), -ENOMEM);
    EXPECT_EQ(space_->protect(at, 8 * kMiB, kRw), 0);
    EXPECT_EQ(space_->protect(at + 8 * kMiB, 9 * kMiB, kRw), -ENOMEM);
    EXPECT_EQ(space_->protect(at, 8 * kMiB, PROT_NONE), 0);
    EXPECT_EQ(space_->protect(at + 8 * kMiB, 9 * kMiB, kRw), 0);
}

TEST_F(AddressSpaceTest, UsedUpMemoryIsAFaultNotACrash) {
    const Gva at = map(64 * kMiB, kRw, kPrivate | MAP_NORESERVE);
    bool failed = false;
    for (std::uint64_t offset = 0; offset < 64 * kMiB && !failed; offset += kPageBytes)
        failed = space_->fault(at + offset, Access::kWrite) == FaultOutcome::kOutOfMemory;
    EXPECT_TRUE(failed);
    EXPECT_EQ(ram_->free_frames(), 0U);
}

TEST_F(AddressSpaceTest, MremapMovesTheContents) {
    const Gva at = map(2 * kPageBytes);
    ASSERT_TRUE(space_->write(at + kPageBytes, 42));
    const Gva blocker = at + 2 * kPageBytes;
    space_->map(blocker, kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt);
    EXPECT_EQ(space_->remap(at, 2 * kPageBytes, 4 * kPageBytes, 0, 0), -ENOMEM);
    const SysResult moved = space_->remap(at, 2 * kPageBytes, 4 * kPageBytes, MREMAP_MAYMOVE, 0);
    ASSERT_GT(moved, 0);
    EXPECT_EQ(space_->read<int>(static_cast<Gva>(moved) + kPageBytes), 42);
    EXPECT_TRUE(space_->write(static_cast<Gva>(moved) + 3 * kPageBytes, 1));
    EXPECT_FALSE(space_->read<int>(at));
}

TEST_F(AddressSpaceTest, DontneedDropsTheContents) {
    const Gva at = map(kPageBytes);
    ASSERT_TRUE(space_->write(at, 42));
    EXPECT_EQ(space_->advise(at, kPageBytes, MADV_DONTNEED), 0);
    EXPECT_EQ(space_->read<int>(at), 0);
}

TEST_F(AddressSpaceTest, TheHeapGrowsAndShrinks) {
    space_->set_break_start(0x50'0001);
    const Gva start = 0x50'1000;
    EXPECT_EQ(space_->set_break(0), static_cast<SysResult>(start));
    EXPECT_EQ(space_->set_break(start + 10000), static_cast<SysResult>(start + 10000));
    EXPECT_TRUE(space_->write(start + 9000, 1));
    EXPECT_EQ(space_->set_break(start + 100), static_cast<SysResult>(start + 100));
    EXPECT_FALSE(space_->write(start + 9000, 1));
    EXPECT_EQ(space_->set_break(start + 17 * kMiB), static_cast<SysResult>(start + 100));
}

TEST_F(AddressSpaceTest, FixedMappingsReplaceAndNoreplaceRefuses) {
    const Gva at = map(2 * kPageBytes);
    ASSERT_TRUE(space_->write(at, 1));
    EXPECT_EQ(space_->map(at, kPageBytes, kRw, kPrivate | MAP_FIXED_NOREPLACE, std::nullopt), -EEXIST);
    EXPECT_EQ(space_->map(at, kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt), static_cast<SysResult>(at));
    EXPECT_EQ(space_->read<int>(at), 0);
}

TEST_F(AddressSpaceTest, FilesAreShownPrivatelyAndEndInABusError) {
    auto memory = create_memfd("file", kPageBytes);
    ASSERT_TRUE(memory);
    ASSERT_TRUE(write_all(memory->get(), "content", "file"));
    AddressSpace::FileBacking file;
    file.bytes = 100;
    file.fd = std::make_shared<const Fd>(std::move(*memory));
    const SysResult at = space_->map(0, 2 * kPageBytes, kRw, MAP_PRIVATE, file);
    ASSERT_GT(at, 0);
    const auto base = static_cast<Gva>(at);
    EXPECT_EQ(space_->copy_string_in(base, 100), "content");
    EXPECT_EQ(space_->fault(base + kPageBytes, Access::kRead), FaultOutcome::kPastFile);
    ASSERT_TRUE(space_->copy_out(base, "changed", 7));
    char byte = 0;
    ASSERT_EQ(::pread(file.fd->get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'c');
}

TEST_F(AddressSpaceTest, HasSoManyAreasAndNotMore) {
    constexpr Gva kFirst = 1ULL << 32U;
    constexpr int kMost = 70000;
    const auto map_one = [this](int index) {
        return space_->map(kFirst + static_cast<Gva>(index) * 2 * kPageBytes, kPageBytes, PROT_NONE,
                           kPrivate | MAP_FIXED, std::nullopt);
    };
    int mapped = 0;
    while (mapped < kMost && map_one(mapped) > 0) ++mapped;
    EXPECT_GT(mapped, 60000);
    EXPECT_LT(mapped, kMost);
    EXPECT_EQ(map_one(mapped), -ENOMEM);
    EXPECT_EQ(space_->unmap(kFirst, kPageBytes), 0);
    EXPECT_GT(map_one(0), 0);
}

TEST_F(AddressSpaceTest, GrowsOnlyWithinItsBounds) {
    space_->bound({64 * kPageBytes, 16 * kPageBytes, 8 * kPageBytes});
    EXPECT_EQ(space_->map(0, 65 * kPageBytes, PROT_NONE, kPrivate, std::nullopt), -ENOMEM);
    EXPECT_EQ(space_->map(0, 17 * kPageBytes, kRw, kPrivate, std::nullopt), -ENOMEM);
    constexpr Gva kTop = 1ULL << 32U;
    ASSERT_EQ(space_->map(kTop - kPageBytes, kPageBytes, kRw, kPrivate | MAP_FIXED | MAP_GROWSDOWN, std::nullopt),
              static_cast<SysResult>(kTop - kPageBytes));
    EXPECT_EQ(space_->fault(kTop - 8 * kPageBytes, Access::kWrite), FaultOutcome::kResolved);
    EXPECT_EQ(space_->fault(kTop - 9 * kPageBytes, Access::kWrite), FaultOutcome::kNotMapped);
}

TEST_F(AddressSpaceTest, WildRangesAreRefused) {
    EXPECT_EQ(space_->map(0, ~0ULL, kRw, kPrivate, std::nullopt), -ENOMEM);
    EXPECT_EQ(space_->map(0, 0, kRw, kPrivate, std::nullopt), -EINVAL);
    EXPECT_EQ(space_->map(kWindowGva, kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt), -ENOMEM);
    EXPECT_EQ(space_->map(~0xfffULL, kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt), -ENOMEM);
    EXPECT_EQ(space_->unmap(~0xfffULL, kPageBytes), -EINVAL);
    EXPECT_EQ(space_->unmap(kPageBytes, ~0ULL), -EINVAL);
    EXPECT_EQ(space_->protect(~0xfffULL, ~0ULL, kRw), -ENOMEM);
    EXPECT_EQ(space_->remap(~0xfffULL, kPageBytes, kPageBytes, MREMAP_MAYMOVE, 0), -EFAULT);
    EXPECT_NE(space_->advise(1, kPageBytes, MADV_DONTNEED), 0);
}

TEST_F(AddressSpaceTest, StandsManyThreadsAtOnce) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this, t] {
            for (int i = 0; i < 200; ++i) {
                const SysResult at = space_->map(0, 8 * kPageBytes, kRw, kPrivate, std::nullopt);
                ASSERT_GT(at, 0);
                const Gva base = static_cast<Gva>(at);
                ASSERT_TRUE(space_->write(base, t));
                ASSERT_EQ(space_->protect(base, kPageBytes, PROT_READ), 0);
                ASSERT_EQ(space_->read<int>(base), t);
                ASSERT_EQ(space_->unmap(base, 8 * kPageBytes), 0);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace divisi::hv
