#include "partitioner/machine.hpp"

#include <gmock/gmock.h>
#include <sched.h>

#include <algorithm>
#include <thread>

#include "base/fd.hpp"
#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Machine, ShowsSmtSiblingsWithLogicalAndOsNumbers) {
    const Machine smt = machine(data_file("machines/smt.xml"));
    EXPECT_FALSE(smt.here);
    ASSERT_THAT(smt.cores, SizeIs(4));
    EXPECT_THAT(smt.cores[1].pus, ElementsAre(2, 3));
    EXPECT_EQ(smt.pus.at(2).os, 1U);
    EXPECT_EQ(smt.pus.at(3).os, 5U);
    EXPECT_EQ(smt.pus.at(3).core, 1U);
    EXPECT_TRUE(smt.has_smt());
    EXPECT_EQ(smt.usable_pu_count(), 8U);
}

TEST(Machine, ShowsNumaNodesByOsNumber) {
    const Machine numa = machine(data_file("machines/numa.xml"));
    ASSERT_THAT(numa.numa_nodes, SizeIs(2));
    EXPECT_EQ(numa.numa_nodes[1].os, 1U);
    EXPECT_EQ(numa.numa_nodes[1].memory, 4ULL << 30U);
    EXPECT_EQ(numa.pus.at(0).numa, 0);
    EXPECT_EQ(numa.pus.at(4).numa, 1);
    EXPECT_EQ(numa.cores.at(4).package, 1U);
    ASSERT_TRUE(numa.memory);
    EXPECT_EQ(numa.memory->available, 8ULL << 30U);
}

TEST(Machine, LeavesOutWhatTheCpusetForbidsAndSaysWhy) {
    const Machine restricted = machine(data_file("machines/cpuset.xml"));
    EXPECT_THAT(restricted.usable_cores(), ElementsAre(0, 1, 2));
    EXPECT_EQ(restricted.pus.at(0).os, 2U);
    ASSERT_THAT(restricted.exclusions, SizeIs(1));
    EXPECT_THAT(restricted.exclusions[0].os_pus, ElementsAre(0, 4, 5, 6, 7));
    EXPECT_THAT(restricted.exclusions[0].why, HasSubstr("cpuset"));
    EXPECT_THAT(restricted.exclusions[0].way_out, HasSubstr("cpuset"));
}

TEST(Machine, CanBeSynthetic) {
    const Machine synthetic = machine("synthetic:core:4 pu:1");
    EXPECT_THAT(synthetic.cores, SizeIs(4));
    EXPECT_FALSE(synthetic.has_smt());
    EXPECT_FALSE(synthetic.memory) << "hwloc's default of 1 GiB says nothing about the machine";
    const Machine sized = machine("synthetic:[numa(memory=2147483648)] core:4 pu:1");
    ASSERT_TRUE(sized.memory);
    EXPECT_EQ(sized.memory->available, 2ULL << 30U);
}

TEST(Machine, WithoutCoresHasOneForEachPu) {
    const Machine flat = machine("synthetic:pu:3");
    ASSERT_THAT(flat.cores, SizeIs(3));
    EXPECT_THAT(flat.cores[2].pus, ElementsAre(2));
    EXPECT_EQ(flat.pus.at(2).core, 2U);
}

TEST(Machine, RefusesDescriptionsOfNoMachine) {
    for (const char* description : {"synthetic:", "synthetic:foo", "synthetic:core:0", "synthetic:core:4 pu:-1"}) {
        const auto result = describe_machine(description);
        ASSERT_FALSE(result) << description;
        EXPECT_TRUE(result.error().is(Errc::kUsage)) << result.error().message();
    }
    EXPECT_EQ(describe_machine("/nowhere/machine.xml").error().cause, std::errc::no_such_file_or_directory);
    EXPECT_FALSE(describe_machine(""));
}

TEST(Machine, RefusesDescriptionsThatAreTooLarge) {
    for (const char* description : {"synthetic:core:100000 pu:100000", "synthetic:pack:300 core:300 pu:2",
                                    "synthetic:pu:99999999999999999999999999"}) {
        const auto result = describe_machine(description);
        ASSERT_FALSE(result) << description;
        EXPECT_THAT(result.error().message(), HasSubstr("more than 65536 objects"));
    }
}

TEST(Machine, SurvivesDamagedXml) {
    const std::string xml = *read_file(data_file("machines/smt.xml"));
    const std::string path = testing::TempDir() + "divisi-damaged-" + std::to_string(::getpid()) + ".xml";
    for (std::size_t cut = 0; cut < xml.size(); cut += 97) {
        ASSERT_TRUE(replace_file(path, xml.substr(0, cut)));
        const auto result = describe_machine(path);
        if (result) {
            EXPECT_GT(result->pus.size(), 0U);
        }
    }
    ::unlink(path.c_str());
}

TEST(ThisMachine, HasPusAndMemory) {
    const auto here = discover();
    ASSERT_TRUE(here) << here.error().message();
    EXPECT_TRUE(here->here);
    EXPECT_GT(here->usable_pu_count(), 0U);
    ASSERT_TRUE(here->memory);
    EXPECT_GT(here->memory->available, 0U);
    for (std::uint32_t i = 0; i < here->pus.size(); ++i) EXPECT_EQ(here->pus[i].logical, i);
    for (std::uint32_t i = 0; i < here->cores.size(); ++i) EXPECT_EQ(here->cores[i].logical, i);
}

TEST(ThisMachine, HonoursTheAffinityOfTheThread) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (CPU_COUNT(&allowed) < 2) GTEST_SKIP() << "SKIP: one PU only, nothing to take away";
    int kept = 0;
    while (!CPU_ISSET(kept, &allowed)) ++kept;
    // A thread of its own: other tests of this process keep their affinity.
    std::thread([kept] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(kept, &one);
        ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
        const auto here = discover();
        ASSERT_TRUE(here) << here.error().message();
        EXPECT_EQ(here->usable_pu_count(), 1U);
        const auto by_affinity = std::find_if(here->exclusions.begin(), here->exclusions.end(), [](const auto& each) {
            return each.why.find("affinity") != std::string::npos;
        });
        ASSERT_NE(by_affinity, here->exclusions.end());
        EXPECT_THAT(by_affinity->os_pus, testing::Not(testing::Contains(kept)));
    }).join();
}

}  // namespace
}  // namespace divisi::partitioner
