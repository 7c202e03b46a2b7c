#include "partitioner/plan.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/fd.hpp"
#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kQuad = "synthetic:core:4 pu:1";
constexpr std::string_view kSmt = "synthetic:core:4 pu:2";
constexpr std::string_view kTwoPackages = "synthetic:pack:2 [numa] core:2 pu:1";

Error failure(std::string_view rest, std::string_view machine_description) {
    const auto result = make_plan(policy(rest), machine(machine_description));
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
}

TEST(Plan, PutsEightNodesOnEachOfFourCores) {
    const Plan quad = plan("machine: {cores: 4}\nnodes: {per-core: 8}\n", kQuad);
    ASSERT_EQ(quad.nodes.size(), 32U);
    for (const PlannedNode& node : quad.nodes) {
        EXPECT_EQ(node.pu, node.id.value / 8);
        EXPECT_EQ(node.core, node.id.value / 8);
        EXPECT_EQ(node.memory, 64U << 20U);
    }
    EXPECT_EQ(quad.machine_cores, 4U);
    EXPECT_EQ(quad.machine_pus, 4U);
    EXPECT_THAT(quad.notes, IsEmpty());
    EXPECT_EQ(quad.links.size(), 496U);
}

TEST(Plan, SpreadsACountEvenlyOverTheCores) {
    EXPECT_THAT(pus_of(plan("nodes: {count: 6}\n", kQuad)), ElementsAre(0, 0, 1, 1, 2, 3));
    EXPECT_THAT(pus_of(plan("nodes: {count: 2}\n", kQuad)), ElementsAre(0, 1));
}

TEST(Plan, ScattersNeighboursOverCoresAndPackages) {
    EXPECT_THAT(pus_of(plan("nodes: {count: 6}\nplacement: scatter\n", kQuad)), ElementsAre(0, 1, 2, 3, 0, 1));
    EXPECT_THAT(pus_of(plan("nodes: {count: 4}\nplacement: scatter\n", kTwoPackages)), ElementsAre(0, 2, 1, 3));
    EXPECT_THAT(pus_of(plan("machine: {cores: 2}\nnodes: {count: 2}\nplacement: scatter\n", kTwoPackages)),
                ElementsAre(0, 2));
    EXPECT_THAT(pus_of(plan("machine: {cores: 2}\nnodes: {count: 2}\n", kTwoPackages)), ElementsAre(0, 1));
}

// How many links lead from core to core.
std::size_t links_between_cores(const Plan& plan) {
    return static_cast<std::size_t>(std::count_if(plan.links.begin(), plan.links.end(), [&plan](const Link& link) {
        return plan.nodes[link.a.value].core != plan.nodes[link.b.value].core;
    }));
}

