#include "base/mode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace divisi {
namespace {

TEST(Mode, HasANameThatParsesBack) {
    for (const Mode mode : {Mode::kSharedMemory, Mode::kMessagePassing}) EXPECT_EQ(*parse_mode(to_string(mode)), mode);
}

TEST(Mode, AcceptsExactNamesOnly) {
    for (const char* text : {"", "shared", "Shared-Memory", "shared_memory", "message-passing ", "mp"}) {
        const auto mode = parse_mode(text);
        ASSERT_FALSE(mode) << text;
        EXPECT_TRUE(mode.error().is(Errc::kUsage));
        EXPECT_THAT(mode.error().message(), testing::HasSubstr("use shared-memory or message-passing"));
    }
}

}  // namespace
}  // namespace divisi
