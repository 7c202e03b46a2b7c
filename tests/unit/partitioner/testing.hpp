// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "partitioner/plan.hpp"

namespace divisi::partitioner {

inline std::string data_file(const std::string& name) {
    return std::string(DIVISI_TEST_DATA "/") + name;
}

inline Machine machine(std::string_view description) {
    auto result = describe_machine(description);
    EXPECT_TRUE(result) << (result ? "" : result.error().message());
    return result ? *result : Machine{};
}

// The shortest policy, with `rest` added to it.
inline std::string policy_text(std::string_view rest) {
    return "apiVersion: divisi/v1\nname: test\n" + std::string(rest);
}

inline Policy policy(std::string_view rest) {
    auto result = parse_policy(policy_text(rest), "test.yaml");
    EXPECT_TRUE(result) << (result ? "" : result.error().message());
    return result ? *result : Policy{};
}

inline Plan plan(std::string_view rest, std::string_view machine_description) {
    auto result = make_plan(policy(rest), machine(machine_description));
    EXPECT_TRUE(result) << (result ? "" : result.error().message());
    return result ? *result : Plan{};
}

// The PU (hwloc logical) of each node.
inline std::vector<std::uint32_t> pus_of(const Plan& plan) {
    std::vector<std::uint32_t> pus;
    for (const PlannedNode& node : plan.nodes) pus.push_back(node.pu);
    return pus;
}

}  // namespace divisi::partitioner
