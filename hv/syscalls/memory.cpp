// System calls about memory: mmap(2) and its kin.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

// No file but one in memory has seals.
bool sealed_against_writing(int fd) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
}

SysResult backing_of(Call& call, AddressSpace::FileBacking& backing, int flags, int prot) {
    const auto file = call.program.files().get(call.int_arg(4));
    if (!file || !file->fd.valid()) return -EBADF;
    if ((file->flags & O_ACCMODE) == O_WRONLY) return -EACCES;
    struct stat status {};
    if (::fstat(file->fd.get(), &status) != 0) return -errno;
    if (!S_ISREG(status.st_mode)) return -ENODEV;
    backing.shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    backing.writable = (file->flags & O_ACCMODE) == O_RDWR;
    if (backing.shared && !backing.writable && (prot & PROT_WRITE) != 0) return -EACCES;
    if (backing.shared && sealed_against_writing(file->fd.get())) {
        if ((prot & PROT_WRITE) != 0) return -EPERM;
        backing.writable = false;
    }
    const std::uint64_t offset = call.arg(5);
    if (offset % kPageBytes != 0) return -EINVAL;
    // The open file stays open as long as it is mapped, and takes no other descriptor.
    backing.fd = std::shared_ptr<const Fd>(file, &file->fd);
    backing.id = FileId::of(status);
    backing.offset = offset;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    backing.bytes = size > offset ? size - offset : 0;
    backing.name = file->path;
    return 0;
}

SysResult sys_mmap(Call& call) {
    const int prot = call.int_arg(2);
    const int flags = call.int_arg(3);
    const int type = flags & MAP_TYPE;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE) return -EINVAL;
    std::optional<AddressSpace::FileBacking> backing;
    if ((flags & MAP_ANONYMOUS) == 0) {
        backing = AddressSpace::FileBacking{};
        if (const SysResult error = backing_of(call, *backing, flags, prot); error != 0) return error;
    }
    return call.memory().map(call.arg(0), call.arg(1), prot, flags, std::move(backing));
}

SysResult sys_munmap(Call& call) {
    return call.memory().unmap(call.arg(0), call.arg(1));
}
SysResult sys_mprotect(Call& call) {
    return call.memory().protect(call.arg(0), call.arg(1), call.int_arg(2));
}
SysResult sys_mremap(Call& call) {
    return call.memory().remap(call.arg(0), call.arg(1), call.arg(2), call.int_arg(3), call.arg(4));
}
SysResult sys_madvise(Call& call) {
    return call.memory().advise(call.arg(0), call.arg(1), call.int_arg(2));
}
SysResult sys_brk(Call& call) {
    return call.memory().set_break(call.arg(0));
}
SysResult sys_mincore(Call& call) {
    return call.memory().residency(call.arg(0), call.arg(1), call.arg(2));
}
SysResult sys_msync(Call& call) {
    const int flags = call.int_arg(2);
    if ((flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) != 0) return -EINVAL;
    if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0) return -EINVAL;
    return call.memory().synchronize(call.arg(0), call.arg(1));
}
// Nothing of a node's memory is ever swapped by itself.
SysResult sys_nothing_to_do(Call& /*call*/) {
    return 0;
}

constexpr SyscallEntry kEntries[] = {
    {SYS_mmap, "mmap", sys_mmap, Served::kPartly,
     "no more than the node's memory can be promised at a time, but with MAP_NORESERVE (ENOMEM): nothing is "
     "overcommitted; other programs see what was written to a shared file by memory after msync, munmap, or the "
     "program's own read"},
    {SYS_munmap, "munmap", sys_munmap, Served::kFully, ""},
    {SYS_mprotect, "mprotect", sys_mprotect, Served::kFully, ""},
    {SYS_mremap, "mremap", sys_mremap, Served::kPartly, "no MREMAP_DONTUNMAP"},
    {SYS_madvise, "madvise", sys_madvise, Served::kFully, ""},
    {SYS_brk, "brk", sys_brk, Served::kFully, ""},
    {SYS_mincore, "mincore", sys_mincore, Served::kFully, ""},
    {SYS_msync, "msync", sys_msync, Served::kFully, ""},
    {SYS_mlock, "mlock", sys_nothing_to_do, Served::kPartly, "accepted"},
    {SYS_mlock2, "mlock2", sys_nothing_to_do, Served::kPartly, "accepted"},
    {SYS_munlock, "munlock", sys_nothing_to_do, Served::kPartly, "accepted"},
    {SYS_mlockall, "mlockall", sys_nothing_to_do, Served::kPartly, "accepted"},
    {SYS_munlockall, "munlockall", sys_nothing_to_do, Served::kPartly, "accepted"},
};

}  // namespace

SyscallList memory_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
