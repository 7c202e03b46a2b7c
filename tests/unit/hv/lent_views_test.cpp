#include "hv/lent_views.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "hv/address_space.hpp"

namespace divisi::hv {
namespace {

constexpr int kRw = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::size_t kPages = 8;

class LentViewsTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto ram = Ram::create("views-owner", 16 * kMiB, -1);
        auto other = Ram::create("views-viewer", 16 * kMiB, -1);
        ASSERT_TRUE(ram && other);
        ram_ = std::move(*ram);
        viewer_ram_ = std::move(*other);
        auto tables = PageTables::create(0, kViewBytes);
        auto viewer_tables = PageTables::create(0, kViewBytes);
        ASSERT_TRUE(tables && viewer_tables);
        tables_ = std::move(*tables);
        viewer_tables_ = std::move(*viewer_tables);
        owner_ = std::make_unique<AddressSpace>(*ram_, *tables_, &views_);
        viewer_ = std::make_unique<AddressSpace>(*viewer_ram_, *viewer_tables_, &views_);
        at_ = static_cast<Gva>(owner_->map(0, kPages * kPageBytes, kRw, kPrivate, std::nullopt));
        for (std::size_t page = 0; page < kPages; ++page) ASSERT_TRUE(owner_->write(at_ + page * kPageBytes, page + 1));
    }

    SysResult show(std::size_t first, std::size_t pages, std::size_t at) {
        const Gva begin = at_ + first * kPageBytes;
        return owner_->show(begin, begin + pages * kPageBytes, *viewer_tables_, at);
    }
    std::optional<std::size_t> seen(std::size_t page) {
        return viewer_->read<std::size_t>(kViewsGva + page * kPageBytes);
    }
    // As the program reads it.
    std::uint32_t changes() {
        std::byte* count = viewer_tables_->host(viewer_tables_->get(kViewsGva - kPageBytes).gpa());
        return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(count)).load();
    }

    // As the program's processor reads it, whatever becomes of the mapping meanwhile: a race that is meant.
    [[gnu::no_sanitize("thread")]] std::size_t glimpse() {
        const std::byte* page = viewer_tables_->host(viewer_tables_->get(kViewsGva).gpa());
        return *reinterpret_cast<const volatile std::size_t*>(page);
    }

    std::unique_ptr<Ram> ram_, viewer_ram_;
    std::unique_ptr<PageTables> tables_, viewer_tables_;
    LentViews views_;
    std::unique_ptr<AddressSpace> owner_, viewer_;
    Gva at_ = 0;
};

TEST_F(LentViewsTest, ShowWhatTheOwnerWritesToBeRead) {
    ASSERT_EQ(show(2, 3, 10), 0);
    EXPECT_EQ(seen(10), 3U);
    EXPECT_EQ(seen(12), 5U);
    EXPECT_FALSE(seen(13));
    EXPECT_FALSE(seen(9));
    ASSERT_TRUE(owner_->write(at_ + 3 * kPageBytes, std::size_t{77}));
    EXPECT_EQ(seen(11), 77U);
    EXPECT_FALSE(viewer_->write(kViewsGva + 10 * kPageBytes, 1));
    EXPECT_FALSE(viewer_tables_->get(kViewsGva + 10 * kPageBytes).writable());
    EXPECT_FALSE(viewer_->write(kViewsGva - kPageBytes, 1));
}

TEST_F(LentViewsTest, PagesThatWereNeverTouchedAreZerosToBoth) {
    const auto fresh = static_cast<Gva>(owner_->map(0, 4 * kMiB, kRw, kPrivate, std::nullopt));
    ASSERT_EQ(owner_->show(fresh, fresh + 4 * kMiB, *viewer_tables_, 0), 0);
    EXPECT_EQ(seen(1000), 0U);
    ASSERT_TRUE(owner_->write(fresh + 1000 * kPageBytes, std::size_t{5}));
    EXPECT_EQ(seen(1000), 5U);
}

TEST_F(LentViewsTest, EveryChangeOfTheOwnersMapTakesThemAway) {
    const Gva elsewhere = at_ - (1U << 30U);
    const auto changes_of = [&](auto change) {
        EXPECT_EQ(show(0, kPages, 0), 0);
        EXPECT_EQ(seen(1), 2U);
        const std::uint32_t before = changes();
        change();
        EXPECT_EQ(seen(1), 0U);
        EXPECT_EQ(seen(kPages - 1), 0U);
        EXPECT_NE(changes(), before);
        owner_->map(at_, kPages * kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt);
        for (std::size_t page = 0; page < kPages; ++page) owner_->write(at_ + page * kPageBytes, page + 1);
    };
    const Gva second = at_ + kPageBytes;
    changes_of([&] { EXPECT_EQ(owner_->unmap(second, kPageBytes), 0); });
    changes_of([&] { EXPECT_EQ(owner_->advise(second, kPageBytes, MADV_DONTNEED), 0); });
    changes_of([&] { EXPECT_EQ(owner_->protect(second, kPageBytes, PROT_NONE), 0); });
    changes_of([&] { EXPECT_GT(owner_->map(second, kPageBytes, kRw, kPrivate | MAP_FIXED, std::nullopt), 0); });
    changes_of([&] {
        EXPECT_GT(
            owner_->remap(at_, kPages * kPageBytes, kPages * kPageBytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere), 0);
    });
    changes_of([&] { owner_->remap(at_, kPages * kPageBytes, kPageBytes, 0, 0); });
}

