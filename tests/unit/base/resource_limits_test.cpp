#include "base/resource_limits.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace divisi {
namespace {

Result<ResourceLimits> parse(std::string_view text) {
    return limits_from_json(json::parse(text).as_object());
}

TEST(ResourceLimits, ComeBackAsTheyWereWritten) {
    const ResourceLimits limits{{RLIMIT_STACK, {8U << 20U, RLIM_INFINITY}}, {RLIMIT_CORE, {0, 4096}}};
    const auto back = limits_from_json(to_json(limits));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, limits);
}

TEST(ResourceLimits, OfThisProcessAreThoseOfGetrlimit) {
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    const ResourceLimits limits = own_limits();
    ASSERT_TRUE(limits.contains(RLIMIT_NOFILE));
    EXPECT_EQ(limits.at(RLIMIT_NOFILE), (ResourceLimit{files.rlim_cur, files.rlim_max}));
    EXPECT_FALSE(limits.contains(RLIMIT_NPROC));  // of a user, which a node does not have
}

TEST(ResourceLimits, RefuseWhatIsNoLimit) {
    for (const char* text : {R"({"stacks": [1, 2]})", R"({"stack": [2, 1]})", R"({"stack": [null, 1]})",
                             R"({"stack": [1]})", R"({"stack": 1})", R"({"stack": ["1", 2]})", R"({"stack": [-1, 2]})"})
        EXPECT_FALSE(parse(text)) << text;
    EXPECT_TRUE(parse(R"({"stack": [1, null], "core": [null, null]})"));
}

}  // namespace
}  // namespace divisi
