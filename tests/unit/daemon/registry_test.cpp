#include "daemon/registry.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace divisi::daemon {
namespace {

using testing::HasSubstr;

Facts named(const std::string& name, std::uint64_t memory = 0) {
    Facts facts;
    facts.name = name;
    facts.claims.memory = memory;
    return facts;
}

std::shared_ptr<VmmProcess> some_process() {
    return std::make_shared<VmmProcess>(std::move(*VmmProcess::adopt(::getpid())));
}

// A registry with one topology that is ready.
struct Ready {
    Registry registry;
    Entry entry = *registry.reserve(named("x"), false, 0);
    Ready() { registry.commit(entry, some_process()); }
};

TEST(Registry, ReservesANameOnce) {
    Registry registry;
    ASSERT_TRUE(registry.reserve(named("x"), false, 0));
    const auto again = registry.reserve(named("x"), false, 0);
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(Errc::kExists));
    EXPECT_THAT(again.error().message(), HasSubstr("topology 'x'"));
}

TEST(Registry, MakesNamesUniqueWhereAsked) {
    Registry registry;
    EXPECT_EQ(registry.reserve(named("x"), true, 0)->facts.name, "x");
    EXPECT_EQ(registry.reserve(named("x"), true, 0)->facts.name, "x-2");
    EXPECT_EQ(registry.reserve(named("x"), true, 0)->facts.name, "x-3");
}

TEST(Registry, CountsMemoryFromTheReservationOn) {
    Registry registry;
    const auto first = registry.reserve(named("a", 60), false, 100);
    ASSERT_TRUE(first);
    EXPECT_TRUE(registry.reserve(named("b", 50), false, 100).error().is(Errc::kInsufficient));
    registry.drop(*first);
    EXPECT_TRUE(registry.reserve(named("b", 50), false, 100));
}

TEST(Registry, SaysThatOneIsBeingCarved) {
    Registry registry;
    ASSERT_TRUE(registry.reserve(named("x"), false, 0));
    const auto found = registry.find("x");
    EXPECT_TRUE(found.error().is(Errc::kBusy));
    EXPECT_THAT(found.error().message(), HasSubstr("carving"));
}

TEST(Registry, FindsWhatIsReady) {
    const Ready ready;
    const auto found = ready.registry.find("x");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->state, State::kReady);
    EXPECT_EQ(found->vmm->pid(), ::getpid());
}

TEST(Registry, NamesTheOthersWhereOneIsNotFound) {
    const Ready ready;
    EXPECT_THAT(ready.registry.find("y").error().message(), HasSubstr("there are: x"));
}

TEST(Registry, LetsOneChangeAtATimeThrough) {
    Ready ready;
    const auto first = ready.registry.begin("x", State::kSwitching);
    ASSERT_TRUE(first);
    EXPECT_TRUE(ready.registry.begin("x", State::kSwitching).error().is(Errc::kBusy));
    EXPECT_TRUE(ready.registry.begin("x", State::kReleasing).error().is(Errc::kBusy));
    EXPECT_TRUE(ready.registry.find("x")) << "looking at it is still allowed";
    ready.registry.finish(*first, State::kSwitching);
    EXPECT_TRUE(ready.registry.begin("x", State::kReleasing));
}

TEST(Registry, LetsAForcedReleaseOvertakeASwitch) {
    Ready ready;
    const auto switching = ready.registry.begin("x", State::kSwitching);
    const auto releasing = ready.registry.begin("x", State::kReleasing, true);
    ASSERT_TRUE(releasing);
    ready.registry.finish(*switching, State::kSwitching);
    EXPECT_TRUE(ready.registry.find("x").error().is(Errc::kBusy)) << "the switch's end must not undo the release";
}

TEST(Registry, RemembersAnEndThatNobodyAskedFor) {
    Ready ready;
    ready.registry.ended(ready.entry, "divisi-vmm (pid 3) was killed by signal 9", "last words");
    const auto found = ready.registry.find("x");
    EXPECT_TRUE(found.error().is(Errc::kNotFound));
    EXPECT_EQ(found.error().message(),
              "topology 'x': ended: divisi-vmm (pid 3) was killed by signal 9 (carve it again)");
    ASSERT_EQ(ready.registry.ends().size(), 1U);
    EXPECT_EQ(ready.registry.ends().front().log, "last words");
    EXPECT_TRUE(ready.registry.empty());
}

TEST(Registry, ForgetsAnEndWhenTheNameLivesAgain) {
    Ready ready;
    ready.registry.ended(ready.entry, "how", "");
    ready.registry.commit(*ready.registry.reserve(named("x"), false, 0), some_process());
    EXPECT_TRUE(ready.registry.ends().empty());
}

TEST(Registry, DoesNotAdviseToReleaseWhatIsBeingReleased) {
    Ready ready;
    EXPECT_THAT(ready.registry.reserve(named("x"), false, 0).error().message(), HasSubstr("divisi release x"));
    ASSERT_TRUE(ready.registry.begin("x", State::kReleasing));
    EXPECT_THAT(ready.registry.reserve(named("x"), false, 0).error().message(), HasSubstr("try again"));
}

TEST(Registry, DoesNotRememberAReleasedOne) {
    Ready ready;
    ASSERT_TRUE(ready.registry.begin("x", State::kReleasing));
    ready.registry.ended(ready.entry, "exited with code 0", "");
    EXPECT_TRUE(ready.registry.ends().empty());
}

TEST(Registry, TellsANewOneFromAnOldOneOfItsName) {
    Ready ready;
    ready.registry.ended(ready.entry, "how", "");
    const Entry next = *ready.registry.reserve(named("x"), false, 0);
    ready.registry.commit(next, some_process());
    ready.registry.ended(ready.entry, "a late word about the old one", "");
    EXPECT_TRUE(ready.registry.find("x"));
    EXPECT_FALSE(ready.registry.begin("x", State::kReleasing, true, ready.entry.serial));
    EXPECT_TRUE(ready.registry.begin("x", State::kReleasing, true, next.serial));
}

TEST(Registry, WakesWhoWaitsForAnEnd) {
    Ready ready;
    std::thread ender([&ready] { ready.registry.ended(ready.entry, "how", ""); });
    EXPECT_TRUE(ready.registry.wait_ended(ready.entry, api::Clock::now() + std::chrono::seconds(30)));
    ender.join();
}

TEST(Registry, StopsWaitingAtTheDeadline) {
    const Ready ready;
    EXPECT_FALSE(ready.registry.wait_ended(ready.entry, api::Clock::now()));
}

TEST(Registry, RemembersALimitedNumberOfEnds) {
    Registry registry;
    for (int i = 0; i < 200; ++i) registry.remember("x" + std::to_string(i), "how", "");
    EXPECT_EQ(registry.ends().size(), 64U);
    EXPECT_EQ(registry.ends().back().name, "x199");
}

}  // namespace
}  // namespace divisi::daemon
