#include "hv/file_view.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

namespace divisi::hv {
namespace {

namespace fs = std::filesystem;
using Found = FileView::Found;
using Last = FileView::Last;

// /proc/self is a link to /proc/7, a folder with the file "status".
class FewFiles final : public MadeUpFiles {
public:
    [[nodiscard]] std::optional<VirtualNode> find(std::string_view path) const override {
        VirtualNode node;
        node.path = path;
        if (path == "/proc" || path == "/proc/7" || path == "/dev") return node;
        node.kind = VirtualNode::Kind::kLink;
        if (path == "/proc/self") return node;
        node.kind = VirtualNode::Kind::kFile;
        if (path == "/proc/7/status") return node;
        node.kind = VirtualNode::Kind::kHost;
        if (path == "/dev/null" || path == "/dev/shm") return node;
        return std::nullopt;
    }
    [[nodiscard]] std::string read(const VirtualNode& /*node*/) const override { return "7"; }
};

// base/work is the working folder, base/outside is not writable.
class FileViewTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = fs::current_path() / "file-view-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        base_ = fs::canonical(name);
        for (const char* scratch : {"/tmp/", "/var/tmp/", "/dev/shm/"}) {
            if (base_.string().starts_with(scratch))
                GTEST_SKIP() << "the tests run in a folder that is writable itself";
        }
        for (const char* folder : {"work/a/b", "outside/c"}) fs::create_directories(base_ / folder);
        std::ofstream(base_ / "work/file") << "inside";
        std::ofstream(base_ / "outside/file") << "outside";
        auto view = FileView::create(open_folder("work"), "");
        ASSERT_TRUE(view) << view.error().message();
        view_ = std::move(*view);
    }
    void TearDown() override { fs::remove_all(base_); }

