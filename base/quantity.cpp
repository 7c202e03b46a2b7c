#include "base/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace divisi {
namespace {

struct Unit {
    std::string_view name;
    double scale;
};

constexpr std::array<Unit, 9> kSizes{{{"B", 1},
                                      {"KiB", 1024.0},
                                      {"MiB", 1048576.0},
                                      {"GiB", 1073741824.0},
                                      {"TiB", 1099511627776.0},
                                      {"kB", 1e3},
                                      {"MB", 1e6},
                                      {"GB", 1e9},
                                      {"TB", 1e12}}};
constexpr std::array<Unit, 4> kDurations{{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
constexpr std::array<Unit, 9> kBandwidths{{{"bit/s", 1},
                                           {"kbit/s", 1e3},
                                           {"Mbit/s", 1e6},
                                           {"Gbit/s", 1e9},
                                           {"Tbit/s", 1e12},
                                           {"B/s", 8},
                                           {"kB/s", 8e3},
                                           {"MB/s", 8e6},
                                           {"GB/s", 8e9}}};

// 2^53: beyond it a double no longer counts every byte, and no machine has it.
constexpr double kLargest = 9007199254740992.0;

Result<double> parse(std::string_view text, std::span<const Unit> units, std::string_view example) {
    const auto refuse = [&](std::string why) {
        return make_error(Errc::kUsage, std::move(why), fmt::format("'{}'", text),
                          fmt::format("write it as {}", example));
    };
    double number = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, status] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (status != std::errc{} || text.front() == '-' || !std::isfinite(number)) return refuse("not a quantity");
    std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
    if (suffix.empty()) return refuse("a number without its unit");
    for (const Unit& unit : units) {
        if (unit.name != suffix) continue;
        const double value = number * unit.scale;
        if (value > kLargest) return refuse("too large");
        return value;
    }
    return refuse(fmt::format("unknown unit '{}'", suffix));
}

// This and more would round to four digits.
constexpr double kFourDigits = 999.5;

// Without an exponent, which `g` would give to what has four digits.
std::string three_digits(double number) {
    return std::abs(number) >= kFourDigits ? fmt::format("{:.0f}", number) : fmt::format("{:.3g}", number);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    DIVISI_TRY_ASSIGN(const double value, parse(text, kSizes, "64MiB (B, KiB, MiB, GiB, TiB, kB, MB, GB, TB)"));
    if (value != std::floor(value))
        return make_error(Errc::kUsage, "not a whole number of bytes", fmt::format("'{}'", text));
    return static_cast<std::uint64_t>(value);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    DIVISI_TRY_ASSIGN(const double value, parse(text, kDurations, "2us (ns, us, ms, s)"));
    return std::chrono::nanoseconds(std::llround(value));
}

Result<std::uint64_t> parse_bandwidth(std::string_view text) {
    DIVISI_TRY_ASSIGN(const double value, parse(text, kBandwidths, "10Gbit/s (bit/s … Tbit/s, B/s … GB/s)"));
    if (value > 0 && value < 1)
        return make_error(Errc::kUsage, "less than a bit per second", fmt::format("'{}'", text));
    return static_cast<std::uint64_t>(value);
}

std::string format_size(std::uint64_t bytes) {
    std::size_t power = 0;
    while (power < 4 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++power;
    }
    return fmt::format("{}{}", bytes, kSizes.at(power).name);
}

std::string format_size_rounded(std::uint64_t bytes) {
    auto amount = static_cast<double>(bytes);
    std::size_t power = 0;
    while (power < 4 && amount >= kFourDigits) {
        amount /= 1024;
        ++power;
    }
    return three_digits(amount) + std::string(kSizes.at(power).name);
}

std::string format_duration(std::chrono::nanoseconds duration) {
    const auto nanoseconds = static_cast<double>(duration.count());
    std::size_t unit = 0;
    while (unit + 1 < kDurations.size() && std::abs(nanoseconds) / kDurations.at(unit).scale >= kFourDigits) ++unit;
    return three_digits(nanoseconds / kDurations.at(unit).scale) + std::string(kDurations.at(unit).name);
}

}  // namespace divisi