TEST(Plan, BringsLinkedNodesTogether) {
    // The least cuts in four: a torus of 8 by 4 in quarters of two whole rows; a hypercube along two of its dimensions.
    const std::string nodes = "machine: {cores: 4}\nnodes: {per-core: 8}\nplacement: linked\n";
    const Plan torus = plan(nodes + "interconnect: {shape: torus, dimensions: [8, 4]}\n", kQuad);
    EXPECT_EQ(links_between_cores(torus), 16U);
    EXPECT_THAT(torus.notes, Contains(HasSubstr(" of 64 links lead from core to core")));
    EXPECT_EQ(links_between_cores(plan(nodes + "interconnect: {shape: hypercube}\n", kQuad)), 32U);
    // Two triangles, dealt alternately: in order, all but the cut edge would be cut.
    const std::string triangles =
        "interconnect: {shape: list, links: [[0, 2], [2, 4], [0, 4], [1, 3], [3, 5], [1, 5], [4, 5]]}\n";
    const Plan two = plan("nodes: {count: 6}\nplacement: linked\n" + triangles, "synthetic:core:2 pu:1");
    EXPECT_THAT(pus_of(two), ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST(Plan, BringsLinkedNodesTogetherOnNoLessEvenCores) {
    for (const char* shape : {"ring", "tree", "star", "full", "mesh"}) {
        for (const std::uint32_t count : {4U, 5U, 12U, 30U, 64U}) {
            const std::string rest =
                "nodes: {count: " + std::to_string(count) + "}\ninterconnect: {shape: " + shape + "}\nplacement: ";
            const Plan compact = plan(rest + "compact\n", kTwoPackages);
            const Plan linked = plan(rest + "linked\n", kTwoPackages);
            EXPECT_LE(links_between_cores(linked), links_between_cores(compact)) << shape << count;
            for (std::uint32_t pu = 0; pu < 4; ++pu) {
                const auto compact_pus = pus_of(compact);
                const auto linked_pus = pus_of(linked);
                EXPECT_EQ(std::count(compact_pus.begin(), compact_pus.end(), pu),
                          std::count(linked_pus.begin(), linked_pus.end(), pu));
            }
            EXPECT_EQ(pus_of(linked), pus_of(plan(rest + "linked\n", kTwoPackages)));
        }
    }
}

TEST(Plan, LeavesSmtSiblingsAloneUnlessTold) {
    const Plan avoiding = plan("nodes: {per-core: 2}\n", kSmt);
    EXPECT_THAT(pus_of(avoiding), ElementsAre(0, 0, 2, 2, 4, 4, 6, 6));
    EXPECT_THAT(avoiding.notes, ElementsAre(HasSubstr("4 PUs left idle")));
    EXPECT_EQ(avoiding.machine_pus, 8U);
}

TEST(Plan, PairsNeighboursOnSiblings) {
    EXPECT_THAT(pus_of(plan("machine: {smt: pair}\nnodes: {per-core: 2}\n", kSmt)),
                ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
    EXPECT_THAT(pus_of(plan("machine: {smt: pair}\nnodes: {count: 4}\n", kSmt)), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(pus_of(plan("machine: {smt: pair}\nnodes: {count: 4}\nplacement: scatter\n", kSmt)),
                ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(pus_of(plan("machine: {smt: pair, cores: 1}\nnodes: {count: 4}\n", kSmt)), ElementsAre(0, 1, 0, 1));
}

TEST(Plan, UsesSiblingsOnlyOnceEveryCoreHasWork) {
    EXPECT_THAT(pus_of(plan("machine: {smt: allow}\nnodes: {count: 4}\n", kSmt)), ElementsAre(0, 2, 4, 6));
    EXPECT_THAT(pus_of(plan("machine: {smt: allow}\nnodes: {count: 6}\n", kSmt)), ElementsAre(0, 1, 2, 3, 4, 6));
    EXPECT_THAT(pus_of(plan("machine: {smt: allow, cores: 1}\nnodes: {count: 4}\n", kSmt)), ElementsAre(0, 0, 1, 1));
    EXPECT_THAT(pus_of(plan("machine: {smt: allow}\nnodes: {count: 8}\nplacement: scatter\n", kSmt)),
                ElementsAre(0, 2, 4, 6, 1, 3, 5, 7));
}

TEST(Plan, RefusesPairsWhereThereAreNoSiblings) {
    const Error error = failure("machine: {smt: pair}\nnodes: {count: 4}\n", kQuad);
    EXPECT_TRUE(error.is(Errc::kInsufficient));
    EXPECT_THAT(error.message(), HasSubstr("test.yaml:3:16: smt: pair, and no core here has two usable PUs"));
    const Plan folded = plan("machine: {smt: pair, fold: true}\nnodes: {count: 4}\n", kQuad);
    EXPECT_THAT(pus_of(folded), ElementsAre(0, 0, 1, 1));
    EXPECT_THAT(folded.notes, Contains(HasSubstr("share one")));
}

TEST(Plan, FoldsOntoFewerCoresAndSaysSo) {
    const Plan folded = plan("machine: {cores: 4, fold: true}\nnodes: {per-core: 8}\n", "synthetic:core:2 pu:1");
    ASSERT_EQ(folded.nodes.size(), 32U);
    EXPECT_EQ(std::count_if(folded.nodes.begin(), folded.nodes.end(), [](const auto& n) { return n.pu == 0; }), 16);
    EXPECT_EQ(folded.nodes.at(15).pu, 0U);
    EXPECT_EQ(folded.nodes.at(16).pu, 1U);
    EXPECT_THAT(folded.notes, ElementsAre("folded 4 cores onto 2: 16 nodes on each"));
    EXPECT_EQ(folded.machine_cores, 2U);
}

TEST(Plan, FoldsUnevenNumbersAsEvenlyAsCanBe) {
    const Plan folded = plan("machine: {cores: 4, fold: true}\nnodes: {per-core: 2}\n", "synthetic:core:3 pu:1");
    EXPECT_THAT(pus_of(folded), ElementsAre(0, 0, 0, 1, 1, 1, 2, 2));
    EXPECT_THAT(folded.notes, ElementsAre("folded 4 cores onto 3: 2 or 3 nodes on each"));
}

TEST(Plan, RefusesFewerCoresWithoutFold) {
    const Error error = failure("machine: {cores: 4}\nnodes: {per-core: 8}\n", "synthetic:core:2 pu:1");
    EXPECT_TRUE(error.is(Errc::kInsufficient));
    EXPECT_EQ(error.exit_code(), 4);
    EXPECT_THAT(error.message(), AllOf(HasSubstr("test.yaml:3:18: the policy names 4 cores"), HasSubstr("has 2 usable"),
                                       HasSubstr("fold: true")));
}

TEST(Plan, SaysWhoHoldsTheCoresThatAreMissing) {
    const Error error = failure("machine: {cores: 4}\nnodes: {per-core: 8}\n", data_file("machines/cpuset.xml"));
    EXPECT_THAT(error.message(), AllOf(HasSubstr("3 usable"), HasSubstr("OS PUs 0,4-7"), HasSubstr("cpuset")));
}

TEST(Plan, TakesTheCoresOfAList) {
    EXPECT_THAT(pus_of(plan("machine: {cores: \"1-3,^2\"}\nnodes: {per-core: 2}\n", kQuad)), ElementsAre(1, 1, 3, 3));
    EXPECT_THAT(pus_of(plan("machine: {cores: 2-2}\nnodes: {count: 2}\n", kSmt)), ElementsAre(4, 4));
}

TEST(Plan, RefusesListedCoresThatAreNotThere) {
    const Error error = failure("machine: {cores: \"2-5\"}\nnodes: {per-core: 2}\n", kQuad);
    EXPECT_TRUE(error.is(Errc::kInsufficient));
    EXPECT_THAT(error.message(), HasSubstr("cores 4,5 of the policy are not usable"));
}

TEST(Plan, FoldsListedCores) {
    const Plan some = plan("machine: {cores: \"2-5\", fold: true}\nnodes: {per-core: 1}\n", kQuad);
    EXPECT_THAT(pus_of(some), ElementsAre(2, 2, 3, 3));
    const Plan none = plan("machine: {cores: \"8-9\", fold: true}\nnodes: {per-core: 1}\n", kQuad);
    EXPECT_THAT(pus_of(none), ElementsAre(0, 1));
    EXPECT_THAT(none.notes, ElementsAre(HasSubstr("cores 8,9 are not here: took 0,1 instead")));
}

TEST(Plan, BindsMemoryToTheNumaNodeOfThePu) {
    const Plan numa = plan("nodes: {per-core: 1}\n", data_file("machines/numa.xml"));
    ASSERT_EQ(numa.nodes.size(), 8U);
    EXPECT_EQ(numa.nodes.at(3).numa, 0);
    EXPECT_EQ(numa.nodes.at(4).numa, 1);
    EXPECT_EQ(numa.nodes.at(1).os_pu, 2U) << "logical and OS numbers differ on this machine";
}

TEST(Plan, NotesNumaNodesThatAreTooSmall) {
    const Plan numa =
        plan("machine: {cores: 4}\nnodes: {per-core: 1, memory: 1500MiB}\n", data_file("machines/numa.xml"));
    EXPECT_THAT(numa.notes, ElementsAre(HasSubstr("NUMA node 0 ask for 5.86GiB, and it has 4GiB")));
}

TEST(Plan, PlacesNodesExplicitly) {
    const Plan on_cores = plan(
        "nodes: {count: 4}\nplacement: {explicit: [{nodes: \"0,2\", core: 3}, {nodes: 1, core: 0}, {nodes: 3, core: "
        "1}]}\n",
        kQuad);
    EXPECT_THAT(pus_of(on_cores), ElementsAre(3, 0, 3, 1));
    const Plan on_pus = plan(
        "machine: {smt: allow}\nnodes: {count: 2}\nplacement: {explicit: [{nodes: 0, pu: 5}, {nodes: 1, pu: 4}]}\n",
        kSmt);
    EXPECT_THAT(pus_of(on_pus), ElementsAre(5, 4));
    EXPECT_EQ(on_pus.nodes.at(0).core, 2U);
}

TEST(Plan, RefusesExplicitPlacesThatContradictThePolicy) {
    EXPECT_THAT(failure("nodes: {count: 1}\nplacement: {explicit: [{nodes: 0, pu: 1}]}\n", kSmt).message(),
                HasSubstr("test.yaml:4:24: pu 1 is an SMT sibling, and smt is avoid (use pu 0"));
    const Error outside =
        failure("machine: {cores: 2}\nnodes: {count: 1}\nplacement: {explicit: [{nodes: 0, core: 3}]}\n", kQuad);
    EXPECT_TRUE(outside.is(Errc::kInvalidPolicy));
    EXPECT_THAT(outside.message(), HasSubstr("core 3 is not among the cores that machine names"));
}

TEST(Plan, FoldsExplicitPlacesThatAreNotThere) {
    constexpr std::string_view kPlaces =
        "nodes: {count: 4}\nplacement: {explicit: [{nodes: \"0-1\", core: 0}, {nodes: \"2-3\", core: 9}]}\n";
    const Error error = failure(kPlaces, kQuad);
    EXPECT_TRUE(error.is(Errc::kInsufficient));
    EXPECT_THAT(error.message(), HasSubstr("test.yaml:4:49: there is no usable core 9"));
    EXPECT_THAT(pus_of(plan("machine: {fold: true}\n" + std::string(kPlaces), kQuad)), ElementsAre(0, 0, 1, 1));
    EXPECT_THAT(pus_of(plan("machine: {fold: true}\n" + std::string(kPlaces), "synthetic:pu:1")),
                ElementsAre(0, 0, 0, 0));
}

TEST(Plan, ChecksTheInterconnectOnceTheMachineDecidesTheNodes) {
    const std::string rest = "nodes: {per-core: 8}\ninterconnect: {shape: mesh, dimensions: [4, 8]}\n";
    EXPECT_EQ(plan(rest, kQuad).links.size(), 52U);
    const Error error = failure(rest, "synthetic:core:2 pu:1");
    EXPECT_TRUE(error.is(Errc::kInvalidPolicy));
    EXPECT_THAT(error.message(), HasSubstr("test.yaml:4:41: 4 x 8 is not 16 nodes"));
}

TEST(Plan, RefusesMoreNodesThanATopologyMayHave) {
    const Error error = failure("nodes: {per-core: 300}\n", kQuad);
    EXPECT_THAT(error.message(), HasSubstr("test.yaml:3:19: these are more than 1024 nodes"));
}

TEST(Plan, RefusesMoreMemoryThanThereIs) {
    constexpr std::string_view kSmall = "synthetic:[numa(memory=1073741824)] core:4 pu:1";
    const Error nodes = failure("nodes: {count: 32, memory: 64MiB}\nshared: {memory: 512MiB}\n", kSmall);
    EXPECT_TRUE(nodes.is(Errc::kInsufficient));
    EXPECT_THAT(nodes.message(), AllOf(HasSubstr("test.yaml:3:28: 32 nodes with 64MiB each need 2GiB"),
                                       HasSubstr("1GiB of RAM are available"), HasSubstr("at most 32MiB")));
    const Error shared = failure("nodes: {count: 4}\nshared: {memory: 2GiB}\n", kSmall);
    EXPECT_THAT(shared.message(), HasSubstr("test.yaml:4:18: shared-memory mode needs 2GiB"));
}

TEST(Plan, DoesNotRefuseAMachineForADefaultOfTheOtherMode) {
    constexpr std::string_view kTiny = "synthetic:[numa(memory=536870912)] core:4 pu:1";
    EXPECT_EQ(plan("nodes: {count: 4}\n", kTiny).nodes.size(), 4U);
    EXPECT_EQ(plan("nodes: {count: 32}\nmode: shared-memory\nshared: {memory: 256MiB}\n", kTiny).nodes.size(), 32U);
    const Error error = failure("nodes: {count: 4}\nmode: shared-memory\n", kTiny);
    EXPECT_THAT(error.message(), HasSubstr("test.yaml: shared-memory mode needs 1GiB"));
}

TEST(Plan, LetsTheCommandLineOverrideThePolicy) {
    PlanOptions options;
    options.name = "other";
    options.mode = Mode::kSharedMemory;
    options.backend = Backend::kDirect;
    const auto result = make_plan(policy("nodes: {count: 1}\n"), machine(kQuad), options);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->name, "other");
    EXPECT_EQ(result->mode, Mode::kSharedMemory);
    EXPECT_EQ(result->backend, Backend::kDirect);
    options.name = "../../etc";
    const auto refused = make_plan(policy("nodes: {count: 1}\n"), machine(kQuad), options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().exit_code(), 2);
}

TEST(Plan, NeverUsesAPuThatIsNotUsable) {
    Machine restricted = machine(kSmt);
    restricted.pus[0].usable = false;
    restricted.pus[4].usable = restricted.pus[5].usable = false;
    for (const char* smt : {"avoid", "pair", "allow"}) {
        for (const char* placement : {"compact", "scatter"}) {
            const auto rest = std::string("machine: {fold: true, cores: 4, smt: ") + smt +
                              "}\nnodes: {per-core: 3}\nplacement: " + placement + "\n";
            const auto result = make_plan(policy(rest), restricted);
            ASSERT_TRUE(result) << result.error().message();
            EXPECT_EQ(result->nodes.size(), 12U);
            EXPECT_THAT(pus_of(*result), Each(testing::AnyOf(1, 2, 3, 6, 7))) << smt << " " << placement;
        }
    }
}

TEST(Plan, IsTheSameForTheSameInput) {
    const std::string rest = "nodes: {count: 33}\nplacement: scatter\nmachine: {smt: allow}\n";
    EXPECT_EQ(pus_of(plan(rest, kSmt)), pus_of(plan(rest, kSmt)));
}

TEST(ShippedPolicies, PlanOnSmallAndLargeMachines) {
    for (const char* name : {"quad32", "pair", "duo16", "ring", "mesh", "torus", "hypercube", "star", "tree", "full"}) {
        const std::string path = std::string(DIVISI_POLICIES "/") + name + ".yaml";
        const auto text = read_file(path);
        ASSERT_TRUE(text) << text.error().message();
        const auto parsed = parse_policy(*text, path);
        ASSERT_TRUE(parsed) << parsed.error().message();
        EXPECT_EQ(parsed->name, name);
        for (const char* description : {"synthetic:pu:1", "synthetic:core:2 pu:2", "synthetic:pack:2 core:8 pu:2"}) {
            const auto planned = make_plan(*parsed, machine(description));
            EXPECT_TRUE(planned) << planned.error().message();
        }
    }
}

TEST(FormatList, ShortensRuns) {
    EXPECT_EQ(format_list({}), "");
    EXPECT_EQ(format_list({3}), "3");
    EXPECT_EQ(format_list({0, 1}), "0,1");
    EXPECT_EQ(format_list({0, 1, 2, 5, 7, 8, 9}), "0-2,5,7-9");
}

}  // namespace
}  // namespace divisi::partitioner
