#include "daemon/folder.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "temporary_folder.hpp"

namespace divisi::daemon {
namespace {

using testing::ElementsAre;

json::object config() {
    return *parse_object(R"({"name": "x", "nodes": [{"id": 0, "pu": 2, "memory": 4096}], "shared_memory": 8192})");
}

TEST(Folder, ReadsBackWhatItWrote) {
    const TemporaryFolder folder;
    Facts facts;
    facts.name = "x";
    facts.source = "x.yaml";
    facts.created = 1234;
    facts.owner = ProcessName{77, 88};
    ASSERT_TRUE(create_folder(folder / "x", facts, config()));
    const auto read = read_folder(folder / "x");
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->name, "x");
    EXPECT_EQ(read->source, "x.yaml");
    EXPECT_EQ(read->created, 1234);
    EXPECT_EQ(read->owner->pid, 77);
    EXPECT_EQ(read->owner->started, 88U);
    EXPECT_EQ(read->claims.memory, 8192U);
    EXPECT_THAT(read->claims.pus, ElementsAre(2));
}

TEST(Folder, IsForItsOwnerAlone) {
    const TemporaryFolder folder;
    ASSERT_TRUE(create_folder(folder / "x", {}, config()));
    struct stat status {};
    ASSERT_EQ(::stat((folder / "x").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST(Folder, ReplacesWhatIsLeftOfAnother) {
    const TemporaryFolder folder;
    ASSERT_TRUE(create_folder(folder / "x", {}, config()));
    ASSERT_TRUE(replace_file(folder / "x/vmm.sock", "rubbish"));
    ASSERT_TRUE(create_folder(folder / "x", {}, config()));
    EXPECT_NE(::access((folder / "x/vmm.sock").c_str(), F_OK), 0);
}

TEST(Folder, OfRubbishIsAnError) {
    const TemporaryFolder folder;
    EXPECT_FALSE(read_folder(folder / "missing"));
    ASSERT_TRUE(create_folder(folder / "x", {}, config()));
    for (const char* text : {"", "{", "[]", "{\"name\": 3}", "{\"name\": \"x\"}"}) {
        ASSERT_TRUE(replace_file(folder / "x/config.json", text));
        EXPECT_FALSE(read_folder(folder / "x")) << text;
    }
}

TEST(Folder, ListsOnlyWhatMayBeATopology) {
    const TemporaryFolder folder;
    for (const char* name : {"b", "a", ".hidden", "with space"}) ASSERT_EQ(::mkdir((folder / name).c_str(), 0700), 0);
    ASSERT_TRUE(replace_file(folder / "file", ""));
    ASSERT_EQ(::symlink("/", (folder / "link").c_str()), 0);
    EXPECT_THAT(*list_folders(folder.path()), ElementsAre("a", "b"));
}

TEST(Folder, RemovalDoesNotFollowLinks) {
    const TemporaryFolder folder;
    ASSERT_EQ(::mkdir((folder / "precious").c_str(), 0700), 0);
    ASSERT_TRUE(replace_file(folder / "precious/file", ""));
    ASSERT_TRUE(create_folder(folder / "x", {}, config()));
    ASSERT_EQ(::symlink((folder / "precious").c_str(), (folder / "x/link").c_str()), 0);
    ASSERT_TRUE(remove_folder(folder / "x"));
    EXPECT_EQ(::access((folder / "precious/file").c_str(), F_OK), 0);
    EXPECT_TRUE(remove_folder(folder / "x")) << "again";
}

TEST(ProcessName, LeadsToTheProcessAndNoOther) {
    const auto self = name_process(::getpid());
    ASSERT_TRUE(self);
    EXPECT_TRUE(open_process(*self).valid());
    EXPECT_FALSE(open_process({self->pid, self->started + 1}).valid());
}

TEST(ProcessName, OfAnEndedProcessLeadsNowhere) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    const auto name = name_process(child);
    ASSERT_TRUE(name);
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(open_process(*name).valid());
    EXPECT_FALSE(name_process(child));
}

}  // namespace
}  // namespace divisi::daemon
