// What is told of a fault that ended a program.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.hpp"
#include "hv/backtrace.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

struct FaultReport {
    std::uint32_t node = 0;
    int thread = 0;  // its number in the program, from 0
    std::string thread_name;
    int signo = 0;
    int code = 0;              // siginfo's si_code
    Gva address = 0;           // siginfo's si_addr
    bool has_address = false;  // whether the signal comes with one
    Registers registers;
    std::string symbol;  // of the instruction
    std::string detail;  // "null pointer", "writing memory that does not allow it", …
    Backtrace backtrace;
    std::string core;  // its file's name, or why there is none; empty where none was asked for
};

// As docs/vmm-protocol.md has it, but for the rank.
json::object to_json(const FaultReport& fault);
json::array to_json(const Backtrace& backtrace);
json::object to_json(const Registers& registers);

}  // namespace divisi::hv
