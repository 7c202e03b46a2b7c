// System calls that move bytes between descriptors by pipes, and that write back what the host has buffered.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "hv/syscalls/transfer.hpp"

namespace divisi::hv {
namespace {

constexpr unsigned kKnownFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

bool is_pipe(const OpenFile& file) {
    struct stat status {};
    return file.fd.valid() && ::fstat(file.fd.get(), &status) == 0 && S_ISFIFO(status.st_mode);
}

struct Position {
    Gva at = 0;
    off_t value = 0;

    SysResult read(AddressSpace& memory, const OpenFile& file) {
        if (at == 0) return 0;
        if (is_pipe(file)) return -ESPIPE;
        const auto given = memory.read<off_t>(at);
        if (!given) return -EFAULT;
        value = *given;
        return value < 0 ? -EINVAL : 0;
    }
    off_t* pointer() { return at != 0 ? &value : nullptr; }
};

// A pipe's bytes into standard output or error, which are no descriptors.
SysResult into_sink(const OpenFile& in, OutputSink& sink, std::uint64_t bytes) {
    const Buffer buffer(std::min(bytes, kChunk));
    const SysResult got = host_result(::read(in.fd.get(), buffer.data(), buffer.size()));
    return got <= 0 ? got : sink.write(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
}

using Positions = std::pair<Position, Position>;

// A pipe's bytes into a file that the program may have mapped. What is written back meanwhile must not undo it: so it
// waits for bytes first, and moves them under the lock.
SysResult into_file(AddressSpace& memory, const OpenFile& in, const OpenFile& out, std::uint64_t bytes, unsigned flags,
                    Position& to) {
    const bool may_wait = (flags & SPLICE_F_NONBLOCK) == 0 && waits(in);
    for (;;) {
        pollfd wanted{in.fd.get(), POLLIN, 0};
        if (may_wait && ::poll(&wanted, 1, -1) < 0) return -errno;
        AddressSpace::FileWrite change = memory.write_file(out.fd.get());
        const SysResult done =
            host_result(::splice(in.fd.get(), nullptr, out.fd.get(), to.pointer(), bytes, flags | SPLICE_F_NONBLOCK));
        if (done == -EAGAIN && may_wait) continue;  // somebody else has read them
        if (done <= 0 || !change.matters()) return done;
        const off_t end = to.at != 0 ? to.value : ::lseek(out.fd.get(), 0, SEEK_CUR);
        change.wrote(static_cast<std::uint64_t>(end - done), static_cast<std::uint64_t>(done));
        return done;
    }
}

SysResult sys_splice(Call& call) {
    const FilePtr in = call.program.files().get(call.int_arg(0));
    const FilePtr out = call.program.files().get(call.int_arg(2));
    const auto flags = static_cast<unsigned>(call.arg(5));
    if (call.arg(4) == 0) return 0;
    if ((flags & ~kKnownFlags) != 0) return -EINVAL;
    if (!in || !out || !in->fd.valid() || (!out->fd.valid() && !out->sink)) return -EBADF;
    if (!is_pipe(*in) && !is_pipe(*out)) return -EINVAL;
    Position from{call.arg(1)};
    Position to{call.arg(3)};
    if (const SysResult error = from.read(call.memory(), *in); error != 0) return error;
    if (const SysResult error = to.read(call.memory(), *out); error != 0) return error;
    std::uint64_t bytes = std::min(call.arg(4), kMaxTransfer);
    if (out->fd.valid()) {
        const SysResult allowed =
            clip_to_file_limit(call.program, call.thread, *out, to.at != 0 ? to.value : -1, bytes);
        if (allowed < 0) return allowed;
        bytes = static_cast<std::uint64_t>(allowed);
    }
    if (in->fd.valid()) call.memory().before_file_is_read(in->fd.get());
    auto state = std::make_shared<Positions>(from, to);
    const auto move = [in, out, bytes, flags, state, &memory = call.memory()]() -> SysResult {
        if (out->sink) return into_sink(*in, *out->sink, bytes);
        if (memory.shares_files() && !is_pipe(*out)) return into_file(memory, *in, *out, bytes, flags, state->second);
        return host_result(
            ::splice(in->fd.get(), state->first.pointer(), out->fd.get(), state->second.pointer(), bytes, flags));
    };
    const auto finish = [&program = call.program, &thread = call.thread, state](SysResult done) {
        for (const Position& place : {state->first, state->second}) {
            if (done > 0 && place.at != 0 && !program.memory().write(place.at, place.value)) return SysResult{-EFAULT};
        }
        return tell_broken_pipe(program, thread, done);
    };
    const bool may_wait = (flags & SPLICE_F_NONBLOCK) == 0 && (waits(*in) || waits(*out) || out->sink);
    return may_wait ? wait_in_host(call, move, finish) : finish(move());
}

SysResult sys_tee(Call& call) {
    const FilePtr in = call.program.files().get(call.int_arg(0));
    const FilePtr out = call.program.files().get(call.int_arg(1));
    const auto flags = static_cast<unsigned>(call.arg(3));
    if ((flags & ~kKnownFlags) != 0) return -EINVAL;
    if (call.arg(2) == 0) return 0;
    if (!in || !out) return -EBADF;
    if (!is_pipe(*in) || !is_pipe(*out)) return -EINVAL;
    const auto copy = [in, out, flags, bytes = std::min(call.arg(2), kMaxTransfer)] {
        return host_result(::tee(in->fd.get(), out->fd.get(), bytes, flags));
    };
    const auto finish = [&program = call.program, &thread = call.thread](SysResult done) {
        return tell_broken_pipe(program, thread, done);
    };
    const bool may_wait = (flags & SPLICE_F_NONBLOCK) == 0 && (waits(*in) || waits(*out));
    return may_wait ? wait_in_host(call, copy, finish) : finish(copy());
}

// ---- what the host has buffered ----

SysResult sys_sync(Call& /*call*/) {
    return 0;  // of the whole machine: that is not a node's to ask for
}

SysResult sys_syncfs(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    return file->fd.valid() ? host_result(::fsync(file->fd.get())) : 0;
}

SysResult sys_sync_file_range(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid()) return -EBADF;
    return host_result(::sync_file_range(file->fd.get(), static_cast<off_t>(call.arg(1)),
                                         static_cast<off_t>(call.arg(2)), static_cast<unsigned>(call.arg(3))));
}

SysResult sys_readahead(Call& call) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file || !file->fd.valid() || (file->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
    return host_result(
        ::readahead(file->fd.get(), static_cast<off_t>(call.arg(1)), std::min(call.arg(2), kMaxTransfer)));
}

constexpr SyscallEntry kEntries[] = {
    {SYS_splice, "splice", sys_splice, Served::kForwarded, ""},
    {SYS_tee, "tee", sys_tee, Served::kForwarded, ""},
    {SYS_sync, "sync", sys_sync, Served::kPartly, "does nothing"},
    {SYS_syncfs, "syncfs", sys_syncfs, Served::kPartly, "the one file"},
    {SYS_sync_file_range, "sync_file_range", sys_sync_file_range, Served::kForwarded, ""},
    {SYS_readahead, "readahead", sys_readahead, Served::kForwarded, ""},
};

}  // namespace

SyscallList splice_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
