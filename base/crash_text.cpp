#include "base/crash_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string_view>

namespace divisi {
namespace {

// The record comes from another process: what is not as it should be is left out.
std::string text(const json::object& object, std::string_view name) {
    auto value = string_field_or(object, name, {});
    return value ? std::move(*value) : std::string();
}

std::uint64_t number(const json::object& object, std::string_view name) {
    const auto value = uint_field_or(object, name, 0);
    return value ? *value : 0;
}

std::uint64_t address(const json::object& object, std::string_view name) {
    const std::string hex = text(object, name);
    std::uint64_t value = 0;
    if (hex.starts_with("0x")) std::from_chars(hex.data() + 2, hex.data() + hex.size(), value, 16);
    return value;
}

std::vector<std::string> register_lines(const json::object& registers) {
    constexpr std::size_t kColumns = 4;
    std::vector<std::string> lines;
    std::size_t column = 0;
    for (const auto& item : registers) {
        if (column++ % kColumns == 0) lines.emplace_back();
        const std::string_view name(item.key().data(), item.key().size());
        lines.back() += fmt::format("{}{:>3} {:016x}", lines.back().empty() ? "" : "  ",
                                    name == "rflags" ? "flg" : name, address(registers, name));
    }
    return lines;
}

}  // namespace

std::string signal_name(std::uint64_t signo) {
    const char* name = signo > 64 ? nullptr : ::sigabbrev_np(static_cast<int>(signo));
    const char* description = signo > 64 ? nullptr : ::sigdescr_np(static_cast<int>(signo));
    if (name == nullptr || description == nullptr) return fmt::format("signal {}", signo);
    return fmt::format("SIG{} ({})", name, description);
}

std::string crash_headline(const json::object& fault) {
    std::string thread = fmt::format("thread {}", number(fault, "thread"));
    if (const std::string name = text(fault, "thread_name"); !name.empty()) thread += " '" + name + "'";
    std::string line = fmt::format("rank {} (node {}, {}): {}", number(fault, "rank"), number(fault, "node"), thread,
                                   signal_name(number(fault, "signal")));
    if (const std::string detail = text(fault, "detail"); !detail.empty()) line += ": " + detail + ",";
    if (const std::string at = text(fault, "address"); !at.empty()) line += " at address " + at + ",";
    if (const std::string symbol = text(fault, "symbol"); !symbol.empty()) line += " in " + symbol + ",";
    return line + " rip " + text(fault, "rip");
}

std::vector<std::string> backtrace_lines(const json::object& with_backtrace) {
    std::vector<std::string> lines;
    const auto frames = array_field(with_backtrace, "backtrace");
    if (!frames) return lines;
    for (const json::value& value : **frames) {
        const json::object* frame = value.if_object();
        if (frame == nullptr) continue;
        const std::string symbol = text(*frame, "symbol");
        const std::string source = text(*frame, "source");
        lines.push_back(fmt::format("#{:<2} {:#018x} {}{}{}", lines.size(), address(*frame, "pc"),
                                    symbol.empty() ? "??" : symbol, source.empty() ? "" : " at ", source));
    }
    return lines;
}

std::vector<std::string> crash_details(const json::object& fault) {
    std::vector<std::string> lines = backtrace_lines(fault);
    if (const auto registers = object_field(fault, "registers")) {
        for (std::string& line : register_lines(**registers)) lines.push_back(std::move(line));
    }
    if (const std::string core = text(fault, "core"); !core.empty()) lines.push_back("core file: " + core);
    return lines;
}

std::vector<std::string> deadlock_lines(const json::object& deadlock) {
    // Of very many ranks the first ones show it.
    constexpr std::size_t kMost = 64;
    std::vector<std::string> lines{"deadlock: every rank waits, and none can go on"};
    const auto ranks = array_field(deadlock, "ranks");
    if (!ranks) return lines;
    for (const json::value& item : **ranks) {
        if (!item.is_object()) continue;
        if (lines.size() > kMost) {
            lines.push_back(fmt::format("  … and {} more ranks", (*ranks)->size() - kMost));
            break;
        }
        const json::object& rank = item.get_object();
        lines.push_back(
            fmt::format("  rank {} (node {}) {}", number(rank, "rank"), number(rank, "node"), text(rank, "text")));
    }
    return lines;
}

}  // namespace divisi
