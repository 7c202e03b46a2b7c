#include "daemon/accounting.hpp"

#include <gmock/gmock.h>

namespace divisi::daemon {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::uint64_t kGib = 1ULL << 30U;

TEST(Claims, TakeTheLargerOfTheTwoModes) {
    const auto config = parse_object(R"({"nodes": [{"memory": 100, "pu": 3}, {"memory": 100, "pu": 1},
                                                   {"memory": 100, "pu": 3}], "shared_memory": 250})");
    const auto claims = claims_of(*config);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->memory, 300U);
    EXPECT_THAT(claims->pus, ElementsAre(1, 3));
}

TEST(Claims, DoNotOverflow) {
    const auto config =
        parse_object(R"({"nodes": [{"memory": 18446744073709551615, "pu": 0}, {"memory": 9, "pu": 0}]})");
    EXPECT_EQ(claims_of(*config)->memory, UINT64_MAX);
}

TEST(Claims, OfSomethingElseAreAnError) {
    for (const char* text :
         {R"({})", R"({"nodes": [1]})", R"({"nodes": [{"pu": 1}]})", R"({"nodes": [{"memory": 1}]})"})
        EXPECT_FALSE(claims_of(*parse_object(text))) << text;
}

TEST(Memory, MayBeHeldUpToTheMachines) {
    const Holders holders{{"a", {2 * kGib, {}}}, {"b", {kGib, {}}}};
    EXPECT_TRUE(check_memory("c", {kGib, {}}, holders, 4 * kGib));
    const auto refused = check_memory("c", {kGib + 1, {}}, holders, 4 * kGib);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(Errc::kInsufficient));
    EXPECT_THAT(refused.error().message(),
                AllOf(HasSubstr("topology 'c'"), HasSubstr("'a' holds 2GiB"), HasSubstr("'b' holds 1GiB")));
}

TEST(Memory, OfAnUnknownMachineIsNotCounted) {
    EXPECT_TRUE(check_memory("c", {UINT64_MAX, {}}, {}, 0));
}

TEST(SharedPus, AreNamedWithTheirHolders) {
    const Holders holders{{"a", {0, {0, 1}}}, {"b", {0, {1, 2}}}};
    EXPECT_THAT(shared_pus({0, {1, 2, 3}}, holders),
                ElementsAre(Pair(1, ElementsAre("a", "b")), Pair(2, ElementsAre("b"))));
}

}  // namespace
}  // namespace divisi::daemon
