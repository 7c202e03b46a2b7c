// "Did you mean …?": the known word closest to one that was mistyped.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace divisi {

// The candidate with the fewest edits from `word` (Damerau-Levenshtein, case ignored), if it is near enough to be
// meant; else empty. The result views into `candidates`.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace divisi
