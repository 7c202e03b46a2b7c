#include "native_ranks.hpp"

namespace divisi::test {
namespace {

TEST(Mpi, CarriesMessagesOfEveryLength) {
    for (const std::uint32_t count : {1U, 2U, 5U}) expect_all_well({.count = count}, "messages");
}

TEST(Mpi, CarriesThemThroughSmallChannels) {
    expect_all_well({.count = 4, .ring_bytes = DIVISI_TEST_SMALL_RING}, "messages");
}

// Every wait sleeps: a lost wake-up would hang here.
TEST(Mpi, LosesNoWakeUpWhenAlwaysSleeping) {
    expect_all_well({.count = 4, .spin_ns = 1}, "messages");
}

TEST(Mpi, CarriesThemOverRoutes) {
    expect_all_well({.count = 4, .shape = "chain"}, "messages");
}

TEST(Mpi, CopiesLargeMessagesFromBothEnds) {
    for (const std::uint32_t count : {1U, 2U, 5U}) expect_all_well({.count = count}, "large");
    expect_all_well({.count = 4, .ring_bytes = DIVISI_TEST_SMALL_RING, .spin_ns = 1}, "large");
}

TEST(Mpi, SendsLargeMessagesPieceByPieceWhereLinksTakeTime) {
    expect_all_well({.count = 2, .latency_ns = 2000}, "large");
}

TEST(Mpi, MatchesInTheOrderOfSending) {
    expect_all_well({.count = 2}, "order");
}

TEST(Mpi, ProbesWhatCame) {
    expect_all_well({.count = 3}, "probes");
}

TEST(Mpi, HasPersistentBufferedAndCancelledRequests) {
    expect_all_well({.count = 2}, "requests");
    expect_all_well({.count = 2, .ring_bytes = DIVISI_TEST_SMALL_RING}, "requests");
    expect_all_well({.count = 2, .latency_ns = 2000}, "requests");
}

TEST(Mpi, KeepsCommunicatorsApart) {
    for (const std::uint32_t count : {2U, 5U}) expect_all_well({.count = count}, "communicators");
}

TEST(Mpi, CopiesRandomDatatypesAsTheirDefinitionsSay) {
    expect_all_well({.count = 2}, "types");
}

TEST(Mpi, SendsInPartitions) {
    for (const std::uint32_t count : {1U, 2U, 3U}) expect_all_well({.count = count}, "partitioned");
    expect_all_well({.count = 2, .ring_bytes = DIVISI_TEST_SMALL_RING, .spin_ns = 1}, "partitioned");
}

TEST(Mpi, HasWhatLaterVersionsAdded) {
    for (const std::uint32_t count : {1U, 2U, 5U}) expect_all_well({.count = count}, "additions");
}

TEST(Mpi, MovesCollectively) {
    for (const std::uint32_t count : {1U, 2U, 3U, 5U, 8U}) expect_all_well({.count = count}, "collectives");
}

TEST(Mpi, MovesCollectivelyWhenAlwaysSleepingInSmallChannels) {
    expect_all_well({.count = 4, .ring_bytes = DIVISI_TEST_SMALL_RING, .spin_ns = 1}, "collectives");
}

TEST(Mpi, MovesCollectivelyBetweenRanksWithPusOfTheirOwn) {
    for (const std::uint32_t count : {2U, 4U}) expect_all_well({.count = count, .own_pus = true}, "collectives");
}

TEST(Mpi, MovesCollectivelyPastMessagesThatNobodyTakesYet) {
    for (const bool own_pus : {false, true})
        expect_all_well({.count = 4, .ring_bytes = DIVISI_TEST_SMALL_RING, .own_pus = own_pus}, "full_rings");
}

TEST(Mpi, ExchangesWithNeighboursThatAreOneAndTheSame) {
    for (const std::uint32_t count : {1U, 2U, 5U}) expect_all_well({.count = count}, "neighbours");
}

TEST(Mpi, ReducesInTheOrderOfRanks) {
    for (const std::uint32_t count : {1U, 2U, 3U, 7U, 8U}) expect_all_well({.count = count}, "reductions");
}

TEST(Mpi, MovesCollectivelyBetweenGroups) {
    for (const std::uint32_t count : {2U, 5U}) expect_all_well({.count = count}, "intercommunicators");
}

TEST(Mpi, IsCalledByManyThreadsAtTheSameTime) {
    for (const std::uint32_t count : {1U, 2U, 3U}) expect_all_well({.count = count}, "threads");
    expect_all_well({.count = 2, .ring_bytes = DIVISI_TEST_SMALL_RING}, "threads");
}

TEST(Mpi, RunsInSessionsAlone) {
    for (const std::uint32_t count : {1U, 2U, 5U}) expect_all_well({.count = count}, "sessions");
}

TEST(Mpi, SaysWhatIsWrongWithAnArgument) {
    expect_all_well({.count = 2}, "errors");
}

TEST(Mpi, TellsTheOthersOfADeath) {
    EXPECT_EQ(run_ranks({.count = 3}, "death"), (std::vector<int>{0, 137, 0}));
}

TEST(Mpi, EndsARankThatWaitsForItself) {
    EXPECT_EQ(run_ranks({.count = 1}, "deadlock"), (std::vector<int>{1}));
}

TEST(Mpi, EndsAllWhenOneAborts) {
    const auto codes = run_ranks({.count = 3}, "aborts");
    EXPECT_EQ(codes.front(), 7);
    for (const int code : codes) EXPECT_NE(code, 0);
}

}  // namespace
}  // namespace divisi::test
