#include "partitioner/plan_json.hpp"

#include <gmock/gmock.h>

#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

using testing::HasSubstr;

Plan small() {
    return plan("nodes: {count: 3, memory: 32MiB}\nmode: shared-memory\ninterconnect: {shape: ring}\n",
                "synthetic:core:2 pu:2");
}

TEST(PlanJson, TellsWhatProgramsNeed) {
    const json::object object = to_json(small());
    EXPECT_EQ(object.at("name").as_string(), "test");
    EXPECT_EQ(object.at("mode").as_string(), "shared-memory");
    EXPECT_EQ(object.at("machine").at("cores").to_number<int>(), 2);
    EXPECT_EQ(object.at("machine").at("pus").to_number<int>(), 4);
    const json::value& last = object.at("nodes").at(2);
    EXPECT_EQ(last.at("id").to_number<int>(), 2);
    EXPECT_EQ(last.at("core").to_number<int>(), 1);
    EXPECT_EQ(last.at("pu").to_number<int>(), 2);
    EXPECT_EQ(last.at("os_pu").to_number<int>(), 2);
    EXPECT_EQ(last.at("numa").to_number<int>(), 0);
    EXPECT_EQ(last.at("memory").to_number<int>(), 32 << 20);
    EXPECT_EQ(object.at("links").as_array().size(), 3U);
    EXPECT_EQ(object.at("links").at(1).at("a").to_number<int>(), 0);
    EXPECT_EQ(object.at("links").at(1).at("b").to_number<int>(), 2);
    EXPECT_EQ(object.at("interconnect").at("diameter").to_number<int>(), 1);
}

TEST(PlanJson, IsTheConfigurationOfTheVmm) {
    const json::object config = to_vmm_config(small());
    EXPECT_EQ(config.size(), 11U);
    EXPECT_EQ(config.at("name").as_string(), "test");
    EXPECT_EQ(config.at("mode").as_string(), "shared-memory");
    EXPECT_EQ(config.at("backend").as_string(), "auto");
    EXPECT_EQ(config.at("nodes").as_array().size(), 3U);
    EXPECT_EQ(config.at("nodes").at(0).as_object().size(), 6U);
    EXPECT_EQ(config.at("shared_memory").to_number<std::uint64_t>(), 1U << 30U);
    EXPECT_EQ(config.at("threads").as_string(), "scatter");
    EXPECT_EQ(config.at("pages").as_string(), "4KiB");
    EXPECT_FALSE(config.at("prefault").as_bool());
    EXPECT_EQ(config.at("links").as_array().size(), 3U);
    EXPECT_EQ(config.at("files").at("writable").at(0).as_string(), ".");
    EXPECT_THAT(std::string(config.at("policy").as_string()), HasSubstr("apiVersion: divisi/v1"));
}

TEST(PlanJson, ComesBackFromTheConfiguration) {
    const Plan original = plan(
        "nodes: {count: 12}\nfiles: {hidden: [/h]}\nshared: {threads: compact}\nmemory: {pages: transparent, prefault: "
        "true}\ninterconnect: {shape: torus, "
        "dimensions: [3, 4]}\n",
        data_file("machines/numa.xml"));
    const auto text = json::serialize(to_vmm_config(original));
    const auto parsed = parse_object({text.data(), text.size()});
    ASSERT_TRUE(parsed);
    const auto back = plan_from_json(*parsed);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(to_vmm_config(*back), to_vmm_config(original));
    EXPECT_EQ(back->threads, Threads::kCompact);
    EXPECT_EQ(back->pages, Pages::kTransparent);
    EXPECT_TRUE(back->prefault);
    EXPECT_EQ(back->shape, Shape::kTorus);
    EXPECT_EQ(back->dimensions, original.dimensions);
    EXPECT_EQ(back->metrics, original.metrics);
    EXPECT_EQ(back->nodes.at(4).os_pu, original.nodes.at(4).os_pu);
}

TEST(PlanJson, ComesBackFromAStatusThatTellsLess) {
    const auto status = parse_object(
        R"({"ok": true, "name": "q", "mode": "message-passing", "state": "ready", "backend": "kvm",
            "nodes": [{"id": 0, "state": "idle", "core": 0, "pu": 1, "numa": -1}], "links": [], "jobs": []})");
    ASSERT_TRUE(status);
    const auto plan = plan_from_json(*status);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->nodes.at(0).numa, -1);
    EXPECT_EQ(plan->backend, Backend::kKvm);
    EXPECT_EQ(plan->nodes.at(0).os_pu, kUnknownPu);
}

TEST(PlanJson, RefusesWhatIsNoPlan) {
    for (const char* text : {
             R"({})",
             R"({"name": "q", "mode": "both", "nodes": [], "links": []})",
             R"({"name": "q", "mode": "message-passing", "nodes": [], "links": []})",
             R"({"name": "q", "mode": "message-passing", "nodes": [7], "links": []})",
             R"({"name": "q", "mode": "message-passing", "nodes": [{"id": 1, "core": 0, "pu": 0}], "links": []})",
             R"({"name": "q", "mode": "message-passing", "nodes": [{"id": 0, "core": -1, "pu": 0}], "links": []})",
             R"({"name": "q", "mode": "message-passing", "nodes": [{"id": 0, "core": 0, "pu": 0}], "links": [1]})",
             R"({"name": "q", "mode": "message-passing", "nodes": [{"id": 0, "core": 0, "pu": 0}],
                 "links": [{"a": 0, "b": 1}]})",
             R"({"name": "q", "mode": "message-passing", "nodes": [{"id": 0, "core": 0, "pu": 0}],
                 "links": [{"a": 0, "b": 0}]})",
         }) {
        const auto object = parse_object(text);
        ASSERT_TRUE(object) << text;
        EXPECT_FALSE(plan_from_json(*object)) << text;
    }
}

}  // namespace
}  // namespace divisi::partitioner
