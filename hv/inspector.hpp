// Looks at a program from outside: where its threads are, and how they got there.
//
// Threads: one at a time; the program may be running meanwhile, and what is read of its memory is then as it was at
// some moment or other.
#pragma once

#include <chrono>
#include <optional>

#include "hv/backtrace.hpp"
#include "hv/fault_report.hpp"
#include "hv/program.hpp"
#include "hv/unwind/unwinder.hpp"
#include "hv/unwind/wire.hpp"

namespace divisi::hv {

class Inspector {
public:
    // `program` is lent. All backtraces together take no longer than `patience`; what is late is left out.
    Inspector(const Program& program, std::chrono::milliseconds patience);

    // The innermost frames, at most `most`; the first is always there.
    Backtrace backtrace(const Registers& registers, std::size_t most);

private:
    Result<Backtrace> unwind(const Registers& registers, std::size_t most);

    const Program& program_;
    std::chrono::steady_clock::time_point deadline_;
    std::optional<Unwinder> unwinder_;
    bool usable_ = true;
};

}  // namespace divisi::hv
