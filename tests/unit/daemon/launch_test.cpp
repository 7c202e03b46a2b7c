#include "daemon/api/launch.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

#include "temporary_folder.hpp"

namespace divisi::api {
namespace {

using daemon::TemporaryFolder;
using testing::HasSubstr;

struct Pipe {
    Fd read;
    Fd write;
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
        read = Fd(ends[0]);
        write = Fd(ends[1]);
    }
};

Deadline soon() {
    return Clock::now() + std::chrono::seconds(30);
}

TEST(StartReport, ReadsBackWhatWasWritten) {
    const Pipe pipe;
    write_start_report(pipe.write.get(), json::object{{"pid", 3}});
    const auto report = read_start_report(pipe.read.get(), soon());
    ASSERT_TRUE(report);
    EXPECT_EQ(report->at("pid"), 3);
}

TEST(StartReport, CarriesAnError) {
    const Pipe pipe;
    write_start_report(pipe.write.get(), make_error(Errc::kInsufficient, "no room"));
    const auto report = read_start_report(pipe.read.get(), soon());
    ASSERT_FALSE(report);
    EXPECT_TRUE(report.error().is(Errc::kInsufficient));
    EXPECT_EQ(report.error().message(), "no room");
}

TEST(StartReport, ThatNeverComesIsAnError) {
    Pipe pipe;
    EXPECT_THAT(read_start_report(pipe.read.get(), Clock::now()).error().message(), HasSubstr("in time"));
    const Fd cancel(::eventfd(1, EFD_CLOEXEC));
    EXPECT_THAT(read_start_report(pipe.read.get(), soon(), cancel.get()).error().message(), HasSubstr("cancelled"));
    pipe.write.reset();
    EXPECT_THAT(read_start_report(pipe.read.get(), soon()).error().message(), HasSubstr("without"));
}

TEST(StartReport, OfRubbishIsAnError) {
    for (const std::string& text : {std::string("rubbish\n"), std::string("[]\n"), std::string("{}\n"),
                                    std::string("{\"ok\": 1}\n"), std::string("{\"ok\": false}\n")}) {
        const Pipe pipe;
        ASSERT_TRUE(write_all(pipe.write.get(), text, "pipe"));
        EXPECT_FALSE(read_start_report(pipe.read.get(), soon())) << text;
    }
}

TEST(LogTail, IsWholeLinesAtTheEnd) {
    const TemporaryFolder folder;
    ASSERT_TRUE(replace_file(folder / "log", "first line\nsecond line\nthird line\n\n"));
    EXPECT_EQ(log_tail(folder / "log"), "first line\nsecond line\nthird line");
    EXPECT_EQ(log_tail(folder / "log", 16), "third line");
    EXPECT_EQ(log_tail(folder / "missing"), "");
    ASSERT_TRUE(replace_file(folder / "log", std::string(100, 'x')));
    EXPECT_EQ(log_tail(folder / "log", 10), std::string(10, 'x')) << "one long line";
}

TEST(UnixAddress, RefusesALongPath) {
    EXPECT_TRUE(unix_address(std::string(107, 'x')));
    EXPECT_FALSE(unix_address(std::string(108, 'x')));
}

}  // namespace
}  // namespace divisi::api
