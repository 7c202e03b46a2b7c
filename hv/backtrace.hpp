// How a thread got where it is.
#pragma once

#include <string>
#include <vector>

#include "hv/layout.hpp"

namespace divisi::hv {

struct StackFrame {
    Gva pc = 0;
    std::string symbol;  // "main+0x12", "helper (inlined)"; empty where none is known
    std::string source;  // "file.c:12"; empty where there is no debug information
};
using Backtrace = std::vector<StackFrame>;  // innermost first

}  // namespace divisi::hv
