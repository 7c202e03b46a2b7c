#include "base/file_rules.hpp"

#include <gtest/gtest.h>

namespace divisi {
namespace {

TEST(FileRules, HaveOneSpellingAPath) {
    EXPECT_EQ(plain_path("/a//b/./"), "/a/b");
    EXPECT_EQ(plain_path("//"), "/");
    EXPECT_EQ(plain_path("./"), ".");
    EXPECT_EQ(plain_path("out/./x/"), "out/x");
}

TEST(FileRules, RefusePathsThatMeanNothingHere) {
    for (const std::string_view path : {"/", ".", "/data", "out", "a/.../b", "/dev/shm", "/processes"})
        EXPECT_FALSE(check_file_rule(path)) << path;
    for (const std::string_view path : {"", "~/x", "/a/../b", "..", "/proc", "/sys/x", "/dev/kvm", "//dev/./null"})
        EXPECT_TRUE(check_file_rule(path)) << path;
    EXPECT_TRUE(check_file_rule(std::string(5000, 'x')));
    EXPECT_TRUE(check_file_rule(std::string_view("a\0b", 3)));
}

TEST(FileRules, TravelAsJson) {
    const FileRules rules{{"/h"}, {"/", "/r"}, {}};
    const auto back = file_rules_from_json(to_json(rules));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, rules);
    EXPECT_FALSE(file_rules_from_json({{"hidden", json::array{}}, {"readable", json::array{}}}));
    EXPECT_FALSE(file_rules_from_json(
        {{"hidden", json::array{".."}}, {"readable", json::array{}}, {"writable", json::array{}}}));
    EXPECT_FALSE(
        file_rules_from_json({{"hidden", json::array{7}}, {"readable", json::array{}}, {"writable", json::array{}}}));
}

}  // namespace
}  // namespace divisi
