#include "ctl/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/printable.hpp"

namespace divisi::ctl {

void report(const Error& error) {
    // A policy's error has a line for each problem.
    const std::string message = error.message();
    for (std::size_t start = 0; start <= message.size();) {
        const std::size_t end = std::min(message.find('\n', start), message.size());
        fmt::print(stderr, "divisi: {}\n", printable(std::string_view(message).substr(start, end - start)));
        start = end + 1;
    }
}

void note(const std::string& text) {
    fmt::print(stderr, "divisi: note: {}\n", printable(text));
}

}  // namespace divisi::ctl
