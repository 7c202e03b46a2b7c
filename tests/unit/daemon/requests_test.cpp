#include "daemon/api/requests.hpp"

#include <gmock/gmock.h>

#include <csignal>

namespace divisi::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

json::object object(const std::string& text) {
    return *parse_object(text);
}

TEST(CarveRequest, ReadsBackWhatItWrote) {
    const CarveRequest request{"name: x", "x.yaml", "y", "shared-memory", "kvm", true, true};
    const auto parsed = parse_carve_request(to_json(request));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->policy, "name: x");
    EXPECT_EQ(parsed->source, "x.yaml");
    EXPECT_EQ(parsed->name, "y");
    EXPECT_EQ(parsed->mode, "shared-memory");
    EXPECT_EQ(parsed->backend, "kvm");
    EXPECT_TRUE(parsed->ephemeral);
    EXPECT_TRUE(parsed->dry_run);
}

TEST(CarveRequest, RefusesUnknownFieldsAndWrongTypes) {
    for (const char* text :
         {R"({})", R"({"policy": 1})", R"({"policy": "x", "colour": "red"})", R"({"policy": "x", "ephemeral": "yes"})",
          R"({"policy": "x", "name": "a/b"})", R"({"policy": "a\u0000b"})"}) {
        const auto parsed = parse_carve_request(object(text));
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().is(Errc::kUsage)) << text;
    }
}

TEST(CarveRequest, NamesTheUnknownField) {
    const auto parsed = parse_carve_request(object(R"({"policy": "x", "colour": "red"})"));
    EXPECT_THAT(parsed.error().message(), HasSubstr("'colour'"));
    EXPECT_THAT(parsed.error().message(), HasSubstr("dry_run"));
}

TEST(SwitchRequest, KnowsThreeTimes) {
    EXPECT_EQ(parse_switch_request(object(R"({"mode": "shared-memory"})"))->when, "now");
    EXPECT_TRUE(parse_switch_request(object(R"({"mode": "shared-memory", "when": "drain"})")));
    EXPECT_FALSE(parse_switch_request(object(R"({"mode": "shared-memory", "when": "later"})")));
    EXPECT_FALSE(parse_switch_request(object(R"({"when": "now"})")));
}

TEST(JobRequest, ReadsBackWhatItWrote) {
    JobRequest request;
    request.argv = {"./a", "", "-x"};
    request.path = "/a";
    request.cwd = "/tmp";
    request.env = {"A=1", "B="};
    request.nodes = 3;
    request.ranks = 2;
    request.threads = 5;
    request.label = true;
    const auto parsed = parse_job_request(to_json(request));
    ASSERT_TRUE(parsed);
    EXPECT_THAT(parsed->argv, ElementsAre("./a", "", "-x"));
    EXPECT_THAT(parsed->env, ElementsAre("A=1", "B="));
    EXPECT_EQ(parsed->nodes, 3U);
    EXPECT_EQ(parsed->ranks, 2U);
    EXPECT_EQ(parsed->threads, 5U);
    EXPECT_TRUE(parsed->label);
}

TEST(JobRequest, RefusesWhatCannotBeMeant) {
    for (const char* text :
         {R"({})", R"({"argv": []})", R"({"argv": "x"})", R"({"argv": [1]})", R"({"argv": ["a\u0000b"]})",
          R"({"argv": ["x"], "cwd": "relative"})", R"({"argv": ["x"], "cwd": ""})", R"({"argv": ["x"], "nodes": -1})",
          R"({"argv": ["x"], "ranks": 1000000})", R"({"argv": ["x"], "env": {"A": "1"}})"}) {
        EXPECT_FALSE(parse_job_request(object(text))) << text;
    }
}

TEST(TopologyName, IsSafeAsAFolder) {
    for (const char* name : {"a", "quad32", "A-b_c", "0"}) EXPECT_TRUE(check_name(name)) << name;
    for (const std::string& name :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("-a"), std::string("_a"),
          std::string("a b"), std::string("a.b"), std::string("ä"), std::string(49, 'a'), std::string("a\0b", 3)})
        EXPECT_FALSE(check_name(name)) << name;
    EXPECT_TRUE(check_name(std::string(48, 'a')));
}

TEST(JobName, NamesItsTopology) {
    EXPECT_EQ(*topology_of_job("quad32.12"), "quad32");
    for (const char* job : {"", "quad32", "quad32.", ".1", "quad32.x", "../x.1", "quad32.1234567890123456789"}) {
        const auto topology = topology_of_job(job);
        ASSERT_FALSE(topology) << job;
        EXPECT_TRUE(topology.error().is(Errc::kNotFound)) << job;
    }
}

TEST(Signal, HasNamesAndNumbers) {
    EXPECT_EQ(*parse_signal("9"), 9);
    EXPECT_EQ(*parse_signal("KILL"), SIGKILL);
    EXPECT_EQ(*parse_signal("SIGTERM"), SIGTERM);
    for (const char* text : {"", "0", "65", "-9", "9x", "kill", "SIG", "SIGSIGINT"})
        EXPECT_FALSE(parse_signal(text)) << text;
}

TEST(Force, IsOptional) {
    EXPECT_FALSE(*parse_force(""));
    EXPECT_FALSE(*parse_force("{}"));
    EXPECT_TRUE(*parse_force(R"({"force": true})"));
    EXPECT_FALSE(parse_force("true"));
    EXPECT_FALSE(parse_force(R"({"forse": true})"));
}

TEST(Body, ThatIsTooDeepIsAnError) {
    EXPECT_TRUE(parse_body(std::string(100000, '[')).error().is(Errc::kUsage));
}

}  // namespace
}  // namespace divisi::api
