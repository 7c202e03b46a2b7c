// Memory that the ranks of a job lend to each other (shm/abi/node_page.h). Who lent what, the job knows.
#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

// DIVISI_COPY_MAX_BYTES: what a node may take before it is looked at again.
constexpr std::uint64_t kMaxBytes = 16U << 20U;

SysResult sys_divisi_copy_lent(Call& call) {
    if (!call.program.spec().copy_lent) return -ENOSYS;
    if (call.arg(0) > UINT32_MAX || call.arg(1) > UINT32_MAX || call.arg(4) > kMaxBytes) return -EINVAL;
    return call.program.spec().copy_lent({.owner = static_cast<std::uint32_t>(call.arg(0)),
                                          .loan = static_cast<std::uint32_t>(call.arg(1)),
                                          .offset = call.arg(2),
                                          .address = call.arg(3),
                                          .bytes = call.arg(4)});
}

SysResult sys_divisi_view_lent(Call& call) {
    if (!call.program.spec().view_lent) return -ENOSYS;
    if (call.arg(0) > UINT32_MAX || call.arg(1) > UINT32_MAX || call.arg(4) % kPageBytes != 0) return -EINVAL;
    return call.program.spec().view_lent({.owner = static_cast<std::uint32_t>(call.arg(0)),
                                          .loan = static_cast<std::uint32_t>(call.arg(1)),
                                          .offset = call.arg(2),
                                          .bytes = call.arg(3),
                                          .page = call.arg(4) / kPageBytes});
}

constexpr SyscallEntry kEntries[] = {
    {kSysViewLent, "divisi_view_lent", sys_divisi_view_lent, Served::kFully, "not of Linux"},
    {kSysCopyLent, "divisi_copy_lent", sys_divisi_copy_lent, Served::kFully, "not of Linux"},
};

}  // namespace

SyscallList loan_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
