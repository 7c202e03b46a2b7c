// One system call of a guest, as its service sees it.
#pragma once

#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hv/own_calls.hpp"
#include "hv/program.hpp"

namespace divisi::hv {

struct Call {
    Program& program;
    Thread& thread;
    Vcpu& vcpu;
    unsigned cpu;
    std::uint64_t number;
    std::array<std::uint64_t, 6> args;

    [[nodiscard]] std::uint64_t arg(std::size_t index) const { return args[index]; }
    // An argument that the kernel takes as an int: its upper half is ignored.
    [[nodiscard]] int int_arg(std::size_t index) const {
        return static_cast<int>(static_cast<std::uint32_t>(args[index]));
    }
    [[nodiscard]] AddressSpace& memory() const { return program.memory(); }
};

// Results that are not a value: the thread waits and is woken with the result; or the registers are already as they
// should be.
inline constexpr SysResult kWaits = INT64_MIN;
inline constexpr SysResult kLeavesRegisters = INT64_MIN + 1;
// The call was interrupted: it starts again, unless a handler runs that was installed without SA_RESTART; then EINTR.
// The kernel's own number for it.
inline constexpr SysResult kRestart = -512;
// The same, whatever the handler was installed with.
inline constexpr SysResult kRestartAlways = -513;
inline SysResult restartable(SysResult result) {
    return result == -EINTR ? kRestart : result;
}
// What a call of the host's gave.
inline SysResult host_result(ssize_t value) {
    return value < 0 ? -errno : value;
}

using Service = SysResult (*)(Call&);

enum class Served : std::uint8_t { kFully, kPartly, kForwarded };

struct SyscallEntry {
    std::uint64_t number;
    std::string_view name;
    Service service;
    Served served;
    std::string_view note;  // what is partial, and how
};

// The service of a number, or null.
const SyscallEntry* find_syscall(std::uint64_t number);
// A name for a number that nobody serves, for reports.
std::string syscall_name(std::uint64_t number);
// What becomes of each system call that Linux has.
struct SyscallReport {
    std::uint64_t number;
    std::string_view name;
    std::string_view how;  // "served", "forwarded", "partial", "absent"
    std::string_view note;
};
std::vector<SyscallReport> report_syscalls();
// One list a subject, each in its own file.
using SyscallList = std::pair<const SyscallEntry*, std::size_t>;
SyscallList memory_syscalls();
SyscallList thread_syscalls();
SyscallList futex_syscalls();
SyscallList processor_syscalls();
SyscallList signal_syscalls();
SyscallList time_syscalls();
SyscallList timer_syscalls();
SyscallList file_syscalls();
SyscallList transfer_syscalls();
SyscallList poll_syscalls();
SyscallList path_syscalls();
SyscallList attribute_syscalls();
SyscallList event_syscalls();
SyscallList process_syscalls();
SyscallList identity_syscalls();
SyscallList splice_syscalls();
SyscallList socket_syscalls();
SyscallList notify_syscalls();
SyscallList loan_syscalls();

// At a thread's end: the robust locks that it holds go to who waits for them, marked.
void release_robust_futexes(Call& call);

// Runs `call` on another host thread while the guest's thread waits; `finish`, if given, makes the result on the node.
SysResult wait_in_host(Call& call, std::function<SysResult()> host_call,
                       std::function<SysResult(SysResult)> finish = nullptr);

}  // namespace divisi::hv
