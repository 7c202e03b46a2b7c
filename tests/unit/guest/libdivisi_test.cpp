#include <sys/mman.h>

#include "native_ranks.hpp"

namespace divisi::test {
namespace {

std::vector<int> run_alone(const std::string& scenario, const std::vector<std::string>& environment) {
    ProcessSpec spec;
    spec.argv = {DIVISI_TEST_RANKS, scenario};
    spec.environment = environment;
    spec.fds = {{0, 0}, {1, 1}, {2, 2}};
    auto process = Process::spawn(spec);
    if (!process) return {-1};
    return {process->wait().value_or(-1)};
}

const std::vector<int> kWell{0};

TEST(Libdivisi, KnowsWhoItIs) {
    expect_all_well({.count = 4}, "identity");
}

TEST(Libdivisi, IsRankZeroOfOneWhenAlone) {
    EXPECT_EQ(run_alone("alone", {}), kWell);
}

TEST(Libdivisi, FailsPlainlyWhenTheWindowIsMalformed) {
    for (const char* variable : {"", "x", "7", "7:", "7:0", "7:0+", "7:0+4096", "7:0+4096x", "9999:0+4096r", "7:0+0r"})
        EXPECT_EQ(run_alone("bad-setup", {std::string("DIVISI_NATIVE=") + variable}), kWell) << variable;
}

TEST(Libdivisi, FailsPlainlyWhenTheNodePageHasAnotherVersion) {
    auto memory = create_memfd("page", 4096);
    ASSERT_TRUE(memory);
    ProcessSpec spec;
    spec.argv = {DIVISI_TEST_RANKS, "bad-setup"};
    spec.environment = std::vector<std::string>{"DIVISI_NATIVE=9:0+4096r"};
    spec.fds = {{1, 1}, {2, 2}, {memory->get(), 9}};
    auto process = Process::spawn(spec);
    ASSERT_TRUE(process);
    EXPECT_EQ(process->wait().value_or(-1), 0);
}

TEST(Libdivisi, CarriesMessagesBothWays) {
    expect_all_well({.count = 2}, "ping-pong");
}

// Every wait sleeps: a lost wake-up would hang here.
TEST(Libdivisi, LosesNoWakeUpWhenAlwaysSleeping) {
    expect_all_well({.count = 8, .spin_ns = 1}, "ping-pong");
}

TEST(Libdivisi, CarriesMessagesLargerThanTheChannel) {
    expect_all_well({.count = 2, .ring_bytes = DIVISI_TEST_SMALL_RING}, "stream");
    expect_all_well({.count = 2, .ring_bytes = DIVISI_TEST_SMALL_RING, .spin_ns = 1}, "stream");
    expect_all_well({.count = 2}, "stream");
}

TEST(Libdivisi, ExchangesAllToAllOn32Ranks) {
    expect_all_well({.count = 32, .ring_bytes = 2 * DIVISI_TEST_SMALL_RING}, "all-to-all");
}

TEST(Libdivisi, ExchangesWithNeighboursOnSparseShapes) {
    expect_all_well({.count = 12, .shape = "mesh"}, "all-to-all");
    expect_all_well({.count = 9, .shape = "ring"}, "all-to-all");
}

TEST(Libdivisi, ExchangesWithEverybodyOverRoutes) {
    expect_all_well({.count = 12, .shape = "mesh"}, "routed");
    expect_all_well({.count = 9, .shape = "ring", .spin_ns = 1}, "routed");
    expect_all_well({.count = 8, .shape = "star"}, "routed");
    expect_all_well({.count = 7, .shape = "chain", .used = {0, 2, 3, 6}}, "routed");
}

TEST(Libdivisi, ExchangesWithEverybodyWhereLinksTakeTime) {
    expect_all_well({.count = 6, .shape = "ring", .latency_ns = 2000}, "routed");
    expect_all_well({.count = 6, .shape = "ring", .spin_ns = 1, .latency_ns = 100000}, "routed");
    expect_all_well({.count = 6, .shape = "chain", .latency_ns = 1000, .bandwidth_bits = 10'000'000'000}, "routed");
}

// What holds on any machine: a message is not there before its time.
TEST(Libdivisi, MessagesTakeTheLatencyOfEveryHop) {
    expect_all_well({.count = 4, .shape = "chain", .latency_ns = 2000}, "latency");
    expect_all_well({.count = 4, .shape = "chain", .latency_ns = 300000}, "latency");
}

TEST(Libdivisi, MessagesShareTheBandwidthOfALink) {
    expect_all_well({.count = 4, .shape = "chain", .bandwidth_bits = 1'000'000'000}, "bandwidth");
    expect_all_well(
        {.count = 4, .shape = "chain", .ring_bytes = DIVISI_TEST_SMALL_RING, .bandwidth_bits = 1'000'000'000},
        "bandwidth");
}

TEST(Libdivisi, ReceivesFromAnyInTheOrderOfEachSource) {
    expect_all_well({.count = 9}, "gather");
}

// More links than one futex_waitv can watch.
TEST(Libdivisi, ReceivesFromAnyOf140) {
    expect_all_well({.count = 141, .shape = "star", .spin_ns = 1}, "gather");
}

TEST(Libdivisi, RefusesWhatCannotBe) {
    expect_all_well({.count = 4, .shape = "ring", .ring_bytes = DIVISI_TEST_SMALL_RING}, "refusals");
}

class Barrier : public testing::TestWithParam<std::pair<const char*, std::uint32_t>> {};

TEST_P(Barrier, HoldsEverybodyBackUntilAllAreThere) {
    const auto [shape, count] = GetParam();
    expect_all_well({.count = count, .shape = shape, .mode = Mode::kSharedMemory}, "barrier");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Barrier,
                         testing::Values(std::pair("full", 1U), std::pair("full", 2U), std::pair("full", 3U),
                                         std::pair("full", 7U), std::pair("full", 32U), std::pair("ring", 5U),
                                         std::pair("star", 8U), std::pair("chain", 6U), std::pair("mesh", 12U)));

TEST(Libdivisi, BarrierHoldsWhereLinksTakeTime) {
    expect_all_well({.count = 5, .shape = "ring", .mode = Mode::kSharedMemory, .latency_ns = 3000}, "barrier");
    expect_all_well({.count = 4, .mode = Mode::kSharedMemory, .latency_ns = 3000}, "barrier");
}

TEST(Libdivisi, BarrierFailsWhereNoPathLeads) {
    expect_all_well({.count = 4, .shape = "pairs"}, "barrier-without-path");
}

TEST(Libdivisi, ReceivesWhatAPeerSentBeforeItDiedAndThenNamesIt) {
    EXPECT_EQ(run_ranks({.count = 3}, "death"), (std::vector<int>{0, 128 + SIGALRM, 0}));
}

TEST(Libdivisi, WakesThoseWhoSleepForAPeerThatDies) {
    EXPECT_EQ(run_ranks({.count = 4, .spin_ns = 1}, "death-of-the-awaited"),
              (std::vector<int>{0, 0, 128 + SIGKILL, 0}));
}

TEST(Libdivisi, IsNotHurtByAPeerThatScribbles) {
    expect_all_well({.count = 4}, "hostility");
    expect_all_well({.count = 4, .ring_bytes = DIVISI_TEST_SMALL_RING}, "hostility");
}

// DIVISI_TEST_HOSTILE_SECONDS makes it last longer.
TEST(Libdivisi, LetsOthersExchangeWhileOneScribblesOverAllItsWindows) {
    expect_all_well({.count = 32}, "crowd");
    expect_all_well({.count = 16, .shape = "mesh", .latency_ns = 1000, .bandwidth_bits = 100'000'000'000}, "crowd");
}

}  // namespace
}  // namespace divisi::test
