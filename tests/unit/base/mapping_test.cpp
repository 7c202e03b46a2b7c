#include "base/mapping.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/fd.hpp"

namespace divisi {
namespace {

constexpr std::size_t kPage = 4096;

bool is_mapped(const std::byte* address) {
    unsigned char residency = 0;
    return ::mincore(const_cast<std::byte*>(address), 1, &residency) == 0;
}

// Whether a byte can be read, asked of the kernel so that a wrong answer kills no test.
bool is_readable(const std::byte* address) {
    int ends[2];
    if (::pipe(ends) != 0) return false;
    const bool readable = ::write(ends[1], address, 1) == 1;
    ::close(ends[0]);
    ::close(ends[1]);
    return readable;
}

Fd pages_of(std::size_t pages, char fill) {
    Fd fd = std::move(*create_memfd("test", pages * kPage));
    const std::string content(pages * kPage, fill);
    EXPECT_TRUE(write_all(fd.get(), content, "test"));
    return fd;
}

TEST(Mapping, AnonymousMemoryIsZeroAndWritable) {
    const auto mapping = Mapping::anonymous(3 * kPage);
    ASSERT_TRUE(mapping);
    EXPECT_EQ(mapping->size(), 3 * kPage);
    EXPECT_TRUE(std::all_of(mapping->bytes().begin(), mapping->bytes().end(), [](auto b) { return b == std::byte{}; }));
    mapping->data()[kPage] = std::byte{7};
    EXPECT_EQ(mapping->bytes()[kPage], std::byte{7});
}

TEST(Mapping, UnmapsOnDestruction) {
    const std::byte* address = nullptr;
    {
        const auto mapping = Mapping::anonymous(kPage);
        ASSERT_TRUE(mapping);
        address = mapping->data();
        EXPECT_TRUE(is_mapped(address));
    }
    EXPECT_FALSE(is_mapped(address));
}

TEST(Mapping, MovesLeaveTheSourceEmpty) {
    auto first = Mapping::anonymous(kPage);
    ASSERT_TRUE(first);
    const std::byte* address = first->data();
    Mapping second(std::move(*first));
    EXPECT_FALSE(first->valid());
    EXPECT_EQ(first->size(), 0U);
    auto third = Mapping::anonymous(kPage);
    const std::byte* replaced = third->data();
    *third = std::move(second);
    EXPECT_EQ(third->data(), address);
    EXPECT_FALSE(is_mapped(replaced));
    EXPECT_TRUE(is_mapped(address));
}

TEST(Mapping, ReservedSpaceIsAlignedAndWithoutAccess) {
    for (const std::size_t alignment : {kPage, std::size_t{2} << 20U, std::size_t{1} << 30U}) {
        const auto mapping = Mapping::reserve(5 * kPage, alignment);
        ASSERT_TRUE(mapping);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping->data()) % alignment, 0U);
        EXPECT_FALSE(is_readable(mapping->data()));
    }
    // Address space, not memory.
    EXPECT_TRUE(Mapping::reserve(std::size_t{1} << 40U));
}

TEST(Mapping, ReservingReturnsTheSlackOfItsAlignment) {
    const auto mapping = Mapping::reserve(kPage, 16 * kPage);
    ASSERT_TRUE(mapping);
    const std::byte* address = mapping->data();
    const auto neighbours = Mapping::reserve(kPage, 16 * kPage);
    EXPECT_NE(neighbours->data(), address);
}

TEST(Mapping, RefusesImpossibleSizes) {
    EXPECT_FALSE(Mapping::anonymous(0));
    EXPECT_FALSE(Mapping::reserve(std::size_t{1} << 60U));
    EXPECT_FALSE(Mapping::reserve(~std::size_t{0} - kPage, std::size_t{2} << 20U));
    EXPECT_FALSE(Mapping::file(-1, 0, kPage, PROT_READ));
}

TEST(Mapping, SharesTheBytesOfAFile) {
    const Fd fd = pages_of(2, 'f');
    const auto mapping = Mapping::file(fd.get(), kPage, kPage, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    EXPECT_EQ(mapping->bytes()[0], std::byte{'f'});
    mapping->data()[1] = std::byte{'w'};
    char byte = 0;
    EXPECT_EQ(::pread(fd.get(), &byte, 1, kPage + 1), 1);
    EXPECT_EQ(byte, 'w');
}

TEST(Mapping, OverlaysAndClearsPartsOfItself) {
    const Fd fd = pages_of(2, 'o');
    auto mapping = Mapping::reserve(4 * kPage);
    ASSERT_TRUE(mapping);
    ASSERT_TRUE(mapping->overlay(kPage, fd.get(), 0, 2 * kPage, PROT_READ));
    EXPECT_FALSE(is_readable(mapping->data()));
    EXPECT_TRUE(is_readable(mapping->data() + kPage));
    EXPECT_EQ(mapping->bytes()[3 * kPage - 1], std::byte{'o'});
    EXPECT_FALSE(is_readable(mapping->data() + 3 * kPage));
    ASSERT_TRUE(mapping->clear(kPage, kPage));
    EXPECT_FALSE(is_readable(mapping->data() + kPage));
    EXPECT_TRUE(is_readable(mapping->data() + 2 * kPage));
}

TEST(Mapping, RefusesToReachBeyondItself) {
    const Fd fd = pages_of(4, 'x');
    auto mapping = Mapping::reserve(4 * kPage);
    ASSERT_TRUE(mapping);
    const auto overlay = [&](std::size_t at, std::size_t size) {
        return mapping->overlay(at, fd.get(), 0, size, PROT_READ).has_value();
    };
    EXPECT_TRUE(overlay(0, 4 * kPage));
    EXPECT_TRUE(overlay(3 * kPage, kPage));
    EXPECT_FALSE(overlay(0, 5 * kPage));
    EXPECT_FALSE(overlay(3 * kPage, 2 * kPage));
    EXPECT_FALSE(overlay(4 * kPage, kPage));
    EXPECT_FALSE(overlay(5 * kPage, 0));
    EXPECT_FALSE(overlay(~std::size_t{0} - kPage + 1, kPage));
    EXPECT_FALSE(overlay(kPage, ~std::size_t{0}));
    EXPECT_FALSE(mapping->clear(4 * kPage, kPage));
    EXPECT_FALSE(mapping->clear(kPage, ~std::size_t{0} - kPage + 1));
}

TEST(Mapping, KeepsItsPagesWhereAnOverlayFails) {
    const Fd fd = pages_of(1, 'k');
    auto mapping = Mapping::reserve(2 * kPage);
    ASSERT_TRUE(mapping->overlay(0, fd.get(), 0, kPage, PROT_READ));
    EXPECT_FALSE(mapping->overlay(0, -1, 0, kPage, PROT_READ));
    EXPECT_FALSE(mapping->overlay(0, fd.get(), 1, kPage, PROT_READ));
    EXPECT_FALSE(mapping->overlay(1, fd.get(), 0, kPage, PROT_READ));
    EXPECT_EQ(mapping->bytes()[0], std::byte{'k'});
}

}  // namespace
}  // namespace divisi
