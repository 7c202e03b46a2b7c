#include "base/nearest.hpp"

#include <gtest/gtest.h>

#include <array>

namespace divisi {
namespace {

constexpr std::array<std::string_view, 4> kVerbs{"plan", "validate", "switch", "ps"};

TEST(Nearest, FindsTheWordThatWasMeant) {
    EXPECT_EQ(nearest("plna", kVerbs), "plan");
    EXPECT_EQ(nearest("PLAN", kVerbs), "plan");
    EXPECT_EQ(nearest("valdate", kVerbs), "validate");
    EXPECT_EQ(nearest("swithc", kVerbs), "switch");
    EXPECT_EQ(nearest("pss", kVerbs), "ps");
}

TEST(Nearest, DoesNotGuessWildly) {
    EXPECT_EQ(nearest("xyzzy", kVerbs), "");
    EXPECT_EQ(nearest("", kVerbs), "");
    EXPECT_EQ(nearest("q", kVerbs), "");
    EXPECT_EQ(nearest(std::string(100000, 'p'), kVerbs), "");
    EXPECT_EQ(nearest("plan", {}), "");
}

}  // namespace
}  // namespace divisi
