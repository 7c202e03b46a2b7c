#include "base/process.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "tests/support/temp_dir.hpp"

namespace divisi {
namespace {

using testing::HasSubstr;

struct Pipe {
    Fd read;
    Fd write;
};

Pipe make_pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

ProcessSpec shell(const std::string& script) {
    return {.argv = {"/bin/sh", "-c", script}, .environment = {}, .fds = {{0, 0}, {1, 1}, {2, 2}}};
}

// What the script writes to descriptor 1, and its exit status.
std::pair<std::string, int> output_of(ProcessSpec spec) {
    Pipe pipe = make_pipe();
    spec.fds = {{0, 0}, {pipe.write.get(), 1}, {2, 2}};
    auto process = Process::spawn(spec);
    EXPECT_TRUE(process) << process.error().message();
    if (!process) return {};
    pipe.write.reset();
    std::string text = *read_fd(pipe.read.get(), "pipe", 1U << 20U);
    return {text, *process->wait()};
}

bool exists(pid_t pid) {
    return ::kill(pid, 0) == 0;
}

TEST(Process, RunsAndReportsTheExitCode) {
    auto process = Process::spawn(shell("exit 7"));
    ASSERT_TRUE(process);
    EXPECT_GT(process->pid(), 0);
    const auto status = process->wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(WEXITSTATUS(*status), 7);
}

TEST(Process, ReportsExecFailuresBeforeItReturns) {
    const test::TempDir dir;
    ASSERT_TRUE(replace_file(dir / "text", "no program"));
    struct {
        std::string path;
        int number;
    } const cases[] = {{"/no/such/program", ENOENT}, {dir.path(), EACCES}, {dir / "text", EACCES}};
    for (const auto& [path, number] : cases) {
        const auto process = Process::spawn({.argv = {path}, .environment = {}, .fds = {}});
        ASSERT_FALSE(process) << path;
        EXPECT_EQ(process.error().cause.value(), number) << path;
        EXPECT_THAT(process.error().message(), HasSubstr(path));
    }
    // The failed children are reaped.
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Process, RefusesToRunNothing) {
    const auto process = Process::spawn({});
    ASSERT_FALSE(process);
    EXPECT_TRUE(process.error().is(Errc::kUsage));
}

TEST(Process, ReportsADescriptorThatIsNotOpen) {
    ProcessSpec spec = shell("true");
    spec.fds = {{9999, 0}};
    const auto process = Process::spawn(spec);
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().cause, std::errc::bad_file_descriptor);
}

TEST(Process, PassesArgumentsUnchanged) {
    const auto [text, status] =
        output_of({.argv = {"/bin/sh", "-c", R"(for a; do printf '<%s>' "$a"; done)", "name", "two words", "", "*"},
                   .environment = {},
                   .fds = {}});
    EXPECT_EQ(text, "<two words><><*>");
    EXPECT_EQ(status, 0);
}

TEST(Process, ReplacesTheEnvironmentOnlyWhereAsked) {
    ASSERT_EQ(::setenv("DIVISI_PROCESS_TEST", "inherited", 1), 0);
    ProcessSpec spec = shell("echo $DIVISI_PROCESS_TEST");
    EXPECT_EQ(output_of(spec).first, "inherited\n");
    spec.environment = {"OTHER=1"};
    EXPECT_EQ(output_of(spec).first, "\n");
    spec.environment = {"DIVISI_PROCESS_TEST=given"};
    EXPECT_EQ(output_of(spec).first, "given\n");
}

TEST(Process, GivesTheChildItsDescriptorsAndNoOthers) {
    const Pipe other = make_pipe();
    const Fd inherited(::dup(other.write.get()));  // without close-on-exec
    const auto [text, status] = output_of(shell("ls -1 /proc/self/fd | sort -n | tr '\\n' ' '"));
    EXPECT_THAT(text, testing::StartsWith("0 1 2 "));
    // ls itself opens one.
    EXPECT_EQ(std::count(text.begin(), text.end(), ' '), 4) << text;
}

TEST(Process, SwapsDescriptorsThatOverlap) {
    const Pipe first = make_pipe();
    const Pipe second = make_pipe();
    ProcessSpec spec = shell("echo first >&" + std::to_string(second.write.get()) + "; echo second >&" +
                             std::to_string(first.write.get()));
    spec.fds = {{first.write.get(), second.write.get()}, {second.write.get(), first.write.get()}};
    auto process = Process::spawn(spec);
    ASSERT_TRUE(process);
    ASSERT_TRUE(process->wait());
    std::array<char, 16> text{};
    EXPECT_EQ(::read(first.read.get(), text.data(), text.size()), 6);
    EXPECT_EQ(std::string(text.data(), 5), "first");
    EXPECT_EQ(::read(second.read.get(), text.data(), text.size()), 7);
    EXPECT_EQ(std::string(text.data(), 6), "second");
}

TEST(Process, PlacesDescriptorsWhateverTheirNumbers) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 600) GTEST_SKIP() << "fewer than 600 open files are allowed here";
    const Pipe pipe = make_pipe();
    const Fd null = std::move(*open_file("/dev/null", O_RDWR));
    // Sources that lie where a scratch copy of another could.
    std::vector<Fd> high;
    for (const int from : {null.get(), pipe.write.get(), null.get()})
        high.emplace_back(::fcntl(from, F_DUPFD_CLOEXEC, 512));
    ProcessSpec spec = shell("echo through >&4");
    spec.fds = {{high[2].get(), 3}, {high[1].get(), 4}, {high[0].get(), 5}, {0, 0}, {1, 1}, {2, 2}};
    auto process = Process::spawn(spec);
    ASSERT_TRUE(process) << process.error().message();
    EXPECT_EQ(*process->wait(), 0);
    std::array<char, 16> text{};
    EXPECT_EQ(::read(pipe.read.get(), text.data(), text.size()), 8);
}

