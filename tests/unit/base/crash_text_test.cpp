#include "base/crash_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace divisi {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

json::object fault() {
    return {
        {"rank", 3},
        {"node", 4},
        {"thread", 1},
        {"thread_name", "worker"},
        {"signal", 11},
        {"address", "0x0"},
        {"rip", "0x401136"},
        {"symbol", "main+0x12"},
        {"detail", "null pointer"},
        {"registers", {{"rax", "0x1"}, {"rbx", "0x2"}, {"rcx", "0x3"}, {"rdx", "0x4"}, {"r8", "0xffffffffffffffff"}}},
        {"backtrace",
         {{{"pc", "0x401136"}, {"symbol", "main+0x12"}, {"source", "prog.c:12"}},
          {{"pc", "0x401200"}, {"symbol", ""}, {"source", ""}}}}};
}

TEST(CrashText, NamesSignalsAndTheirMeaning) {
    EXPECT_EQ(signal_name(11), "SIGSEGV (Segmentation fault)");
    EXPECT_EQ(signal_name(0), "signal 0");
    EXPECT_EQ(signal_name(UINT64_MAX), "signal 18446744073709551615");
}

TEST(CrashText, SaysInOneLineWhoDiedOfWhatAndWhere) {
    EXPECT_EQ(crash_headline(fault()),
              "rank 3 (node 4, thread 1 'worker'): SIGSEGV (Segmentation fault): null pointer, at address 0x0, in "
              "main+0x12, rip 0x401136");
}

TEST(CrashText, LeavesOutWhatIsNotKnown) {
    EXPECT_EQ(crash_headline({{"rank", 0}, {"node", 1}, {"signal", 6}, {"rip", "0x1"}, {"address", 7}}),
              "rank 0 (node 1, thread 0): SIGABRT (Aborted) rip 0x1");
    EXPECT_THAT(crash_details({{"backtrace", "none"}, {"registers", nullptr}}), IsEmpty());
}

TEST(CrashText, GivesBacktraceAndRegisters) {
    EXPECT_THAT(crash_details(fault()),
                ElementsAre("#0  0x0000000000401136 main+0x12 at prog.c:12", "#1  0x0000000000401200 ??",
                            "rax 0000000000000001  rbx 0000000000000002  rcx 0000000000000003  rdx 0000000000000004",
                            " r8 ffffffffffffffff"));
}

}  // namespace
}  // namespace divisi
