#include "ctl/output.hpp"

#include <gtest/gtest.h>

namespace divisi::ctl {
namespace {

std::string pretty_of(const char* text) {
    return pretty(json::parse(text));
}

TEST(Table, AlignsColumnsByCharactersNotBytes) {
    Table table({"NAME", "MODE"});
    table.row({"größe", "a"});
    table.row({"x", "b"});
    EXPECT_EQ(table.text(), "NAME   MODE\ngröße  a\nx      b\n");
}

TEST(Table, ToleratesShortAndLongRows) {
    Table table({"A", "B"});
    table.row({});
    table.row({"1", "2", "3"});
    EXPECT_EQ(table.text(), "A  B\n\n1  2\n");
}

TEST(Pretty, KeepsFlatObjectsOnOneLine) {
    EXPECT_EQ(pretty_of(R"({"name":"q","links":[{"a":0,"b":1},{"a":1,"b":2}],"sides":[4,8]})"),
              "{\n"
              "  \"name\": \"q\",\n"
              "  \"links\": [\n"
              "    {\"a\": 0, \"b\": 1},\n"
              "    {\"a\": 1, \"b\": 2}\n"
              "  ],\n"
              "  \"sides\": [4, 8]\n"
              "}");
}

TEST(Pretty, HandlesEmptyAndPlainValues) {
    EXPECT_EQ(pretty_of("{}"), "{}");
    EXPECT_EQ(pretty_of("[]"), "[]");
    EXPECT_EQ(pretty_of("7"), "7");
    EXPECT_EQ(pretty_of(R"({"a":{},"b":[],"c":null})"), "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": null\n}");
}

TEST(Pretty, SaysTheSameAsItsInput) {
    const json::value value = json::parse(R"({"a\n\"":[1,[2,{"x":[true,null,-1.5]}],{}],"b":{"c":{"d":"ä"}}})");
    EXPECT_EQ(json::parse(pretty(value)), value);
}

}  // namespace
}  // namespace divisi::ctl
