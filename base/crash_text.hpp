// What is told to people of what ended a program, from its record in a job's report (docs/vmm-protocol.md).
// One text for all who tell it: divisi, to whom waits for the job; divisi-vmm, into a detached job's log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace divisi {

// "SIGSEGV (Segmentation fault)".
std::string signal_name(std::uint64_t signo);

// "rank 3 (node 3, thread 1 'worker'): SIGSEGV (Segmentation fault): null pointer, at address 0x0, in main+0x12,
// rip 0x401136".
std::string crash_headline(const json::object& fault);
// A line a frame: "#0 0x0000000000401136 main+0x12 at prog.c:12".
std::vector<std::string> backtrace_lines(const json::object& with_backtrace);
// The backtrace, the registers, four to a line, and what became of the core file.
std::vector<std::string> crash_details(const json::object& fault);

// What is told of a deadlock, from its record in a report: that there is one, and a line a rank.
std::vector<std::string> deadlock_lines(const json::object& deadlock);

}  // namespace divisi
