// What /proc says of the machine and its kernel, as far as it is harmless.
#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "hv/program.hpp"
#include "hv/virtual_table.hpp"

namespace divisi::hv {
namespace {

using Kind = VirtualNode::Kind;
using Numbers = VirtualNode::Numbers;

utsname host_name() {
    utsname name{};
    ::uname(&name);
    return name;
}

std::string os_type(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return fmt::format("{}\n", static_cast<const char*>(host_name().sysname));
}
std::string os_release(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return fmt::format("{}\n", static_cast<const char*>(host_name().release));
}
std::string os_version(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return fmt::format("{}\n", static_cast<const char*>(host_name().version));
}
std::string node_name(const VirtualContext& context, const Numbers& /*numbers*/) {
    const std::string& own = context.program.spec().host_name;
    return fmt::format("{}\n", own.empty() ? static_cast<const char*>(host_name().nodename) : own.c_str());
}
std::string version(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    const utsname name = host_name();
    return fmt::format("Linux version {} (divisi) {}\n", static_cast<const char*>(name.release),
                       static_cast<const char*>(name.version));
}

std::string memory_info(const VirtualContext& context, const Numbers& /*numbers*/) {
    const Ram& ram = *context.program.spec().ram;
    const std::uint64_t total = ram.size_bytes() >> 10U;
    const std::uint64_t free = std::uint64_t{ram.free_frames()} * (kPageBytes >> 10U);
    std::string text;
    const auto line = [&text](std::string_view name, std::uint64_t value) {
        text += fmt::format("{:<16}{:8} kB\n", fmt::format("{}:", name), value);
    };
    line("MemTotal", total);
    line("MemFree", free);
    line("MemAvailable", free);
    for (const std::string_view name : {"Buffers", "Cached", "SwapCached", "Active", "Inactive", "SwapTotal",
                                        "SwapFree", "Dirty", "Writeback", "Shmem"})
        line(name, 0);
    line("AnonPages", total - free);
    line("CommitLimit", total);
    line("Committed_AS", total - free);
    text += "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n";
    line("Hugepagesize", 2048);
    return text;
}

std::chrono::seconds uptime() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec);
}

std::string up_time(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return fmt::format("{}.{:02} 0.00\n", now.tv_sec, now.tv_nsec / 10'000'000);
}

std::string load_average(const VirtualContext& context, const Numbers& /*numbers*/) {
    const std::size_t threads = context.program.thread_ids().size();
    return fmt::format("0.00 0.00 0.00 {}/{} {}\n", threads, threads, context.program.pid());
}

// Time that passed counts as the user's, a hundredth of a second a tick: who divides by it must not find zero.
std::string cpu_times(const VirtualContext& context, const Numbers& /*numbers*/) {
    const unsigned cpus = context.program.scheduler().cpus();
    const auto ticks = uptime().count() * 100;
    std::string text = fmt::format("cpu  {} 0 0 0 0 0 0 0 0 0\n", ticks * cpus);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) text += fmt::format("cpu{} {} 0 0 0 0 0 0 0 0 0\n", cpu, ticks);
    const std::size_t threads = context.program.thread_ids().size();
    text += fmt::format("intr 0\nctxt 0\nbtime {}\nprocesses 1\nprocs_running {}\nprocs_blocked 0\n",
                        ::time(nullptr) - uptime().count(), threads);
    return text;
}

std::string file_systems(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\n";
}

template <std::uint64_t kValue>
std::string number(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return fmt::format("{}\n", kValue);
}

std::string no_huge_pages(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "always madvise [never]\n";
}

constexpr VirtualPattern kPatterns[] = {
    {"/proc/meminfo", Kind::kFile, 0444, memory_info},
    {"/proc/stat", Kind::kFile, 0444, cpu_times},
    {"/proc/uptime", Kind::kFile, 0444, up_time},
    {"/proc/loadavg", Kind::kFile, 0444, load_average},
    {"/proc/version", Kind::kFile, 0444, version},
    {"/proc/filesystems", Kind::kFile, 0444, file_systems},
    {"/proc/sys/kernel/ostype", Kind::kFile, 0444, os_type},
    {"/proc/sys/kernel/osrelease", Kind::kFile, 0444, os_release},
    {"/proc/sys/kernel/version", Kind::kFile, 0444, os_version},
    {"/proc/sys/kernel/hostname", Kind::kFile, 0444, node_name},
    {"/proc/sys/kernel/pid_max", Kind::kFile, 0444, number<4194304>},
    {"/proc/sys/kernel/threads-max", Kind::kFile, 0444, number<32768>},
    {"/proc/sys/kernel/ngroups_max", Kind::kFile, 0444, number<65536>},
    {"/proc/sys/kernel/cap_last_cap", Kind::kFile, 0444, number<40>},
    {"/proc/sys/kernel/sched_rr_timeslice_ms", Kind::kFile, 0444, number<100>},
    {"/proc/sys/kernel/randomize_va_space", Kind::kFile, 0444, number<0>},
    {"/proc/sys/vm/overcommit_memory", Kind::kFile, 0444, number<2>},
    {"/proc/sys/vm/max_map_count", Kind::kFile, 0444, number<65530>},
    {"/proc/sys/vm/mmap_min_addr", Kind::kFile, 0444, number<65536>},
    {"/proc/sys/vm/nr_hugepages", Kind::kFile, 0444, number<0>},
    {"/proc/sys/fs/file-max", Kind::kFile, 0444, number<1024>},
    {"/proc/sys/fs/nr_open", Kind::kFile, 0444, number<1024>},
    {"/proc/sys/fs/pipe-max-size", Kind::kFile, 0444, number<1048576>},
    {"/sys/kernel/mm/transparent_hugepage/enabled", Kind::kFile, 0444, no_huge_pages},
};

}  // namespace

std::span<const VirtualPattern> kernel_patterns() {
    return kPatterns;
}

}  // namespace divisi::hv
