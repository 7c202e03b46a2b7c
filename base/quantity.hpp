// Quantities with their units, as people write them in policies: "64MiB", "2us", "10Gbit/s".
//
// Errors: kUsage, with what would have been accepted. A bare number is refused: 64 of what?
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace divisi {

// B, KiB, MiB, GiB, TiB (powers of 1024) and kB, MB, GB, TB (powers of 1000). Whole numbers; result in bytes.
Result<std::uint64_t> parse_size(std::string_view text);
// ns, us, ms, s. Whole or decimal numbers ("1.5us"); result rounded to a nanosecond.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s, and B/s, kB/s, MB/s, GB/s. Result in bits per second.
Result<std::uint64_t> parse_bandwidth(std::string_view text);

// The shortest exact form, in the largest power of 1024 that divides it: "64MiB".
std::string format_size(std::uint64_t bytes);
// Three significant digits, for amounts that were measured rather than chosen: "23.2GiB".
std::string format_size_rounded(std::uint64_t bytes);
// Three significant digits and a unit: "41.2us", "1.5s".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace divisi
