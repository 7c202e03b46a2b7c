#include "hv/file_view.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
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
// One of the host's that is no scratch folder, even where the tests run in one; empty: there is none.
fs::path folder_that_is_seen() {
    const char* const home = std::getenv("HOME");
    for (const fs::path& folder :
         {fs::current_path(), fs::path(home == nullptr ? "/root" : home), fs::path("/var/cache"), fs::path("/run")}) {
        const auto in = [path = folder.string() + "/"](const char* scratch) { return path.starts_with(scratch); };
        if (!in("/tmp/") && !in("/var/tmp/") && !in("/dev/shm/") && ::access(folder.c_str(), W_OK) == 0) return folder;
    }
    return {};
}

class FileViewTest : public testing::Test {
protected:
    void SetUp() override {
        const fs::path seen = folder_that_is_seen();
        if (seen.empty()) GTEST_SKIP() << "no folder outside of the scratch folders can be written";
        std::string name = seen / "file-view-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        base_ = fs::canonical(name);
        for (const char* folder :
             {"work/a/b", "outside/c", "outside/d/e", "scratch/tmp", "scratch/var-tmp", "scratch/shm"})
            fs::create_directories(base_ / folder);
        std::ofstream(base_ / "work/file") << "inside";
        std::ofstream(base_ / "outside/file") << "outside";
        look({});
    }
    void TearDown() override {
        if (!base_.empty()) fs::remove_all(base_);
    }