    [[nodiscard]] Fd open_folder(const char* name) const {
        return Fd(::open((base_ / name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    std::int64_t find(std::string_view path, Found& found, Last last = Last::kFollow) const {
        return view_->find(view_->working_folder(), path, last, made_up_, found);
    }
    // A walk that must end well.
    Found reach(std::string_view path, Last last = Last::kFollow) const {
        Found found;
        EXPECT_EQ(find(path, found, last), 0) << path;
        return found;
    }
    std::int64_t failure(std::string_view path, Last last = Last::kFollow) const {
        Found found;
        return find(path, found, last);
    }
    void link(const std::string& target, const char* name) const { fs::create_symlink(target, base_ / name); }

    fs::path base_;
    FewFiles made_up_;
    std::optional<FileView> view_;
};

TEST_F(FileViewTest, TellsWhatCanBeChangedFromWhatCannot) {
    EXPECT_TRUE(reach("file").writable);
    EXPECT_TRUE(reach("a/b").writable);
    EXPECT_TRUE(reach("./a/../file").writable);
    EXPECT_TRUE(reach((base_ / "work/a/b").string()).writable);
    EXPECT_FALSE(reach("../outside/file").writable);
    EXPECT_FALSE(reach((base_ / "outside/file").string()).writable);
    EXPECT_FALSE(reach("..").writable);
    EXPECT_FALSE(reach("/").writable);
    EXPECT_TRUE(reach("/tmp").writable);
    EXPECT_FALSE(reach("/tmp").parent.writable);
    EXPECT_TRUE(reach("../outside/../work/a").writable);
}

TEST_F(FileViewTest, KnowsTheNamesOfPlaces) {
    EXPECT_EQ(view_->working_folder().path, (base_ / "work").string());
    EXPECT_EQ(reach("a/../a//./b").path, (base_ / "work/a/b").string());
    EXPECT_EQ(reach("../outside/c/..").path, (base_ / "outside").string());
    EXPECT_EQ(reach("/../..").path, "/");
    EXPECT_EQ(reach("a/new").path, (base_ / "work/a/new").string());
}

TEST_F(FileViewTest, AMissingLastComponentCanBeMade) {
    const Found found = reach("a/new");
    EXPECT_FALSE(found.exists());
    EXPECT_EQ(found.name, "new");
    EXPECT_TRUE(found.parent.writable);
    EXPECT_TRUE(reach("a/new/").must_be_folder);
    EXPECT_EQ(failure("missing/new"), -ENOENT);
    EXPECT_EQ(failure("file/new"), -ENOTDIR);
    EXPECT_EQ(failure("file/"), -ENOTDIR);
    EXPECT_EQ(failure(std::string(300, 'x')), -ENAMETOOLONG);
}

TEST_F(FileViewTest, FollowsLinksAndKnowsWhereTheyLead) {
    link("../outside/file", "work/out");
    link("../../outside", "work/a/out");
    link((base_ / "work/file").string(), "outside/in");
    link("a", "work/a-too");
    EXPECT_FALSE(reach("out").writable);
    EXPECT_EQ(reach("out").path, (base_ / "outside/file").string());
    EXPECT_FALSE(reach("a/out/new").parent.writable);
    EXPECT_TRUE(reach("../outside/in").writable);
    EXPECT_EQ(reach("a-too/b").path, (base_ / "work/a/b").string());
    // The link itself lies where it lies.
    EXPECT_TRUE(S_ISLNK(reach("out", Last::kKeep).status.st_mode));
    EXPECT_TRUE(reach("out", Last::kKeep).writable);
    EXPECT_TRUE(S_ISDIR(reach("a-too/", Last::kKeep).status.st_mode));
    EXPECT_EQ(failure("a-too/", Last::kEntry), -ENOTDIR);
}

TEST_F(FileViewTest, ADanglingLinkLeadsToWhatItWouldMake) {
    link("../outside/new", "work/dangling");
    const Found found = reach("dangling");
    EXPECT_FALSE(found.exists());
    EXPECT_EQ(found.path, (base_ / "outside/new").string());
    EXPECT_FALSE(found.parent.writable);
}

TEST_F(FileViewTest, EndsLinksThatNeverEnd) {
    link("loop", "work/loop");
    link("pong", "work/ping");
    link("ping/x", "work/pong");
    EXPECT_EQ(failure("loop"), -ELOOP);
    EXPECT_EQ(failure("ping/y"), -ELOOP);
    EXPECT_EQ(failure("loop", Last::kKeep), 0);
}

TEST_F(FileViewTest, AFolderThatWasMovedStillEndsAtTheWorkingFolder) {
    const ViewFolder opened{std::make_shared<const Fd>(open_folder("work/a/b")), (base_ / "work/a/b").string(), true};
    fs::rename(base_ / "work/a/b", base_ / "work/b");
    Found found;
    ASSERT_EQ(view_->find(opened, "../../outside/file", Last::kFollow, made_up_, found), 0);
    EXPECT_FALSE(found.writable);
    Found above;
    ASSERT_EQ(view_->find(opened, "../../new", Last::kFollow, made_up_, above), 0);
    EXPECT_FALSE(above.parent.writable);
}

TEST_F(FileViewTest, NeverShowsTheHostsProc) {
    link("/proc", "work/proc");
    for (const char* path : {"/proc/self/status", "proc/self/status", "/proc/../proc/7/./status"}) {
        const Found found = reach(path);
        ASSERT_TRUE(found.node) << path;
        EXPECT_EQ(found.path, "/proc/7/status");
        EXPECT_FALSE(found.fd.valid());
    }
    EXPECT_EQ(failure("/proc/1"), -ENOENT);
    EXPECT_EQ(failure("/proc/self/status/x"), -ENOTDIR);
    EXPECT_EQ(failure("/dev/mem"), -ENOENT);
    EXPECT_TRUE(reach("/dev/null").writable);
    EXPECT_TRUE(S_ISDIR(reach("/proc/self/../..").status.st_mode));
    auto started_there = FileView::create(Fd(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC)), "/proc/self");
    ASSERT_TRUE(started_there);
    EXPECT_FALSE(started_there->working_folder().fd);
    EXPECT_FALSE(started_there->working_folder().writable);
}

TEST_F(FileViewTest, OpensWhatItFound) {
    const Found found = reach("../outside/file");
    const Fd file(view_->reopen(found.fd, O_RDONLY));
    ASSERT_TRUE(file.valid());
    std::array<char, 16> text{};
    EXPECT_EQ(::read(file.get(), text.data(), text.size()), 7);
    EXPECT_EQ(view_->reopen(reach("a").fd, O_WRONLY), -EISDIR);
}

// A program that changes folders into links and back while it walks gains nothing.
TEST_F(FileViewTest, RacesDoNotOpenTheOutside) {
    fs::create_directories(base_ / "work/real/c");
    std::ofstream(base_ / "work/real/file") << "inside";
    fs::create_directory_symlink("../outside", base_ / "work/fake");
    fs::create_directory_symlink("real", base_ / "work/swap");
    std::atomic<bool> stop{false};
    std::thread swapper([&] {
        while (!stop) {
            for (const char* target : {"real", "fake"}) {
                std::error_code ignored;
                fs::create_directory_symlink(target, base_ / "work/next", ignored);
                fs::rename(base_ / "work/next", base_ / "work/swap", ignored);
            }
        }
    });
    const ino_t outside = reach("../outside/file").status.st_ino;
    for (int i = 0; i < 3000; ++i) {
        Found found;
        if (find(i % 2 == 0 ? "swap/file" : "swap/c/../file", found) != 0) continue;
        EXPECT_EQ(found.writable, found.status.st_ino != outside);
    }
    stop = true;
    swapper.join();
}

}  // namespace
}  // namespace divisi::hv
