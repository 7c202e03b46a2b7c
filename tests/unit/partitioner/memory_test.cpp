#include "partitioner/memory.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace divisi::partitioner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGiB = 1ULL << 30U;

// A file system root with the files that memory is read from.
class MemoryOfMachine : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "divisi-memory-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
        write("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n");
    }
    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << text;
    }
    [[nodiscard]] Memory memory() const {
        const auto result = read_memory(root_);
        EXPECT_TRUE(result) << (result ? "" : result.error().message());
        return result ? *result : Memory{};
    }

    std::string root_;
};

TEST_F(MemoryOfMachine, IsThatOfMeminfoWithoutCgroups) {
    EXPECT_EQ(memory().total, 16 * kGiB);
    EXPECT_EQ(memory().available, 8 * kGiB);
    EXPECT_EQ(memory().limit, 0U);
}

TEST_F(MemoryOfMachine, IsWhatTheCgroupLeaves) {
    write("/proc/self/cgroup", "0::/user.slice/a.scope\n");
    write("/sys/fs/cgroup/user.slice/a.scope/memory.max", "4294967296\n");
    write("/sys/fs/cgroup/user.slice/a.scope/memory.current", "2147483648\n");
    write("/sys/fs/cgroup/user.slice/a.scope/memory.stat", "anon 5\ninactive_file 1073741824\n");
    EXPECT_EQ(memory().limit, 4 * kGiB);
    EXPECT_EQ(memory().available, 3 * kGiB);  // of the 2 GiB in use, one is page cache
    EXPECT_EQ(memory().limit_file, root_ + "/sys/fs/cgroup/user.slice/a.scope/memory.max");
}

TEST_F(MemoryOfMachine, HonoursTheTightestAncestor) {
    write("/proc/self/cgroup", "0::/a/b\n");
    write("/sys/fs/cgroup/a/b/memory.max", "max\n");
    write("/sys/fs/cgroup/a/memory.max", "2147483648\n");
    write("/sys/fs/cgroup/a/memory.current", "0\n");
    EXPECT_EQ(memory().limit, 2 * kGiB);
    EXPECT_EQ(memory().available, 2 * kGiB);
}

TEST_F(MemoryOfMachine, HonoursCgroupsOfVersion1) {
    write("/proc/self/cgroup", "9:cpuset:/x\n4:memory:/docker/abc\n0::/\n");
    // As a container sees it: its own group is the root of the mount, whatever its path is on the host.
    write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
    write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2147483648\n");
    EXPECT_EQ(memory().limit, kGiB);
    EXPECT_EQ(memory().available, 0U);
}

TEST_F(MemoryOfMachine, IgnoresLimitsBeyondTheMachine) {
    write("/proc/self/cgroup", "4:memory:/\n");
    write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(memory().limit, 0U);
}

TEST_F(MemoryOfMachine, SurvivesNonsenseInCgroupFiles) {
    write("/proc/self/cgroup", "garbage\n::\n0::\n0::relative\n0::/../..\n");
    write("/sys/fs/cgroup/memory.max", "many\n");
    EXPECT_EQ(memory().available, 8 * kGiB);
}

TEST_F(MemoryOfMachine, IsAnErrorWithoutMeminfo) {
    fs::remove(root_ + "/proc/meminfo");
    EXPECT_FALSE(read_memory(root_));
    write("/proc/meminfo", "MemTotal: none\n");
    EXPECT_FALSE(read_memory(root_));
}

}  // namespace
}  // namespace divisi::partitioner
