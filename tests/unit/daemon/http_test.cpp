#include "daemon/api/http.hpp"

#include <gmock/gmock.h>

namespace divisi::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(HttpTarget, SplitsPathAndQuery) {
    const auto target = parse_target("/v1/jobs/a.1/output?offset=12&follow");
    ASSERT_TRUE(target);
    EXPECT_THAT(target->segments, ElementsAre("v1", "jobs", "a.1", "output"));
    EXPECT_EQ(target->query.at("offset"), "12");
    EXPECT_EQ(target->query.at("follow"), "");
}

TEST(HttpTarget, DecodesAfterSplitting) {
    const auto target = parse_target("/a%2Fb?x=1%262");
    ASSERT_TRUE(target);
    EXPECT_THAT(target->segments, ElementsAre("a/b"));
    EXPECT_EQ(target->query.at("x"), "1&2");
}

TEST(HttpTarget, RefusesWhatIsMalformed) {
    for (const std::string text : {"", "v1", "*", "http://x/", "/%", "/%4", "/%zz", "/a%00b", "/?a=1&a=2", "/?%=1"})
        EXPECT_FALSE(parse_target(text)) << text;
}

TEST(HttpTarget, RefusesWhatIsTooLong) {
    EXPECT_FALSE(parse_target("/" + std::string(Limits::kTargetBytes, 'x')));
    std::string deep;
    for (std::size_t i = 0; i <= Limits::kSegments; ++i) deep += "/x";
    EXPECT_FALSE(parse_target(deep));
}

TEST(HttpTarget, ReadsBackWhatWasEscaped) {
    const std::string odd = "a b/c?d&e=%\n\xc3\xa4";
    const auto target = parse_target("/" + escape(odd) + "?" + escape(odd) + "=" + escape(odd));
    ASSERT_TRUE(target);
    EXPECT_THAT(target->segments, ElementsAre(odd));
    EXPECT_EQ(target->query.at(odd), odd);
}

TEST(HttpResponse, CarriesAnErrorWithKindAndExit) {
    const Response response = error_response(make_error(Errc::kInsufficient, "too little", "here"));
    EXPECT_EQ(response.status, 507);
    const auto body = parse_object(response.body);
    ASSERT_TRUE(body);
    EXPECT_EQ(json::serialize(body->at("error")), R"({"message":"here: too little","exit":4,"kind":4})");
}

TEST(HttpResponse, HasAStatusForEveryKind) {
    EXPECT_EQ(status_of(make_error(Errc::kUsage, "")), 400);
    EXPECT_EQ(status_of(make_error(Errc::kNotFound, "")), 404);
    EXPECT_EQ(status_of(make_error(Errc::kExists, "")), 409);
    EXPECT_EQ(status_of(make_error(Errc::kBusy, "")), 409);
    EXPECT_EQ(status_of(make_error(Errc::kInvalidPolicy, "")), 422);
    EXPECT_EQ(status_of(make_error(Errc::kProtocol, "")), 502);
    EXPECT_EQ(status_of(make_error(Errc::kFailed, "")), 500);
    EXPECT_EQ(status_of(system_error(ENOENT, "")), 500);
}

}  // namespace
}  // namespace divisi::api
