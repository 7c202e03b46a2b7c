#include "base/result.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace divisi {
namespace {

Result<std::unique_ptr<int>> make(bool works) {
    if (!works) return make_error(Errc::kFailed, "it did not");
    return std::make_unique<int>(5);
}

Result<int> use(bool works) {
    DIVISI_TRY_ASSIGN(const std::unique_ptr<int> value, make(works));
    DIVISI_TRY_ASSIGN(const std::unique_ptr<int> other, make(works));
    return *value + *other;
}

Result<void> pass(bool works) {
    DIVISI_TRY(make(works));
    return {};
}

TEST(Result, HoldsAValueThatOnlyMoves) {
    auto result = make(true);
    ASSERT_TRUE(result);
    const std::unique_ptr<int> value = std::move(*result);
    EXPECT_EQ(*value, 5);
}

TEST(Result, TryReturnsTheErrorUnchanged) {
    EXPECT_EQ(*use(true), 10);
    ASSERT_FALSE(use(false));
    EXPECT_EQ(use(false).error().message(), "it did not");
    EXPECT_TRUE(pass(true));
    EXPECT_TRUE(pass(false).error().is(Errc::kFailed));
}

TEST(Result, IsDefaultedToSuccess) {
    EXPECT_TRUE(Result<void>());
    EXPECT_EQ(Result<int>().value(), 0);
}

}  // namespace
}  // namespace divisi
