#include "base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace divisi {
namespace {

TEST(Error, RendersObjectOperationCauseAndHint) {
    EXPECT_EQ(system_error(ENOENT, "cannot open", "a/b", "make it first").message(),
              "a/b: cannot open: No such file or directory (make it first)");
}

TEST(Error, LeavesOutEmptyParts) {
    EXPECT_EQ(system_error(EACCES, "cannot open").message(), "cannot open: Permission denied");
    EXPECT_EQ(system_error(EACCES, "", "file").message(), "file: Permission denied");
    EXPECT_EQ(system_error(EACCES, "").message(), "Permission denied");
    EXPECT_EQ(make_error(Errc::kBusy, "", "", "wait").message(), "busy (wait)");
}

TEST(Error, SaysNothingTwiceForOurOwnKinds) {
    EXPECT_EQ(make_error(Errc::kNotFound, "no such topology", "quad32").message(), "quad32: no such topology");
    EXPECT_EQ(make_error(Errc::kNotFound, "", "quad32").message(), "quad32: not found");
}

TEST(Error, MapsItsKindToTheExitCode) {
    EXPECT_EQ(make_error(Errc::kFailed, "").exit_code(), 1);
    EXPECT_EQ(make_error(Errc::kUsage, "").exit_code(), 2);
    EXPECT_EQ(make_error(Errc::kInvalidPolicy, "").exit_code(), 3);
    EXPECT_EQ(make_error(Errc::kInsufficient, "").exit_code(), 4);
    EXPECT_EQ(make_error(Errc::kUnreachable, "").exit_code(), 5);
    for (const Errc errc :
         {Errc::kNotFound, Errc::kExists, Errc::kBusy, Errc::kUnsupported, Errc::kProtocol, Errc::kBadImage})
        EXPECT_EQ(make_error(errc, "").exit_code(), 1);
    // An errno is no exit code, even where its number is one.
    EXPECT_EQ(system_error(EIO, "").exit_code(), 1);
    EXPECT_EQ(system_error(EINTR, "").exit_code(), 1);
}

TEST(Error, KnowsItsKind) {
    const Error busy = make_error(Errc::kBusy, "");
    EXPECT_TRUE(busy.is(Errc::kBusy));
    EXPECT_FALSE(busy.is(Errc::kExists));
    EXPECT_EQ(busy.cause, Errc::kBusy);
    // EPERM has the value of kFailed, in another category.
    EXPECT_FALSE(system_error(EPERM, "").is(Errc::kFailed));
}

TEST(Error, NamesEveryKindInItsCategory) {
    for (int value = static_cast<int>(Errc::kFailed); value <= static_cast<int>(Errc::kBadImage); ++value)
        EXPECT_NE(divisi_category().message(value), "unknown") << value;
    EXPECT_EQ(divisi_category().message(999), "unknown");
    EXPECT_STREQ(divisi_category().name(), "divisi");
}

}  // namespace
}  // namespace divisi
