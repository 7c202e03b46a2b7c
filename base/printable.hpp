// Text from outside, made fit for a terminal and for a line of a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace divisi {

// The length in bytes of the UTF-8 character at the front of `text`; 0 where there is none: at the end, in the middle
// of a character, at an overlong form, a surrogate, or beyond U+10FFFF.
std::size_t utf8_length(std::string_view text);

// `text` with '?' for each byte that is not UTF-8: what others read may hold no such bytes, a JSON document above all.
std::string as_utf8(std::string_view text);

// `text` with '?' for everything that a terminal would act on or could not show: control characters (C0, DEL, C1, line
// breaks included), marks that change the direction of writing, and bytes that are not UTF-8.
std::string printable(std::string_view text);

}  // namespace divisi
