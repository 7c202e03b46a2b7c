// /proc/cpuinfo and /sys/devices/system: the machine of a program that has as many processors as it has nodes.
//
// Every node is a core of its own, all of one package and one memory: what a program can use the knowledge for (how
// many threads to start) is right, and what it could only use wrongly (which cores share a cache) is not claimed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "hv/program.hpp"
#include "hv/virtual_table.hpp"

namespace divisi::hv {
namespace {

using Kind = VirtualNode::Kind;
using Numbers = VirtualNode::Numbers;

unsigned cpus(const VirtualContext& context) {
    return context.program.scheduler().cpus();
}

// "0-3", or "0".
std::string cpu_list(unsigned count) {
    return count == 1 ? "0\n" : fmt::format("0-{}\n", count - 1);
}

// Groups of 32 bits in hexadecimal, the highest first, as the kernel writes masks.
template <typename Has>
std::string cpu_mask(unsigned width, Has has) {
    std::string text;
    for (unsigned group = (width + 31) / 32; group-- > 0;) {
        std::uint32_t bits = 0;
        for (unsigned bit = 0; bit < 32; ++bit) {
            const unsigned cpu = group * 32 + bit;
            if (cpu < width && has(cpu)) bits |= 1U << bit;
        }
        const unsigned digits = (std::min(width - group * 32, 32U) + 3) / 4;
        text += fmt::format("{}{:0{}x}", text.empty() ? "" : ",", bits, digits);
    }
    return text + "\n";
}

// The host's words about its first processor. What of it a node must not count on is left out.
std::string host_processor() {
    std::ifstream file("/proc/cpuinfo");
    std::string block;
    for (std::string line; std::getline(file, line) && !line.empty();) block += line + "\n";
    for (const std::string_view hidden :
         {"monitor", "x2apic", "tsc_deadline_timer", "fsgsbase", "pku", "ospke", "waitpkg", "user_shstk", "uintr",
          "ibt", "amx_bf16", "amx_tile", "amx_int8", "xsaves"}) {
        const std::string word = fmt::format(" {}", hidden);
        for (std::size_t at = block.find(word); at != std::string::npos; at = block.find(word, at + 1)) {
            const char after = at + word.size() < block.size() ? block[at + word.size()] : '\n';
            if (after == ' ' || after == '\n') block.erase(at, word.size());
        }
    }
    return block;
}

std::string cpu_info(const VirtualContext& context, const Numbers& /*numbers*/) {
    const std::string host = host_processor();
    std::string text;
    for (unsigned cpu = 0; cpu < cpus(context); ++cpu) {
        std::istringstream lines(host);
        for (std::string line; std::getline(lines, line);) {
            const std::string_view key = std::string_view(line).substr(0, line.find_first_of("\t:"));
            const std::size_t value_at = std::min(line.find(": "), line.size());
            if (key == "processor" || key == "core id" || key == "apicid" || key == "initial apicid") {
                line = fmt::format("{}: {}", std::string_view(line).substr(0, value_at), cpu);
            } else if (key == "siblings" || key == "cpu cores") {
                line = fmt::format("{}: {}", std::string_view(line).substr(0, value_at), cpus(context));
            } else if (key == "physical id") {
                line = fmt::format("{}: 0", std::string_view(line).substr(0, value_at));
            }
            text += line + "\n";
        }
        text += "\n";
    }
    return text;
}

std::string all_list(const VirtualContext& context, const Numbers& /*numbers*/) {
    return cpu_list(cpus(context));
}
std::string all_mask(const VirtualContext& context, const Numbers& /*numbers*/) {
    return cpu_mask(cpus(context), [](unsigned) { return true; });
}
std::string own_list(const VirtualContext& /*context*/, const Numbers& numbers) {
    return fmt::format("{}\n", numbers.cpu);
}
std::string own_mask(const VirtualContext& context, const Numbers& numbers) {
    return cpu_mask(cpus(context), [&numbers](unsigned cpu) { return cpu == static_cast<unsigned>(numbers.cpu); });
}
std::string zero(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "0\n";
}
std::string one(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "1\n";
}
std::string nothing(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "\n";
}
std::string highest(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return fmt::format("{}\n", kMaxCpus - 1);
}

// A cache's property is the host's, where the host tells it; who shares it is the node alone.
template <std::size_t kName>
std::string cache_property(const VirtualContext& /*context*/, const Numbers& numbers) {
    constexpr std::array kNames = {"level",         "type", "size", "coherency_line_size", "ways_of_associativity",
                                   "number_of_sets"};
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/{}", numbers.cache, kNames[kName]));
    std::string line;
    std::getline(file, line);
    return line + "\n";
}

std::string distance(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "10\n";
}

std::string node_memory(const VirtualContext& context, const Numbers& /*numbers*/) {
    const Ram& ram = *context.program.spec().ram;
    const std::uint64_t total = ram.size_bytes() >> 10U;
    const std::uint64_t free = std::uint64_t{ram.free_frames()} * (kPageBytes >> 10U);
    return fmt::format(
        "Node 0 MemTotal:       {:8} kB\nNode 0 MemFree:        {:8} kB\nNode 0 MemUsed:        {:8} kB\n", total, free,
        total - free);
}

constexpr VirtualPattern kPatterns[] = {
    {"/proc/cpuinfo", Kind::kFile, 0444, cpu_info},
    {"/sys/devices/system/cpu/online", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/cpu/possible", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/cpu/present", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/cpu/offline", Kind::kFile, 0444, nothing},
    {"/sys/devices/system/cpu/isolated", Kind::kFile, 0444, nothing},
    {"/sys/devices/system/cpu/kernel_max", Kind::kFile, 0444, highest},
    {"/sys/devices/system/cpu/cpu<cpu>/online", Kind::kFile, 0444, one},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/core_id", Kind::kFile, 0444, own_list},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/physical_package_id", Kind::kFile, 0444, zero},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/die_id", Kind::kFile, 0444, zero},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/thread_siblings", Kind::kFile, 0444, own_mask},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/thread_siblings_list", Kind::kFile, 0444, own_list},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/core_cpus", Kind::kFile, 0444, own_mask},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/core_cpus_list", Kind::kFile, 0444, own_list},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/core_siblings", Kind::kFile, 0444, all_mask},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/core_siblings_list", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/package_cpus", Kind::kFile, 0444, all_mask},
    {"/sys/devices/system/cpu/cpu<cpu>/topology/package_cpus_list", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/level", Kind::kFile, 0444, cache_property<0>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/type", Kind::kFile, 0444, cache_property<1>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/size", Kind::kFile, 0444, cache_property<2>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/coherency_line_size", Kind::kFile, 0444, cache_property<3>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/ways_of_associativity", Kind::kFile, 0444, cache_property<4>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/number_of_sets", Kind::kFile, 0444, cache_property<5>},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/shared_cpu_map", Kind::kFile, 0444, own_mask},
    {"/sys/devices/system/cpu/cpu<cpu>/cache/index<cache>/shared_cpu_list", Kind::kFile, 0444, own_list},
    {"/sys/devices/system/node/online", Kind::kFile, 0444, zero},
    {"/sys/devices/system/node/possible", Kind::kFile, 0444, zero},
    {"/sys/devices/system/node/has_cpu", Kind::kFile, 0444, zero},
    {"/sys/devices/system/node/has_memory", Kind::kFile, 0444, zero},
    {"/sys/devices/system/node/node0/cpulist", Kind::kFile, 0444, all_list},
    {"/sys/devices/system/node/node0/cpumap", Kind::kFile, 0444, all_mask},
    {"/sys/devices/system/node/node0/distance", Kind::kFile, 0444, distance},
    {"/sys/devices/system/node/node0/meminfo", Kind::kFile, 0444, node_memory},
};

}  // namespace

std::span<const VirtualPattern> processor_patterns() {
    return kPatterns;
}

}  // namespace divisi::hv
