#include "hv/syscalls/call.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "hv/blocking_calls.hpp"
#include "hv/syscalls/names.hpp"

namespace divisi::hv {
namespace {

constexpr std::size_t kNumbers = 512;

constexpr std::array<std::string_view, 3> kHow = {"served", "partial", "forwarded"};  // by Served

using Table = std::array<const SyscallEntry*, kNumbers>;

Table make_table() {
    Table table{};
    for (const SyscallList& list :
         {memory_syscalls(), thread_syscalls(), futex_syscalls(), processor_syscalls(), signal_syscalls(),
          time_syscalls(), file_syscalls(), transfer_syscalls(), poll_syscalls(), path_syscalls(), attribute_syscalls(),
          event_syscalls(), process_syscalls(), identity_syscalls(), splice_syscalls(), socket_syscalls(),
          timer_syscalls(), notify_syscalls(), loan_syscalls()}) {
        for (std::size_t i = 0; i < list.second; ++i) table.at(list.first[i].number) = &list.first[i];
    }
    return table;
}

}  // namespace

const SyscallEntry* find_syscall(std::uint64_t number) {
    static const Table table = make_table();
    return number < kNumbers ? table[number] : nullptr;
}

std::string syscall_name(std::uint64_t number) {
    if (const SyscallEntry* entry = find_syscall(number); entry != nullptr) return std::string(entry->name);
    const auto* const known = std::find_if(std::begin(kSyscallNames), std::end(kSyscallNames),
                                           [number](const auto& item) { return item.number == number; });
    return known != std::end(kSyscallNames) ? std::string(known->name) : "syscall_" + std::to_string(number);
}

std::vector<SyscallReport> report_syscalls() {
    std::vector<SyscallReport> reports;
    for (const SyscallName& known : kSyscallNames) {
        const SyscallEntry* entry = find_syscall(known.number);
        if (entry == nullptr) {
            reports.push_back({known.number, known.name, "absent", known.absent_because});
        } else {
            reports.push_back(
                {known.number, known.name, kHow.at(static_cast<std::size_t>(entry->served)), entry->note});
        }
    }
    return reports;
}

SysResult wait_in_host(Call& call, std::function<SysResult()> host_call, std::function<SysResult(SysResult)> finish) {
    Thread& thread = call.thread;
    Scheduler& scheduler = call.program.scheduler();
    thread.on_resume = std::move(finish);
    const std::uint64_t ticket = scheduler.prepare(thread, false);
    call.program.services().blocking.submit(
        thread, std::move(host_call),
        [&scheduler, &thread, ticket](SysResult result) { scheduler.wake(thread, ticket, result); });
    return kWaits;
}

}  // namespace divisi::hv
