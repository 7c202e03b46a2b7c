#include "hv/fault_report.hpp"

#include <fmt/format.h>

#include <utility>

namespace divisi::hv {
namespace {

std::string hex(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

}  // namespace

json::object to_json(const Registers& r) {
    const std::initializer_list<std::pair<const char*, std::uint64_t>> all = {
        {"rax", r.rax}, {"rbx", r.rbx}, {"rcx", r.rcx}, {"rdx", r.rdx}, {"rsi", r.rsi}, {"rdi", r.rdi},
        {"rbp", r.rbp}, {"rsp", r.rsp}, {"r8", r.r8},   {"r9", r.r9},   {"r10", r.r10}, {"r11", r.r11},
        {"r12", r.r12}, {"r13", r.r13}, {"r14", r.r14}, {"r15", r.r15}, {"rip", r.rip}, {"rflags", r.rflags}};
    json::object object;
    for (const auto& [name, value] : all) object[name] = hex(value);
    return object;
}

json::array to_json(const Backtrace& backtrace) {
    json::array frames;
    for (const StackFrame& frame : backtrace)
        frames.push_back(json::object{{"pc", hex(frame.pc)}, {"symbol", frame.symbol}, {"source", frame.source}});
    return frames;
}

json::object to_json(const FaultReport& fault) {
    json::object object{{"node", fault.node},
                        {"thread", fault.thread},
                        {"thread_name", fault.thread_name},
                        {"signal", fault.signo},
                        {"rip", hex(fault.registers.rip)},
                        {"symbol", fault.symbol},
                        {"detail", fault.detail},
                        {"registers", to_json(fault.registers)},
                        {"backtrace", to_json(fault.backtrace)}};
    if (fault.has_address) object["address"] = hex(fault.address);
    if (!fault.core.empty()) object["core"] = fault.core;
    return object;
}

}  // namespace divisi::hv
