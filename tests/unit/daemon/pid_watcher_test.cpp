#include "daemon/pid_watcher.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <vector>

#include "base/process.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kPatience{30};

Process sleeper() {
    ProcessSpec spec;
    spec.argv = {"/bin/sleep", "1000"};
    return std::move(*Process::spawn(spec));
}

TEST(PidWatcher, TellsWhenAProcessEnds) {
    std::vector<Process> processes;
    std::vector<std::promise<void>> ended(5);
    PidWatcher watcher;  // ends before what its callbacks use
    ASSERT_TRUE(watcher.start());
    for (std::promise<void>& promise : ended) {
        processes.push_back(sleeper());
        Fd pidfd(::fcntl(processes.back().pidfd(), F_DUPFD_CLOEXEC, 0));
        watcher.watch(std::move(pidfd), [&promise] { promise.set_value(); });
    }
    processes[3].signal(SIGKILL);
    EXPECT_EQ(ended[3].get_future().wait_for(kPatience), std::future_status::ready);
    EXPECT_EQ(ended[0].get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout);
}

TEST(PidWatcher, MayBeGivenMoreFromACallback) {
    Process first = sleeper();
    Process second = sleeper();
    std::promise<void> ended;
    PidWatcher watcher;
    ASSERT_TRUE(watcher.start());
    Fd first_pidfd(::fcntl(first.pidfd(), F_DUPFD_CLOEXEC, 0));
    watcher.watch(std::move(first_pidfd), [&] {
        Fd second_pidfd(::fcntl(second.pidfd(), F_DUPFD_CLOEXEC, 0));
        watcher.watch(std::move(second_pidfd), [&ended] { ended.set_value(); });
        second.signal(SIGKILL);
    });
    first.signal(SIGKILL);
    EXPECT_EQ(ended.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST(PidWatcher, EndsWhileItWatches) {
    Process process = sleeper();
    {
        PidWatcher watcher;
        ASSERT_TRUE(watcher.start());
        Fd pidfd(::fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 0));
        watcher.watch(std::move(pidfd), [] { FAIL(); });
    }
}

}  // namespace
}  // namespace divisi::daemon
