#include "base/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tests/support/temp_dir.hpp"

namespace divisi {
namespace {

using test::TempDir;
using testing::HasSubstr;

// An environment variable, put back at the end of a test. Each test runs in a process of its own.
class Variable {
public:
    Variable(const char* name, const std::optional<std::string>& value) : name_(name) {
        if (const char* old = std::getenv(name)) old_ = old;
        set(value);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { set(old_); }

private:
    void set(const std::optional<std::string>& value) const {
        if (value)
            ::setenv(name_, value->c_str(), 1);
        else
            ::unsetenv(name_);
    }

    const char* name_;
    std::optional<std::string> old_;
};

TEST(StateDir, IsWhatTheEnvironmentSays) {
    const TempDir dir;
    const Variable own("DIVISI_STATE_DIR", dir / "state");
    const Variable xdg("XDG_RUNTIME_DIR", dir.path());
    EXPECT_EQ(*state_dir(), dir / "state");
}

TEST(StateDir, LiesInTheRuntimeFolderOfTheUser) {
    const TempDir dir;
    const Variable own("DIVISI_STATE_DIR", "");
    const Variable xdg("XDG_RUNTIME_DIR", dir.path());
    EXPECT_EQ(*state_dir(), dir / "divisi");
}

TEST(StateDir, IsTheSameFromEverywhere) {
    const TempDir dir;
    ASSERT_EQ(::chdir(dir.path().c_str()), 0);
    const Variable own("DIVISI_STATE_DIR", "state");
    EXPECT_EQ(*state_dir(), dir / "state");
}

TEST(StateDir, IsMadeForItsOwnerOnlyAndTakenUpAgain) {
    const TempDir dir;
    const Variable own("DIVISI_STATE_DIR", dir / "state");
    ASSERT_TRUE(state_dir());
    struct stat status {};
    ASSERT_EQ(::stat((dir / "state").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_TRUE(state_dir());
}

TEST(StateDir, RefusesALinkAndAFile) {
    const TempDir dir;
    std::filesystem::create_directory(dir / "real");
    std::filesystem::create_symlink(dir / "real", dir / "link");
    const Variable own("DIVISI_STATE_DIR", dir / "link");
    const auto refused = state_dir();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr(dir / "link"));
    EXPECT_THAT(refused.error().message(), HasSubstr("DIVISI_STATE_DIR"));
    const Variable file("DIVISI_STATE_DIR", "/proc/version");
    const auto no_folder = state_dir();
    ASSERT_FALSE(no_folder);
    EXPECT_THAT(no_folder.error().message(), HasSubstr("/proc/version: the state folder is no folder"));
}

TEST(StateDir, RefusesAFolderOfSomeoneElse) {
    const bool root = ::geteuid() == 0;
    const TempDir dir;
    if (root) {
        std::filesystem::create_directory(dir / "other");
        ASSERT_EQ(::chown((dir / "other").c_str(), 12345, 12345), 0);
    }
    const Variable own("DIVISI_STATE_DIR", root ? dir / "other" : "/proc");
    const auto refused = state_dir();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("belongs to someone else"));
}

TEST(StateDir, NamesTheFolderThatCannotBeMade) {
    const Variable own("DIVISI_STATE_DIR", "/no/such/folder");
    const auto refused = state_dir();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("/no/such/folder"));
}

TEST(Paths, LieInTheStateFolder) {
    EXPECT_EQ(daemon_socket("/run/divisi"), "/run/divisi/divisid.sock");
    EXPECT_EQ(topology_dir("/run/divisi", "quad32"), "/run/divisi/topologies/quad32");
    EXPECT_EQ(vmm_socket(topology_dir("/run/divisi", "quad32")), "/run/divisi/topologies/quad32/vmm.sock");
}

TEST(Paths, KnowTheFolderOfThisProgram) {
    const auto folder = own_bin_dir();
    ASSERT_TRUE(folder);
    EXPECT_TRUE(std::filesystem::exists(*folder + "/base_tests"));
}

}  // namespace
}  // namespace divisi
