#include "base/remove_tree.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace divisi {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

TEST(RemoveTree, RemovesFilesLinksAndFolders) {
    const TempDir dir;
    fs::create_directories(dir / "tree/a/b");
    fs::create_directories(dir / "kept");
    std::ofstream(dir / "tree/a/file") << "x";
    std::ofstream(dir / "kept/file") << "x";
    fs::create_directory_symlink(dir / "kept", dir / "tree/a/link");
    const auto removed = remove_tree(AT_FDCWD, dir / "tree");
    EXPECT_TRUE(removed) << removed.error().message();
    EXPECT_FALSE(fs::exists(dir / "tree"));
    EXPECT_TRUE(fs::exists(dir / "kept/file"));
    EXPECT_TRUE(remove_tree(AT_FDCWD, dir / "tree"));
    EXPECT_TRUE(remove_tree(AT_FDCWD, dir / "kept/file"));
    EXPECT_FALSE(fs::exists(dir / "kept/file"));
}

TEST(RemoveTree, IsNotStoppedByPermissionsOrByNamesLikeItsOwn) {
    const TempDir dir;
    fs::create_directories(dir / "tree/a/b/c");
    fs::create_directories(dir / "tree/.gone-0/.gone-0/.gone-1");
    std::ofstream(dir / "tree/.gone-1") << "x";
    for (const char* name : {"tree/a/b/c", "tree/a/b", "tree/a"}) fs::permissions(dir / name, fs::perms::none);
    const auto removed = remove_tree(AT_FDCWD, dir / "tree");
    EXPECT_TRUE(removed) << removed.error().message();
    EXPECT_FALSE(fs::exists(fs::symlink_status(dir / "tree")));
}

// Deeper than a path can name, or a process have open folders.
TEST(RemoveTree, RemovesWhatIsVeryDeep) {
    const TempDir dir;
    constexpr int kDepth = 5000;
    fs::create_directories(dir / "tree");
    Fd here(::open((dir / "tree").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < kDepth; ++i) {
        ASSERT_EQ(::mkdirat(here.get(), "folder", 0700), 0);
        here = Fd(::openat(here.get(), "folder", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    here.reset();
    const auto removed = remove_tree(AT_FDCWD, dir / "tree");
    EXPECT_TRUE(removed) << removed.error().message();
    EXPECT_FALSE(fs::exists(dir / "tree"));
}

}  // namespace
}  // namespace divisi