TEST(Process, WorksUnderALowLimitOfOpenFiles) {
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
    rlimit low = old;
    low.rlim_cur = 64;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    const auto [text, status] = output_of(shell("echo ran"));
    EXPECT_EQ(text, "ran\n");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST(Process, IsKilledAndReapedWithItsOwner) {
    pid_t pid = -1;
    {
        const auto process = Process::spawn(shell("exec sleep 1000"));
        ASSERT_TRUE(process);
        pid = process->pid();
        EXPECT_TRUE(exists(pid));
    }
    EXPECT_FALSE(exists(pid));
}

TEST(Process, OutlivesItsOwnerWhenDetached) {
    pid_t pid = -1;
    {
        auto process = Process::spawn(shell("exec sleep 1000"));
        ASSERT_TRUE(process);
        pid = process->pid();
        process->detach();
    }
    EXPECT_TRUE(exists(pid));
    ::kill(pid, SIGKILL);
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(Process, SignalsAndSaysWhatEndedIt) {
    auto process = Process::spawn(shell("exec sleep 1000"));
    ASSERT_TRUE(process);
    EXPECT_EQ(*process->try_wait(), std::nullopt);
    process->signal(SIGTERM);
    pollfd ended{process->pidfd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 60000), 1);
    const auto status = process->try_wait();
    ASSERT_TRUE(status);
    ASSERT_TRUE(status->has_value());
    EXPECT_EQ(describe_wait_status(**status), "was killed by signal 15 (Terminated)");
    EXPECT_EQ(describe_wait_status(3 << 8), "exited with code 3");
}

TEST(Process, WaitsForNoOtherChildOnceItHasEnded) {
    auto other = Process::spawn(shell("exec sleep 1000"));
    auto process = Process::spawn(shell("exit 0"));
    ASSERT_TRUE(process && other);
    ASSERT_TRUE(process->wait());
    EXPECT_FALSE(process->wait());
    EXPECT_FALSE(process->try_wait());
    process->signal(SIGKILL);
    EXPECT_EQ(*other->try_wait(), std::nullopt);
}

TEST(Process, MovesKillWhatTheyReplace) {
    auto first = Process::spawn(shell("exec sleep 1000"));
    auto second = Process::spawn(shell("exec sleep 1000"));
    ASSERT_TRUE(first && second);
    const pid_t replaced = first->pid();
    const pid_t kept = second->pid();
    *first = std::move(*second);
    EXPECT_FALSE(exists(replaced));
    EXPECT_EQ(first->pid(), kept);
    EXPECT_TRUE(exists(kept));
}

TEST(Process, StartsASessionOfItsOwnWhenAsked) {
    ProcessSpec spec = shell("exec sleep 1000");
    spec.new_session = true;
    const auto apart = Process::spawn(spec);
    ASSERT_TRUE(apart);
    EXPECT_EQ(::getsid(apart->pid()), apart->pid());
    const auto beside = Process::spawn(shell("exec sleep 1000"));
    EXPECT_EQ(::getsid(beside->pid()), ::getsid(0));
}

TEST(Process, StartsWithoutBlockedSignals) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigset_t old;
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &old), 0);
    auto process = Process::spawn(shell("exec sleep 1000"));
    ASSERT_TRUE(process);
    process->signal(SIGTERM);
    EXPECT_TRUE(WIFSIGNALED(*process->wait()));
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &old, nullptr), 0);
}

}  // namespace
}  // namespace divisi