TEST_F(LentViewsTest, TheEndOfEitherTakesThemAway) {
    ASSERT_EQ(show(0, kPages, 0), 0);
    owner_.reset();
    EXPECT_EQ(seen(1), 0U);
    owner_ = std::make_unique<AddressSpace>(*ram_, *tables_, &views_);
    at_ = static_cast<Gva>(owner_->map(0, kPages * kPageBytes, kRw, kPrivate, std::nullopt));
    ASSERT_EQ(show(0, kPages, 0), 0);
    viewer_.reset();
    viewer_ = std::make_unique<AddressSpace>(*viewer_ram_, *viewer_tables_, &views_);
    EXPECT_FALSE(seen(1));
    EXPECT_EQ(viewer_tables_->views().piece_at(1).fd, -1);
    EXPECT_EQ(owner_->unmap(at_, kPages * kPageBytes), 0);
}

TEST_F(LentViewsTest, ALaterOneReplacesThoseItReachesIntoWhole) {
    ASSERT_EQ(show(0, 4, 0), 0);
    ASSERT_EQ(show(0, 4, 4), 0);
    const std::uint32_t before = changes();
    ASSERT_EQ(show(4, 4, 2), 0);
    EXPECT_EQ(changes(), before);
    EXPECT_EQ(seen(0), 0U);
    EXPECT_EQ(seen(2), 5U);
    EXPECT_EQ(seen(5), 8U);
    EXPECT_EQ(seen(6), 0U);
}

TEST_F(LentViewsTest, ShowOnlyWhatTheOwnerCanRead) {
    EXPECT_EQ(owner_->show(at_, at_ + (kPages + 1) * kPageBytes, *viewer_tables_, 0), -ENXIO);
    EXPECT_EQ(owner_->show(at_, at_, *viewer_tables_, 0), -ENXIO);
    EXPECT_EQ(owner_->show(kWindowGva - kPageBytes, kWindowGva + kPageBytes, *viewer_tables_, 0), -ENXIO);
    EXPECT_EQ(owner_->protect(at_ + kPageBytes, kPageBytes, PROT_NONE), 0);
    EXPECT_EQ(show(0, 2, 0), -ENXIO);
    EXPECT_EQ(show(0, 1, 0), 0);
    EXPECT_FALSE(seen(1));
}

TEST_F(LentViewsTest, MappingsOfSharedFilesAreNotShown) {
    auto memory = create_memfd("file", 2 * kPageBytes);
    ASSERT_TRUE(memory);
    AddressSpace::FileBacking file;
    file.bytes = 2 * kPageBytes;
    file.shared = true;
    file.fd = std::make_shared<const Fd>(std::move(*memory));
    const SysResult at = owner_->map(0, 2 * kPageBytes, PROT_READ, MAP_SHARED, file);
    ASSERT_GT(at, 0);
    const auto begin = static_cast<Gva>(at);
    EXPECT_EQ(owner_->show(begin, begin + 2 * kPageBytes, *viewer_tables_, 0), -EOPNOTSUPP);
}

TEST_F(LentViewsTest, OfScatteredMemoryOnlySoMuchIsShown) {
    constexpr std::uint64_t kAll = 16 * kMiB - 2 * kPages * kPageBytes;
    // Every second frame of the owner's memory, so that each page is a piece.
    const auto big = static_cast<Gva>(owner_->map(0, kAll, kRw, kPrivate | MAP_NORESERVE, std::nullopt));
    for (Gva page = 0; page < kAll; page += 2 * kPageBytes) {
        ASSERT_TRUE(owner_->write(big + page, 1));
        ASSERT_EQ(owner_->advise(big + page + kPageBytes, kPageBytes, MADV_DONTNEED), 0);
    }
    const auto scattered = static_cast<Gva>(owner_->map(0, 4 * kMiB, kRw, kPrivate, std::nullopt));
    constexpr std::size_t kEach = 4 * kMiB / kPageBytes;
    std::size_t shown = 0;
    while (shown < 20 && owner_->show(scattered, scattered + 4 * kMiB, *viewer_tables_, (shown % 8) * kEach) == 0)
        ++shown;
    // A window holds eight of them: the ninth takes the first's place, and what that had.
    EXPECT_EQ(shown, 20U);
    auto third = PageTables::create(0, kViewBytes);
    ASSERT_TRUE(third);
    AddressSpace another(*viewer_ram_, **third, &views_);
    EXPECT_EQ(owner_->show(scattered, scattered + 4 * kMiB, **third, 0), -ENOMEM);
    EXPECT_EQ(owner_->unmap(scattered, 4 * kMiB), 0);
    EXPECT_EQ(owner_->show(big, big + kMiB, **third, 0), 0);
}

TEST_F(LentViewsTest, WhatIsReadBeforeAChangeWasCountedIsTheOwners) {
    ASSERT_EQ(show(0, 1, 0), 0);
    const Gva elsewhere = at_ - (1U << 30U);
    std::atomic<bool> over{false};
    // The page is there as it always was, or nothing is.
    std::thread owner([&] {
        constexpr int kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
        for (int round = 0; round < 2000; ++round) {
            EXPECT_GT(owner_->remap(at_, kPageBytes, kPageBytes, kFlags, elsewhere), 0);
            EXPECT_GT(owner_->remap(elsewhere, kPageBytes, kPageBytes, kFlags, at_), 0);
        }
        over = true;
    });
    while (!over) {
        const std::uint32_t before = changes();
        if (show(0, 1, 0) != 0) continue;
        const std::size_t value = glimpse();
        EXPECT_TRUE(value == 1U || changes() != before);
    }
    owner.join();
}

}  // namespace
}  // namespace divisi::hv
