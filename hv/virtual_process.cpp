// /proc/<pid>: the program about itself.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "hv/program.hpp"
#include "hv/virtual_table.hpp"

namespace divisi::hv {
namespace {

using Kind = VirtualNode::Kind;
using Numbers = VirtualNode::Numbers;

std::string self(const VirtualContext& context, const Numbers& /*numbers*/) {
    return std::to_string(context.program.pid());
}

std::string thread_self(const VirtualContext& context, const Numbers& /*numbers*/) {
    return fmt::format("{}/task/{}", context.program.pid(), context.thread.tid);
}

std::string executable(const VirtualContext& context, const Numbers& /*numbers*/) {
    return context.program.spec().image.path;
}

std::string working_folder(const VirtualContext& context, const Numbers& /*numbers*/) {
    return context.program.working_folder().path;
}

std::string root(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "/";
}

std::string descriptor(const VirtualContext& context, const Numbers& numbers) {
    const auto file = context.program.files().get(numbers.fd);
    if (!file) return {};
    return file->path.starts_with('/') ? file->path : fmt::format("pipe:[{}]", numbers.fd + 1);
}

std::string joined(const std::vector<std::string>& texts) {
    std::string result;
    for (const std::string& text : texts) result += text + '\0';
    return result;
}

std::string arguments(const VirtualContext& context, const Numbers& /*numbers*/) {
    return joined(context.program.spec().argv);
}

std::string environment(const VirtualContext& context, const Numbers& /*numbers*/) {
    return joined(context.program.spec().environment);
}

std::string maps(const VirtualContext& context, const Numbers& /*numbers*/) {
    return context.program.memory().describe();
}

// The thread that a path under task/ names, else the first.
int thread_of(const VirtualContext& context, const Numbers& numbers) {
    return numbers.tid != 0 ? numbers.tid : context.program.pid();
}

std::string name_of(const VirtualContext& context, int tid) {
    const auto thread = context.program.find_thread(tid);
    return thread ? thread->name.get() : std::string();
}

std::string command_name(const VirtualContext& context, const Numbers& numbers) {
    return name_of(context, thread_of(context, numbers)) + "\n";
}

struct Sets {
    SignalSet ignored = 0, caught = 0;
};

Sets signal_sets(const VirtualContext& context) {
    Sets sets;
    for (int signo = 1; signo <= kSignalCount; ++signo) {
        const std::uint64_t handler = context.program.signals().action(signo).handler;
        if (handler == 1) sets.ignored |= signal_bit(signo);
        if (handler > 1) sets.caught |= signal_bit(signo);
    }
    return sets;
}

std::string stat_line(const VirtualContext& context, const Numbers& numbers) {
    const int tid = thread_of(context, numbers);
    const int pid = context.program.pid();
    const Sets sets = signal_sets(context);
    const AddressSpace& memory = context.program.memory();
    return fmt::format(
        "{} ({}) R 0 {} {} 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 {} 0 0 {} {} 18446744073709551615 {} {} {} 0 0 0 0 {} {} "
        "0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        tid, name_of(context, tid), pid, pid, context.program.thread_ids().size(), memory.mapped_bytes(),
        memory.resident_bytes() / kPageBytes, kLowestGva, kMmapTop, kStackTop, sets.ignored, sets.caught);
}

std::string memory_pages(const VirtualContext& context, const Numbers& /*numbers*/) {
    const AddressSpace& memory = context.program.memory();
    const std::uint64_t size = memory.mapped_bytes() / kPageBytes;
    const std::uint64_t resident = memory.resident_bytes() / kPageBytes;
    return fmt::format("{} {} 0 0 0 {} 0\n", size, resident, resident);
}

std::string cpu_mask_and_list(unsigned cpus) {
    std::string mask;
    for (unsigned group = (cpus + 31) / 32; group-- > 0;) {
        const unsigned width = std::min(cpus - group * 32, 32U);
        mask += fmt::format("{}{:x}", mask.empty() ? "" : ",", width == 32 ? ~0U : (1U << width) - 1);
    }
    return fmt::format("Cpus_allowed:\t{}\nCpus_allowed_list:\t{}\n", mask,
                       cpus == 1 ? "0" : fmt::format("0-{}", cpus - 1));
}

std::string status(const VirtualContext& context, const Numbers& numbers) {
    Program& program = context.program;
    const int tid = thread_of(context, numbers);
    const Sets sets = signal_sets(context);
    const std::uint64_t size = program.memory().mapped_bytes() >> 10U;
    const std::uint64_t resident = program.memory().resident_bytes() >> 10U;
    return fmt::format(
               "Name:\t{}\nUmask:\t{:04o}\nState:\tR (running)\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t0\n"
               "TracerPid:\t0\nUid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t\n",
               name_of(context, tid), program.file_mode_mask.load(), program.pid(), tid, ::getuid(), ::geteuid(),
               ::geteuid(), ::geteuid(), ::getgid(), ::getegid(), ::getegid(), ::getegid(), FileTable::kLimit) +
           fmt::format(
               "VmPeak:\t{0:8} kB\nVmSize:\t{0:8} kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\nVmHWM:\t{1:8} kB\n"
               "VmRSS:\t{1:8} kB\nRssAnon:\t{1:8} kB\nRssFile:\t       0 kB\nRssShmem:\t       0 kB\n"
               "VmSwap:\t       0 kB\nThreads:\t{2}\n",
               size, resident, program.thread_ids().size()) +
           fmt::format(
               "SigQ:\t0/1024\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\n"
               "CapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t1\nSeccomp:\t0\n",
               sets.ignored, sets.caught, 0, 0, 0, 0, 0) +
           cpu_mask_and_list(program.scheduler().cpus()) +
           "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n";
}

std::string limits(const VirtualContext& context, const Numbers& /*numbers*/) {
    return context.program.limits().describe();
}

std::string mounts(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "divisi / divisi rw 0 0\nproc /proc proc ro 0 0\nsysfs /sys sysfs ro 0 0\n";
}

std::string control_group(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "0::/\n";
}

std::string zero(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "0\n";
}

constexpr VirtualPattern kPatterns[] = {
    {"/proc/self", Kind::kLink, 0777, self},
    {"/proc/thread-self", Kind::kLink, 0777, thread_self},
    {"/proc/mounts", Kind::kFile, 0444, mounts},
    {"/proc/<pid>/exe", Kind::kLink, 0777, executable},
    {"/proc/<pid>/cwd", Kind::kLink, 0777, working_folder},
    {"/proc/<pid>/root", Kind::kLink, 0777, root},
    {"/proc/<pid>/fd/<fd>", Kind::kDescriptor, 0700, descriptor},
    {"/proc/<pid>/maps", Kind::kFile, 0444, maps},
    {"/proc/<pid>/cmdline", Kind::kFile, 0444, arguments},
    {"/proc/<pid>/environ", Kind::kFile, 0400, environment},
    {"/proc/<pid>/comm", Kind::kFile, 0444, command_name},
    {"/proc/<pid>/stat", Kind::kFile, 0444, stat_line},
    {"/proc/<pid>/statm", Kind::kFile, 0444, memory_pages},
    {"/proc/<pid>/status", Kind::kFile, 0444, status},
    {"/proc/<pid>/limits", Kind::kFile, 0444, limits},
    {"/proc/<pid>/mounts", Kind::kFile, 0444, mounts},
    {"/proc/<pid>/cgroup", Kind::kFile, 0444, control_group},
    {"/proc/<pid>/oom_score_adj", Kind::kFile, 0444, zero},
    {"/proc/<pid>/task/<tid>/comm", Kind::kFile, 0444, command_name},
    {"/proc/<pid>/task/<tid>/stat", Kind::kFile, 0444, stat_line},
    {"/proc/<pid>/task/<tid>/status", Kind::kFile, 0444, status},
};

}  // namespace

std::span<const VirtualPattern> process_patterns() {
    return kPatterns;
}

}  // namespace divisi::hv
