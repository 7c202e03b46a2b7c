#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace divisi {
namespace {

TEST(Printable, KeepsWhatPeopleWrite) {
    EXPECT_EQ(printable("quad32: größer, 大きい, 🎻"), "quad32: größer, 大きい, 🎻");
    EXPECT_EQ(printable(""), "");
}

TEST(Printable, DisarmsTerminals) {
    EXPECT_EQ(printable("\x1b[31mred\n"), "?[31mred?");
    EXPECT_EQ(printable("\xc2\x9b"), "?") << "the one-character CSI";
    EXPECT_EQ(printable("\x7f"), "?");
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a?b")
        << "right-to-left override";
}

TEST(Printable, ReplacesWhatIsNotUtf8) {
    EXPECT_EQ(printable("a\xff\xc0\xaf"
                        "b"),
              "a???b");
    EXPECT_EQ(printable("\xe2\x80"), "??");
}

TEST(AsUtf8, ReplacesOnlyWhatIsNotUtf8) {
    EXPECT_EQ(as_utf8("größer\n\x1b\x7f"), "größer\n\x1b\x7f");
    EXPECT_EQ(as_utf8("caf\xe9 \xff\xe2\x80"), "caf? ???");
    EXPECT_EQ(as_utf8(""), "");
}

TEST(Utf8Length, TellsCharactersFromNonsense) {
    EXPECT_EQ(utf8_length("a"), 1U);
    EXPECT_EQ(utf8_length("ä"), 2U);
    EXPECT_EQ(utf8_length("大"), 3U);
    EXPECT_EQ(utf8_length("🎻"), 4U);
    for (const char* bad :
         {"", "\x80", "\xc1\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xe2\x80"})
        EXPECT_EQ(utf8_length(bad), 0U);
}

}  // namespace
}  // namespace divisi
