#include "base/quantity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace divisi {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Quantity, ReadsEverySizeUnit) {
    EXPECT_EQ(*parse_size("7B"), 7U);
    EXPECT_EQ(*parse_size("3KiB"), 3072U);
    EXPECT_EQ(*parse_size("64MiB"), 64U << 20U);
    EXPECT_EQ(*parse_size("1GiB"), 1U << 30U);
    EXPECT_EQ(*parse_size("2TiB"), 2ULL << 40U);
    EXPECT_EQ(*parse_size("3kB"), 3000U);
    EXPECT_EQ(*parse_size("4MB"), 4000000U);
    EXPECT_EQ(*parse_size("5GB"), 5000000000U);
    EXPECT_EQ(*parse_size("6TB"), 6000000000000U);
}

TEST(Quantity, ReadsEveryDurationUnit) {
    EXPECT_EQ(*parse_duration("15ns"), 15ns);
    EXPECT_EQ(*parse_duration("2us"), 2us);
    EXPECT_EQ(*parse_duration("3ms"), 3ms);
    EXPECT_EQ(*parse_duration("4s"), 4s);
    EXPECT_EQ(*parse_duration("0s"), 0s);
}

TEST(Quantity, ReadsEveryBandwidthUnitAsBitsPerSecond) {
    EXPECT_EQ(*parse_bandwidth("9bit/s"), 9U);
    EXPECT_EQ(*parse_bandwidth("1kbit/s"), 1000U);
    EXPECT_EQ(*parse_bandwidth("1Mbit/s"), 1000000U);
    EXPECT_EQ(*parse_bandwidth("10Gbit/s"), 10000000000U);
    EXPECT_EQ(*parse_bandwidth("1Tbit/s"), 1000000000000U);
    EXPECT_EQ(*parse_bandwidth("1B/s"), 8U);
    EXPECT_EQ(*parse_bandwidth("1kB/s"), 8000U);
    EXPECT_EQ(*parse_bandwidth("1MB/s"), 8000000U);
    EXPECT_EQ(*parse_bandwidth("1GB/s"), 8000000000U);
}

TEST(Quantity, AllowsDecimalsAndASpaceBeforeTheUnit) {
    EXPECT_EQ(*parse_size("1.5KiB"), 1536U);
    EXPECT_EQ(*parse_size("64 MiB"), 64U << 20U);
    EXPECT_EQ(*parse_duration("1.5us"), 1500ns);
    EXPECT_EQ(*parse_duration("0.25ns"), 0ns);
    EXPECT_EQ(*parse_duration("0.6ns"), 1ns);
}

TEST(Quantity, RefusesABareNumberAndSaysHowToWriteIt) {
    const auto size = parse_size("64");
    ASSERT_FALSE(size);
    EXPECT_TRUE(size.error().is(Errc::kUsage));
    EXPECT_THAT(size.error().message(), HasSubstr("'64'"));
    EXPECT_THAT(size.error().message(), HasSubstr("without its unit"));
    EXPECT_THAT(size.error().message(), HasSubstr("64MiB"));
    EXPECT_FALSE(parse_duration("2"));
    EXPECT_FALSE(parse_bandwidth("10"));
}

TEST(Quantity, RefusesUnknownAndMisspeltUnits) {
    for (const char* text : {"1mib", "1MIB", "1Mib", "1M", "1KB", "1Kib", "1PiB", "1 B B", "1MiBs", "1bit", "1%", "1é"})
        EXPECT_FALSE(parse_size(text)) << text;
    for (const char* text : {"1m", "1min", "1sec", "1S", "1µs", "1h"}) EXPECT_FALSE(parse_duration(text)) << text;
    for (const char* text : {"1bps", "1Gb/s", "1Gbit", "1GB", "1gbit/s"}) EXPECT_FALSE(parse_bandwidth(text)) << text;
    EXPECT_THAT(parse_size("1PiB").error().message(), HasSubstr("unknown unit 'PiB'"));
}