    void look(FileRules rules, const char* working_folder = "work", std::string program = {}) {
        auto view = FileView::create(spec(std::move(rules), working_folder, std::move(program)));
        ASSERT_TRUE(view) << view.error().message();
        view_.emplace(std::move(*view));
    }
    [[nodiscard]] FilePlacesSpec spec(FileRules rules, const char* working_folder, std::string program = {}) const {
        return {std::make_shared<const Fd>(open_folder(working_folder)), "", std::move(rules), std::move(program),
                std::make_shared<const Fd>(open_folder("scratch"))};
    }
    [[nodiscard]] std::string at(const char* name) const { return (base_ / name).string(); }
    // The names that a listing of the folder is to have; nothing where it is the host's.
    [[nodiscard]] std::optional<std::vector<std::string>> names_in(const std::string& path) const {
        const Found found = reach(path);
        const auto entries = view_->list(found.fd, found.region);
        if (!entries) return std::nullopt;
        std::vector<std::string> names;
        for (const VirtualEntry& entry : *entries) names.push_back(entry.name);
        return names;
    }
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
    EXPECT_FALSE(reach("/tmp").parent.writable());
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
    EXPECT_TRUE(found.parent.writable());
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
    EXPECT_FALSE(reach("a/out/new").parent.writable());
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
    EXPECT_FALSE(found.parent.writable());
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
    const ViewFolder opened{std::make_shared<const Fd>(open_folder("work/a/b")), (base_ / "work/a/b").string(),
                            view_->working_folder().region};
    fs::rename(base_ / "work/a/b", base_ / "work/b");
    Found found;
    ASSERT_EQ(view_->find(opened, "../../outside/file", Last::kFollow, made_up_, found), 0);
    EXPECT_FALSE(found.writable);
    Found above;
    ASSERT_EQ(view_->find(opened, "../../new", Last::kFollow, made_up_, above), 0);
    EXPECT_FALSE(above.parent.writable());
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
    FilePlacesSpec spec;
    spec.working_folder = std::make_shared<const Fd>(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
    auto started_there = FileView::create(std::move(spec));
    ASSERT_TRUE(started_there);
    EXPECT_FALSE(started_there->working_folder().fd);
    EXPECT_FALSE(started_there->working_folder().writable());
}

TEST_F(FileViewTest, OpensWhatItFound) {
    const Found found = reach("../outside/file");
    const Fd file(view_->reopen(found.fd, O_RDONLY));
    ASSERT_TRUE(file.valid());
    std::array<char, 16> text{};
    EXPECT_EQ(::read(file.get(), text.data(), text.size()), 7);
    EXPECT_EQ(view_->reopen(reach("a").fd, O_WRONLY), -EISDIR);
}

// ---- what a policy's files section says ----

TEST_F(FileViewTest, WhatIsHiddenDoesNotExist) {
    look({{at("outside/d"), "a", at("outside/later")}, {"/"}, {"."}});
    EXPECT_EQ(failure(at("outside/d")), -ENOENT);
    EXPECT_EQ(failure(at("outside/d/e")), -ENOENT);
    EXPECT_EQ(failure("../outside/d/new"), -ENOENT);
    EXPECT_EQ(failure("a"), -ENOENT);
    EXPECT_EQ(failure("a/b"), -ENOENT);
    EXPECT_EQ(failure("a", Last::kEntry), -ENOENT);
    // By other names, and when it comes to be there later.
    link("../outside/d", "work/d");
    EXPECT_EQ(failure("d/e"), -ENOENT);
    fs::create_directories(base_ / "outside/later");
    EXPECT_EQ(failure("../outside/later"), -ENOENT);
    EXPECT_EQ(names_in(at("outside")), (std::vector<std::string>{".", "..", "file", "c"}));
    EXPECT_EQ(names_in(at("outside/c")), std::nullopt);
    EXPECT_EQ(failure("../outside/file"), 0);
}

TEST_F(FileViewTest, NothingButWhatIsNamedCanBeSeen) {
    link("outside", "way");
    look({{}, {at("way/d")}, {"."}});
    EXPECT_FALSE(reach(at("outside/d/e")).writable);
    EXPECT_EQ(reach(at("way/d/e")).path, at("outside/d/e"));
    EXPECT_TRUE(reach("a/b").writable);
    EXPECT_TRUE(reach("/tmp").writable);
    EXPECT_TRUE(reach("/dev/null").writable);
    for (const char* path : {"/etc", "/etc/passwd", "/usr"}) EXPECT_EQ(failure(path), -ENOENT);
    EXPECT_EQ(failure("../outside/file"), -ENOENT);
    EXPECT_EQ(failure("../outside/new"), -ENOENT);
    EXPECT_EQ(failure("../outside/d/../c"), -ENOENT);
    EXPECT_EQ(reach("../outside/d/../../work/a").path, at("work/a"));
    EXPECT_EQ(names_in(".."), (std::vector<std::string>{".", "..", "outside", "way", "work"}));
    EXPECT_EQ(names_in("../outside"), (std::vector<std::string>{".", "..", "d"}));
}

TEST_F(FileViewTest, TheNearestRuleCounts) {
    look({{at("outside")}, {"/", "a", at("outside/d")}, {".", "a/b", at("outside/d/e")}});
    EXPECT_FALSE(reach("a").writable);
    EXPECT_FALSE(reach("a/new").parent.writable());
    EXPECT_TRUE(reach("a/b/new").parent.writable());
    EXPECT_FALSE(reach("a/b/../new").parent.writable());
    EXPECT_TRUE(reach("a/b/../../new").parent.writable());
    EXPECT_FALSE(reach(at("outside/d")).writable);
    EXPECT_TRUE(reach(at("outside/d/e")).writable);
    EXPECT_EQ(failure(at("outside/file")), -ENOENT);
    // A root, and the way to one, stays where it is.
    EXPECT_TRUE(reach("a").fixed);
    EXPECT_TRUE(reach("a/b").fixed);
    EXPECT_FALSE(reach("file").fixed);
}

TEST_F(FileViewTest, ADeepPathTakesNoShortcutPastAHiddenFolder) {
    fs::create_directories(base_ / "work/a/b/c/d");
    look({{"a/b/c"}, {"/"}, {"."}});
    EXPECT_EQ(failure("a/b/c/d"), -ENOENT);
    EXPECT_EQ(failure("a/b/c/d/new"), -ENOENT);
    EXPECT_TRUE(reach("a").fixed);
    look({{}, {"/", "a/b/c"}, {"."}});
    EXPECT_FALSE(reach("a/b/c/d/new").parent.writable());
}

TEST_F(FileViewTest, TheStricterOfTwoRulesForOnePlaceCounts) {
    look({{}, {"/", "."}, {at("work")}});
    EXPECT_FALSE(reach("file").writable);
    const auto hidden = FileView::create(spec({{at("outside/../work")}, {"/"}, {"."}}, "work"));
    ASSERT_FALSE(hidden);
    EXPECT_TRUE(hidden.error().is(Errc::kUsage));
    EXPECT_FALSE(FileView::create(spec({{}, {"/"}, {at("missing")}}, "work")));
    EXPECT_TRUE(FileView::create(spec({{at("missing")}, {"/", at("missing")}, {}}, "work")));
}

TEST_F(FileViewTest, ScratchFoldersAreTheJobsOwn) {
    std::ofstream(base_ / "scratch/tmp/note") << "own";
    EXPECT_TRUE(reach("/tmp/note").writable);
    EXPECT_EQ(reach("/tmp/note").path, "/tmp/note");
    EXPECT_EQ(reach("/tmp/..").path, "/");
    EXPECT_EQ(reach("/var/tmp/../../tmp/note").path, "/tmp/note");
    EXPECT_EQ(reach("/dev/shm/..").path, "/dev");
    EXPECT_TRUE(reach("/tmp").fixed);
    // Unless a rule names them.
    look({{"/var/tmp"}, {"/", "/dev/shm"}, {".", "/tmp"}});
    EXPECT_EQ(failure("/var/tmp"), -ENOENT);
    EXPECT_FALSE(reach("/dev/shm").writable);
    EXPECT_TRUE(reach("/tmp").writable);
    EXPECT_FALSE(reach("/tmp/note").exists());
}

TEST_F(FileViewTest, AWorkingFolderInAScratchFolderOfTheHostsIsInTheJobsOwn) {
    std::string name = "/tmp/file-view-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    const fs::path real = fs::canonical(name);
    fs::create_directories(real / "in/work");
    fs::create_directories(real / "other");
    std::ofstream(real / "in/work/file") << "x";
    std::ofstream(real / "program") << "x";
    FilePlacesSpec places = spec({}, "work", real / "program");
    places.working_folder = std::make_shared<const Fd>(::open((real / "in/work").c_str(), O_PATH | O_CLOEXEC));
    auto view = FileView::create(std::move(places));
    ASSERT_TRUE(view) << view.error().message();
    view_.emplace(std::move(*view));
    EXPECT_TRUE(reach("file").exists());
    EXPECT_TRUE(reach((real / "in/work/file").string()).writable);
    EXPECT_EQ(reach("..").path, (real / "in").string());
    EXPECT_TRUE(reach("../../in/work/file").exists());
    EXPECT_TRUE(reach("..").writable);
    EXPECT_EQ(failure("../../other/new"), -ENOENT);
    EXPECT_TRUE(reach((real / "in").string()).fixed);
    EXPECT_TRUE(reach((real / "in/work").string()).fixed);
    EXPECT_TRUE(reach((real / "program").string()).exists());
    EXPECT_FALSE(reach((real / "program").string()).writable);
    EXPECT_TRUE(fs::is_empty(real / "other"));
    fs::remove_all(real);
}

TEST_F(FileViewTest, AProgramCanReadItsOwnFileWhateverIsHidden) {
    look({{}, {}, {"."}}, "work", at("outside/file"));
    EXPECT_TRUE(reach(at("outside/file")).exists());
    EXPECT_FALSE(reach(at("outside/file")).writable);
    EXPECT_EQ(failure(at("outside/c")), -ENOENT);
    EXPECT_EQ(failure(at("outside/file.too")), -ENOENT);
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
