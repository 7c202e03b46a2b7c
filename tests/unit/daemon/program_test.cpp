#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/api/vmm.hpp"
#include "temporary_folder.hpp"

namespace divisi::api {
namespace {

using daemon::TemporaryFolder;
using testing::HasSubstr;

class FindProgram : public testing::Test {
protected:
    FindProgram() {
        ::mkdir((folder / "bin").c_str(), 0700);
        ::mkdir((folder / "other").c_str(), 0700);
        make("bin/tool", 0700);
        make("other/tool", 0700);
        make("bin/plain", 0600);
    }
    void make(const std::string& name, mode_t mode) {
        (void)replace_file(folder / name, "");
        ::chmod((folder / name).c_str(), mode);
    }
    TemporaryFolder folder;
};

TEST_F(FindProgram, TakesANameWithASlashAsAPath) {
    EXPECT_EQ(find_program("bin/tool", folder.path(), "")->path, folder / "bin/tool");
    EXPECT_EQ(find_program("./tool", folder / "bin", "")->path, folder / "bin/tool");
    EXPECT_EQ(find_program(folder / "bin/tool", "/", "")->path, folder / "bin/tool");
}

TEST_F(FindProgram, LooksAnyOtherNameUpInOrder) {
    const std::string path = "/nowhere:" + folder / "other" + ":" + folder / "bin";
    EXPECT_EQ(find_program("tool", "/", path)->path, folder / "other/tool");
    EXPECT_EQ(find_program("tool", folder.path(), "bin")->path, folder / "bin/tool") << "relative entries";
    EXPECT_TRUE(find_program("tool", folder.path(), "").error().is(Errc::kNotFound)) << "not in the working folder";
    EXPECT_TRUE(find_program("tool", folder / "bin", ":/nowhere")) << "an empty entry is the working folder";
}

TEST_F(FindProgram, TellsMissingFromUnfit) {
    EXPECT_TRUE(find_program("missing", "/", folder / "bin").error().is(Errc::kNotFound));
    EXPECT_TRUE(find_program("./missing", folder.path(), "").error().is(Errc::kNotFound));
    EXPECT_TRUE(find_program("", "/", "/").error().is(Errc::kNotFound));
    EXPECT_TRUE(find_program("./bin", folder.path(), "").error().is(Errc::kBadImage));
    EXPECT_TRUE(find_program("plain", "/", folder / "bin").error().is(Errc::kBadImage));
    EXPECT_TRUE(find_program("/dev/null", "/", "").error().is(Errc::kBadImage));
    EXPECT_THAT(find_program("tool", "/", "/nowhere").error().message(), HasSubstr("./tool"));
}

TEST(EnvironmentValue, MatchesWholeNames) {
    const std::vector<std::string> env{"PATHS=1", "PATH", "PATH=2", "PATH=3"};
    EXPECT_EQ(environment_value(env, "PATH"), "2");
    EXPECT_EQ(environment_value(env, "PAT"), std::nullopt);
}

}  // namespace
}  // namespace divisi::api
