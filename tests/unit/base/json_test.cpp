#include "base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

namespace divisi {
namespace {

using testing::HasSubstr;

json::object parsed(std::string_view text) {
    auto object = parse_object(text);
    EXPECT_TRUE(object) << text;
    return object ? *object : json::object();
}

TEST(Json, ParsesAnObject) {
    EXPECT_EQ(parsed(R"( {"a": [1, 2], "b": {"c": null}} )").size(), 2U);
    EXPECT_TRUE(parsed("{}").empty());
}

TEST(Json, RefusesWhatIsNotOneObject) {
    for (const char* text : {"", " ", "1", "[]", "null", "\"text\"", "{", "{}{}", "{} x", "{\"a\":}", "{'a': 1}",
                             "{\"a\": 1,}", "{\"a\": NaN}", "{\"a\": 01}", "{\xff: 1}", "// {}"}) {
        const auto object = parse_object(text);
        ASSERT_FALSE(object) << text;
        EXPECT_TRUE(object.error().is(Errc::kProtocol)) << text;
    }
}

TEST(Json, CarriesAnyBytesInStrings) {
    const std::string name = "caf\xe9 \xff\xfe\xc0\xaf";
    const json::object object = parsed(json::serialize(json::object{{"a", name}}));
    EXPECT_EQ(*string_field(object, "a"), name);
}

TEST(Json, RefusesDeepNesting) {
    const auto nested = [](std::size_t depth) {
        return "{\"a\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    EXPECT_TRUE(parse_object(nested(20)));
    EXPECT_FALSE(parse_object(nested(33)));
    EXPECT_FALSE(parse_object(nested(100000)));
}

TEST(Json, ReadsTypedFields) {
    const json::object object = parsed(R"({"s": "text", "n": 7, "a": [1], "o": {"k": "v"}})");
    EXPECT_EQ(*string_field(object, "s"), "text");
    EXPECT_EQ(*uint_field(object, "n"), 7U);
    EXPECT_EQ((*array_field(object, "a"))->size(), 1U);
    EXPECT_EQ(*string_field(**object_field(object, "o"), "k"), "v");
}

TEST(Json, NamesTheFieldAndWhatItMustBe) {
    const json::object object = parsed(R"({"s": 1, "n": "7", "a": {}, "o": [], "b": "true", "null": null})");
    EXPECT_EQ(string_field(object, "s").error().message(), "field 's' must be a string");
    EXPECT_EQ(uint_field(object, "n").error().message(), "field 'n' must be a whole number");
    EXPECT_EQ(array_field(object, "a").error().message(), "field 'a' must be an array");
    EXPECT_EQ(object_field(object, "o").error().message(), "field 'o' must be an object");
    EXPECT_EQ(bool_field_or(object, "b", false).error().message(), "field 'b' must be true or false");
    EXPECT_TRUE(string_field(object, "absent").error().is(Errc::kProtocol));
    EXPECT_FALSE(string_field(object, "null"));
    EXPECT_FALSE(uint_field(object, "absent"));
}

TEST(Json, ReadsOnlyWholeNumbersThatFit) {
    const json::object object = parsed(
        R"({"max": 18446744073709551615, "over": 18446744073709551616, "negative": -1, "part": 1.5, "exact": 2.0,
            "huge": 1e300, "zero": 0})");
    EXPECT_EQ(*uint_field(object, "max"), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(*uint_field(object, "exact"), 2U);
    EXPECT_EQ(*uint_field(object, "zero"), 0U);
    for (const char* name : {"over", "negative", "part", "huge"}) EXPECT_FALSE(uint_field(object, name)) << name;
}

TEST(Json, FallsBackOnlyWhereAFieldIsAbsentOrNull) {
    const json::object object = parsed(R"({"s": "given", "n": 3, "b": true, "null": null, "wrong": []})");
    EXPECT_EQ(*string_field_or(object, "s", "other"), "given");
    EXPECT_EQ(*string_field_or(object, "absent", "other"), "other");
    EXPECT_EQ(*string_field_or(object, "null", "other"), "other");
    EXPECT_FALSE(string_field_or(object, "wrong", "other"));
    EXPECT_EQ(*uint_field_or(object, "n", 9), 3U);
    EXPECT_EQ(*uint_field_or(object, "absent", 9), 9U);
    EXPECT_FALSE(uint_field_or(object, "wrong", 9));
    EXPECT_TRUE(*bool_field_or(object, "b", false));
    EXPECT_TRUE(*bool_field_or(object, "absent", true));
    EXPECT_FALSE(bool_field_or(object, "wrong", true));
}

TEST(Json, CarriesErrorsWithTheirKindAndText) {
    const Error sent = make_error(Errc::kBusy, "the topology is busy", "quad32", "wait for quad32.3");
    const Error received = error_from_json(to_json(sent));
    EXPECT_EQ(received.message(), sent.message());
    EXPECT_TRUE(received.is(Errc::kBusy));
    EXPECT_EQ(received.exit_code(), sent.exit_code());
}

TEST(Json, CarriesSystemErrorsAsFailures) {
    const Error sent = system_error(EACCES, "cannot open", "/dev/kvm", "join the group kvm");
    const Error received = error_from_json(to_json(sent));
    EXPECT_EQ(received.message(), sent.message());
    EXPECT_EQ(received.exit_code(), 1);
}

TEST(Json, CarriesEveryKind) {
    for (int value = static_cast<int>(Errc::kFailed); value <= static_cast<int>(Errc::kBadImage); ++value) {
        const auto errc = static_cast<Errc>(value);
        EXPECT_TRUE(error_from_json(to_json(make_error(errc, "text"))).is(errc)) << value;
    }
}

TEST(Json, MakesAnErrorOfAnyObject) {
    for (const char* text : {"{}", R"({"message": 1, "exit": "x", "kind": []})", R"({"kind": 0, "exit": 0})",
                             R"({"kind": 4294967297, "exit": 18446744073709551615})", R"({"kind": -1})"}) {
        const Error error = error_from_json(parsed(text));
        EXPECT_THAT(error.message(), HasSubstr("unspecified error")) << text;
        EXPECT_EQ(error.exit_code(), 1) << text;
    }
    EXPECT_EQ(error_from_json(parsed(R"({"message": "m", "exit": 4})")).exit_code(), 4);
}

}  // namespace
}  // namespace divisi
