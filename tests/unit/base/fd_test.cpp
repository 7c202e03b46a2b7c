#include "base/fd.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "tests/support/temp_dir.hpp"

namespace divisi {
namespace {

using test::TempDir;
using testing::HasSubstr;

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

Fd null_device() {
    return std::move(*open_file("/dev/null", O_RDWR));
}

TEST(Fd, ClosesOnDestruction) {
    int number = -1;
    {
        const Fd fd = null_device();
        number = fd.get();
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(Fd, MovesLeaveTheSourceEmpty) {
    Fd first = null_device();
    const int number = first.get();
    Fd second(std::move(first));
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.get(), number);
    Fd third = null_device();
    const int replaced = third.get();
    third = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_EQ(third.get(), number);
    Fd& self = third;
    third = std::move(self);
    EXPECT_TRUE(is_open(number));
}

TEST(Fd, ReleaseGivesUpOwnership) {
    Fd fd = null_device();
    const int number = fd.release();
    EXPECT_FALSE(fd.valid());
    EXPECT_TRUE(is_open(number));
    ::close(number);
}

TEST(Fd, DuplicatesCloseOnExec) {
    const Fd fd = null_device();
    const auto copy = fd.duplicate();
    ASSERT_TRUE(copy);
    EXPECT_NE(copy->get(), fd.get());
    EXPECT_EQ(::fcntl(copy->get(), F_GETFD), FD_CLOEXEC);
    EXPECT_FALSE(Fd().duplicate());
}

TEST(OpenFile, SetsCloseOnExecAndNamesTheFileInItsError) {
    EXPECT_EQ(::fcntl(null_device().get(), F_GETFD), FD_CLOEXEC);
    const auto absent = open_file("/no/such/file", O_RDONLY);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().cause, std::errc::no_such_file_or_directory);
    EXPECT_THAT(absent.error().message(), HasSubstr("/no/such/file"));
}

TEST(Memfd, HasAFixedSizeAndZeroes) {
    const auto fd = create_memfd("test", 10000);
    ASSERT_TRUE(fd);
    struct stat status {};
    ASSERT_EQ(::fstat(fd->get(), &status), 0);
    EXPECT_EQ(status.st_size, 10000);
    EXPECT_NE(::ftruncate(fd->get(), 20000), 0);
    EXPECT_NE(::ftruncate(fd->get(), 0), 0);
    std::array<char, 16> bytes{};
    EXPECT_EQ(::pread(fd->get(), bytes.data(), bytes.size(), 9990), 10);
}

TEST(Memfd, RefusesAnImpossibleSize) {
    const auto fd = create_memfd("test", ~std::size_t{0});
    ASSERT_FALSE(fd);
    EXPECT_THAT(fd.error().message(), HasSubstr("18446744073709551615 bytes"));
}

TEST(Memfd, SaysWhatKeepsItSmall) {
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit small{4096, old.rlim_max};
    ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto fd = create_memfd("test", 8192);
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    ASSERT_FALSE(fd);
    EXPECT_THAT(fd.error().message(), HasSubstr("ulimit -f"));
}

TEST(ReadFile, ReturnsTheWholeContent) {
    const TempDir dir;
    const std::string content(200000, 'x');
    ASSERT_TRUE(replace_file(dir / "file", content));
    EXPECT_EQ(*read_file(dir / "file"), content);
    ASSERT_TRUE(replace_file(dir / "file", ""));
    EXPECT_EQ(*read_file(dir / "file"), "");
}

TEST(ReadFile, RefusesWhatIsLargerThanTheLimit) {
    const TempDir dir;
    ASSERT_TRUE(replace_file(dir / "file", "12345"));
    EXPECT_TRUE(read_file(dir / "file", 5));
    const auto refused = read_file(dir / "file", 4);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("larger than 4 bytes"));
    EXPECT_FALSE(read_file("/dev/zero", 1000));  // a source without an end ends as well
}

TEST(ReadFile, ReportsAFolderAsAnError) {
    const auto folder = read_file("/");
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().cause, std::errc::is_a_directory);
}

TEST(WriteAll, ReportsAFullDevice) {
    const auto full = open_file("/dev/full", O_WRONLY);
    ASSERT_TRUE(full);
    const auto written = write_all(full->get(), "data", "the report");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().cause, std::errc::no_space_on_device);
    EXPECT_THAT(written.error().message(), HasSubstr("the report"));
    EXPECT_TRUE(write_all(full->get(), "", "nothing"));
}

TEST(ReplaceFile, ReplacesAndLeavesNoTemporary) {
    const TempDir dir;
    ASSERT_TRUE(replace_file(dir / "file", "old"));
    ASSERT_TRUE(replace_file(dir / "file", "new"));
    EXPECT_EQ(*read_file(dir / "file"), "new");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
    struct stat status {};
    ASSERT_EQ(::stat((dir / "file").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(ReplaceFile, ReplacesALinkAndNotWhatItPointsTo) {
    const TempDir dir;
    ASSERT_TRUE(replace_file(dir / "target", "kept"));
    std::filesystem::create_symlink(dir / "target", dir / "file");
    ASSERT_TRUE(replace_file(dir / "file", "new"));
    EXPECT_EQ(*read_file(dir / "target"), "kept");
    EXPECT_EQ(*read_file(dir / "file"), "new");
}

TEST(ReplaceFile, KeepsTheOldFileAndLeavesNothingBehindWhenItFails) {
    const TempDir dir;
    std::filesystem::create_directory(dir / "file");
    EXPECT_FALSE(replace_file(dir / "file", "content"));
    EXPECT_TRUE(std::filesystem::is_directory(dir / "file"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
    EXPECT_FALSE(replace_file(dir / "no/such/folder", "content"));
}

}  // namespace
}  // namespace divisi