TEST(Quantity, RefusesWhatIsNoNumber) {
    for (const char* text : {"", " ", "MiB", "-1MiB", "-0MiB", "+1MiB", " 1MiB", "1MiB ", "0x10MiB", "1e3MiB", "1,5MiB",
                             "1..5MiB", "--1MiB", "nanMiB", "infMiB", "infinityMiB", "NANB", "one MiB", "\xff\xfe"})
        EXPECT_FALSE(parse_size(text)) << text;
    EXPECT_FALSE(parse_size(std::string_view("1\0MiB", 5)));
}

TEST(Quantity, RefusesWhatIsTooLarge) {
    EXPECT_EQ(*parse_size("8191TiB"), 8191ULL << 40U);
    EXPECT_EQ(*parse_size("8192TiB"), 8192ULL << 40U);
    EXPECT_FALSE(parse_size("8193TiB"));
    EXPECT_FALSE(parse_size("99999999999999999999TiB"));
    EXPECT_FALSE(parse_size(std::string(400, '9') + "B"));
    EXPECT_FALSE(parse_duration("9007200s"));
    EXPECT_FALSE(parse_bandwidth("99999999Tbit/s"));
}

TEST(Quantity, RefusesAFractionOfAByte) {
    EXPECT_THAT(parse_size("1.5B").error().message(), HasSubstr("whole number of bytes"));
    EXPECT_FALSE(parse_size("0.1KiB"));
    EXPECT_TRUE(parse_size("0.5KiB"));
}

TEST(Quantity, RefusesABandwidthOfLessThanABit) {
    EXPECT_FALSE(parse_bandwidth("0.5bit/s"));
    EXPECT_EQ(*parse_bandwidth("0bit/s"), 0U);
}

TEST(Quantity, WritesSizesExactlyInTheLargestUnitThatFits) {
    EXPECT_EQ(format_size(0), "0B");
    EXPECT_EQ(format_size(1023), "1023B");
    EXPECT_EQ(format_size(1024), "1KiB");
    EXPECT_EQ(format_size(1536), "1536B");
    EXPECT_EQ(format_size(64U << 20U), "64MiB");
    EXPECT_EQ(format_size(3ULL << 41U), "6TiB");
    EXPECT_EQ(format_size(1ULL << 60U), "1048576TiB");
    for (const std::uint64_t size : {0ULL, 1ULL, 4096ULL, 5000ULL, 1ULL << 52U})
        EXPECT_EQ(*parse_size(format_size(size)), size);
}

TEST(Quantity, WritesMeasuredSizesInThreeDigits) {
    EXPECT_EQ(format_size_rounded(0), "0B");
    EXPECT_EQ(format_size_rounded(999), "999B");
    EXPECT_EQ(format_size_rounded(1000), "0.977KiB");
    EXPECT_EQ(format_size_rounded(24'934'567'890), "23.2GiB");
    EXPECT_EQ(format_size_rounded(1ULL << 50U), "1024TiB");
}

TEST(Quantity, WritesDurationsInThreeDigitsAndTheFittingUnit) {
    EXPECT_EQ(format_duration(0ns), "0ns");
    EXPECT_EQ(format_duration(999ns), "999ns");
    EXPECT_EQ(format_duration(1us), "1us");
    EXPECT_EQ(format_duration(41234ns), "41.2us");
    EXPECT_EQ(format_duration(1500ms), "1.5s");
    EXPECT_EQ(format_duration(-3ms), "-3ms");
}

TEST(Quantity, WritesNoDurationWithAnExponent) {
    EXPECT_EQ(format_duration(999'500ns), "1ms");
    EXPECT_EQ(format_duration(999'999'999ns), "1s");
    EXPECT_EQ(format_duration(1234s), "1234s");
    EXPECT_EQ(format_duration(86400s), "86400s");
}

}  // namespace
}  // namespace divisi
