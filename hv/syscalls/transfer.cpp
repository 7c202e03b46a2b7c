// System calls that move bytes between open files and the program's memory, or between two open files.
#include "hv/syscalls/transfer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csignal>

namespace divisi::hv {

SysResult tell_broken_pipe(Program& program, Thread& thread, SysResult result) {
    if (result == -EPIPE) {
        SignalInfo info;
        info.signo = SIGPIPE;
        info.pid = program.pid();
        program.send_thread_signal(thread, info);
    }
    return restartable(result);
}

namespace {

SysResult file_too_big(Program& program, Thread& thread) {
    SignalInfo info;
    info.signo = SIGXFSZ;
    info.pid = program.pid();
    program.send_thread_signal(thread, info);
    return -EFBIG;
}

}  // namespace

SysResult clip_to_file_limit(Program& program, Thread& thread, const OpenFile& file, off_t offset,
                             std::uint64_t bytes) {
    const std::uint64_t limit = program.limits().soft(RLIMIT_FSIZE);
    struct stat status {};
    const bool bounded = limit != Limits::kUnlimited || file.share != nullptr;
    if (!bounded || bytes == 0 || ::fstat(file.fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return static_cast<SysResult>(bytes);
    if ((file.flags & O_APPEND) != 0) offset = status.st_size;
    if (offset < 0) offset = ::lseek(file.fd.get(), 0, SEEK_CUR);
    if (offset < 0) return static_cast<SysResult>(bytes);
    const auto at = static_cast<std::uint64_t>(offset);
    if (at >= limit) return file_too_big(program, thread);
    bytes = std::min(bytes, limit - at);
    off_t end = 0;
    const bool fits = !__builtin_add_overflow(offset, bytes, &end) && takes_memory(file, end);
    return fits ? static_cast<SysResult>(bytes) : -ENOMEM;
}

bool takes_memory(const OpenFile& file, off_t size) {
    return !file.share || size <= 0 || file.share->grow_to(static_cast<std::uint64_t>(size));
}

SysResult within_file_limit(Call& call, const Fd& file, off_t size) {
    const std::uint64_t limit = call.program.limits().soft(RLIMIT_FSIZE);
    struct stat status {};
    if (size <= 0 || static_cast<std::uint64_t>(size) <= limit || ::fstat(file.get(), &status) != 0) return 0;
    return size > status.st_size ? file_too_big(call.program, call.thread) : 0;
}

namespace {

// Where in a file, and how: `offset` -1 means the file's own position.
struct Where {
    off_t offset = -1;
    int flags = 0;
};

SysResult host_read(const OpenFile& file, char* to, std::uint64_t bytes, const Where& where, int more_flags = 0) {
    const iovec part{to, bytes};
    return host_result(::preadv2(file.fd.get(), &part, 1, where.offset, where.flags | more_flags));
}

SysResult host_write(const OpenFile& file, char* from, std::uint64_t bytes, const Where& where, int more_flags = 0) {
    const iovec part{from, bytes};
    return host_result(::pwritev2(file.fd.get(), &part, 1, where.offset, where.flags | more_flags));
}

// To a regular file, whose pages the program may have mapped.
SysResult write_file(AddressSpace& memory, const OpenFile& file, char* from, std::uint64_t bytes, const Where& where) {
    AddressSpace::FileWrite change = memory.write_file(file.fd.get());
    const SysResult count = host_write(file, from, bytes, where);
    if (!change.matters() || count <= 0) return count;
    const bool moved = where.offset < 0 || (file.flags & O_APPEND) != 0;
    const off_t at = moved ? ::lseek(file.fd.get(), 0, SEEK_CUR) - count : where.offset;
    if (at >= 0) change.wrote(static_cast<std::uint64_t>(at), static_cast<std::uint64_t>(count));
    return count;
}

// ---- reading ----

signalfd_siginfo signal_record(const SignalInfo& info) {
    signalfd_siginfo record{};
    record.ssi_signo = static_cast<std::uint32_t>(info.signo);
    record.ssi_code = info.code;
    record.ssi_pid = static_cast<std::uint32_t>(info.pid);
    record.ssi_uid = info.uid;
    record.ssi_tid = static_cast<std::uint32_t>(info.timer);
    record.ssi_overrun = static_cast<std::uint32_t>(info.overrun);
    record.ssi_ptr = info.value;
    record.ssi_int = static_cast<std::int32_t>(info.value);
    record.ssi_addr = info.address;
    return record;
}

SysResult read_stream(Call& call, const FilePtr& file, const Pieces& pieces, const Where& where) {
    const auto buffer = std::make_shared<Buffer>(std::min(pieces.total(), kChunk));
    const auto deliver = [&memory = call.memory(), buffer, pieces](SysResult count) {
        if (count <= 0) return restartable(count);
        const auto given =
            static_cast<SysResult>(pieces.scatter(memory, 0, buffer->data(), static_cast<std::uint64_t>(count)));
        return given == 0 ? -EFAULT : given;
    };
    // Mostly there is something already, or the descriptor does not wait.
    const SysResult at_once = host_read(*file, buffer->data(), buffer->size(), where, RWF_NOWAIT);
    if (at_once != -EAGAIN && at_once != -EOPNOTSUPP) return deliver(at_once);
    const auto host_call = [file, buffer, where] { return host_read(*file, buffer->data(), buffer->size(), where); };
    return waits(*file) ? wait_in_host(call, host_call, deliver) : deliver(host_call());
}

// signalfd(2): a record for each signal that waits.
SysResult read_signals(Call& call, const FilePtr& file, const Pieces& pieces) {
    if (pieces.total() < sizeof(signalfd_siginfo)) return -EINVAL;
    SignalState& signals = call.program.signals();
    std::uint64_t done = 0;
    while (pieces.total() - done >= sizeof(signalfd_siginfo)) {
        const auto info = signals.take(call.thread, file->signals->set());
        if (!info) break;
        const signalfd_siginfo record = signal_record(*info);
        if (pieces.scatter(call.memory(), done, reinterpret_cast<const char*>(&record), sizeof record) != sizeof record)
            return -EFAULT;
        done += sizeof record;
    }
    if (done != 0) return static_cast<SysResult>(done);
    file->signals->lower();
    // What came just before would have no one to tell of it any more.
    if (signals.has(call.thread, file->signals->set())) file->signals->raise();
    if (!waits(*file)) return signals.has(call.thread, file->signals->set()) ? kRestart : -EAGAIN;
    return wait_in_host(
        call,
        [file]() -> SysResult {
            pollfd event{file->fd.get(), POLLIN, 0};
            return ::poll(&event, 1, -1) < 0 ? -errno : 0;
        },
        [](SysResult) { return kRestart; });
}

SysResult do_read(Call& call, const Pieces& pieces, Where where) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (file->folder) return -EISDIR;
    if (!file->fd.valid()) return -EBADF;
    if (file->signals) return read_signals(call, file, pieces);
    if (file->may_block) return read_stream(call, file, pieces, where);
    call.memory().before_file_is_read(file->fd.get());
    const Buffer buffer(std::min(pieces.total(), kChunk));
    std::uint64_t done = 0;
    do {
        const std::uint64_t wanted = std::min(pieces.total() - done, kChunk);
        const SysResult count = host_read(*file, buffer.data(), wanted, where);
        if (count < 0) return done != 0 ? static_cast<SysResult>(done) : count;
        const auto got = static_cast<std::uint64_t>(count);
        const std::uint64_t given = pieces.scatter(call.memory(), done, buffer.data(), got);
        done += given;
        if (given < got) return done != 0 ? static_cast<SysResult>(done) : -EFAULT;
        if (got < wanted) break;
        if (where.offset >= 0) where.offset += count;
    } while (done < pieces.total());
    return static_cast<SysResult>(done);
}

// ---- writing ----

SysResult wait_to_write(Call& call, std::function<SysResult()> host_call) {
    return wait_in_host(call, std::move(host_call), [&program = call.program, &thread = call.thread](SysResult result) {
        return tell_broken_pipe(program, thread, result);
    });
}

// Standard output and error. Where they lead may be full: then another thread waits for it.
SysResult write_sink(Call& call, const FilePtr& file, const std::shared_ptr<Buffer>& buffer) {
    const auto put = [file, buffer]() -> SysResult {
        return file->sink->write(std::string_view(buffer->data(), buffer->size()));
    };
    pollfd room{file->sink->terminal(), POLLOUT, 0};
    if (room.fd < 0 || ::poll(&room, 1, 0) != 0) return tell_broken_pipe(call.program, call.thread, put());
    return wait_to_write(call, [room, put]() mutable { return ::poll(&room, 1, -1) < 0 ? -errno : put(); });
}

SysResult write_stream(Call& call, const FilePtr& file, const Pieces& pieces, const Where& where) {
    const std::uint64_t wanted = std::min(pieces.total(), kMaxStreamWrite);
    const auto buffer = std::make_shared<Buffer>(wanted);
    buffer->shrink(pieces.gather(call.memory(), 0, buffer->data(), wanted));
    if (buffer->size() == 0 && wanted != 0) return -EFAULT;
    if (file->sink) return where.offset >= 0 ? -ESPIPE : write_sink(call, file, buffer);
    const SysResult at_once = host_write(*file, buffer->data(), buffer->size(), where, RWF_NOWAIT);
    const bool supported = at_once != -EOPNOTSUPP;
    const std::uint64_t done = at_once > 0 ? static_cast<std::uint64_t>(at_once) : 0;
    const bool ended = done == buffer->size() || (at_once < 0 && at_once != -EAGAIN && supported);
    if (ended || (supported && !waits(*file))) return tell_broken_pipe(call.program, call.thread, at_once);
    const auto host_call = [file, buffer, where, done]() -> SysResult {
        const SysResult count = host_write(*file, buffer->data() + done, buffer->size() - done, where);
        if (count < 0) return done != 0 ? static_cast<SysResult>(done) : count;
        return static_cast<SysResult>(done) + count;
    };
    return waits(*file) ? wait_to_write(call, host_call) : tell_broken_pipe(call.program, call.thread, host_call());
}

SysResult do_write(Call& call, const Pieces& pieces, Where where) {
    const FilePtr file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->sink && !file->fd.valid()) return -EBADF;
    if (file->signals) return -EINVAL;
    if (file->may_block || file->sink) return write_stream(call, file, pieces, where);
    const SysResult allowed = clip_to_file_limit(call.program, call.thread, *file, where.offset, pieces.total());
    if (allowed < 0) return allowed;
    const auto total = static_cast<std::uint64_t>(allowed);
    const Buffer buffer(std::min(total, kChunk));
    std::uint64_t done = 0;
    do {
        const std::uint64_t wanted = std::min(total - done, kChunk);
        const std::uint64_t got = pieces.gather(call.memory(), done, buffer.data(), wanted);
        if (got == 0 && wanted != 0) return done != 0 ? static_cast<SysResult>(done) : -EFAULT;
        const SysResult count = write_file(call.memory(), *file, buffer.data(), got, where);
        if (count < 0) return done != 0 ? static_cast<SysResult>(done) : count;
        done += static_cast<std::uint64_t>(count);
        if (static_cast<std::uint64_t>(count) < wanted) break;
        if (where.offset >= 0) where.offset += count;
    } while (done < total);
    return static_cast<SysResult>(done);
}

// ---- the calls ----

using Transfer = SysResult (*)(Call&, const Pieces&, Where);

SysResult plain(Call& call, Transfer transfer) {
    return transfer(call, Pieces::single(call.arg(1), call.arg(2)), {});
}
SysResult positioned(Call& call, Transfer transfer) {
    const auto offset = static_cast<off_t>(call.arg(3));
    if (offset < 0) return -EINVAL;
    return transfer(call, Pieces::single(call.arg(1), call.arg(2)), {offset, 0});
}
SysResult vectored(Call& call, Transfer transfer, const Where& where) {
    Pieces pieces;
    const SysResult error = pieces.read(call.memory(), call.arg(1), call.arg(2));
    return error != 0 ? error : transfer(call, pieces, where);
}
SysResult vectored_positioned(Call& call, Transfer transfer) {
    const auto offset = static_cast<off_t>(call.arg(3));
    return offset < 0 ? -EINVAL : vectored(call, transfer, {offset, 0});
}
SysResult vectored_with_flags(Call& call, Transfer transfer) {
    const auto offset = static_cast<off_t>(call.arg(3));
    return offset < -1 ? -EINVAL : vectored(call, transfer, {offset, call.int_arg(5)});
}

SysResult sys_read(Call& call) {
    return plain(call, do_read);
}
SysResult sys_pread64(Call& call) {
    return positioned(call, do_read);
}
SysResult sys_readv(Call& call) {
    return vectored(call, do_read, {});
}
SysResult sys_preadv(Call& call) {
    return vectored_positioned(call, do_read);
}
SysResult sys_preadv2(Call& call) {
    return vectored_with_flags(call, do_read);
}
SysResult sys_write(Call& call) {
    return plain(call, do_write);
}
SysResult sys_pwrite64(Call& call) {
    return positioned(call, do_write);
}
SysResult sys_writev(Call& call) {
    return vectored(call, do_write, {});
}
SysResult sys_pwritev(Call& call) {
    return vectored_positioned(call, do_write);
}
SysResult sys_pwritev2(Call& call) {
    return vectored_with_flags(call, do_write);
}

// ---- from file to file ----

// A file's offset may be given in memory, and is moved on there; then the file's own position stays.
struct Offset {
    Gva at = 0;
    off_t value = -1;

    [[nodiscard]] bool given() const { return at != 0; }
    SysResult read(AddressSpace& memory) {
        if (!given()) return 0;
        const auto there = memory.read<off_t>(at);
        if (!there) return -EFAULT;
        value = *there;
        return value < 0 ? -EINVAL : 0;
    }
    SysResult move_on(AddressSpace& memory, SysResult done) const {
        if (!given() || done <= 0) return done;
        return memory.write(at, static_cast<off_t>(value + done)) ? done : -EFAULT;
    }
};

SysResult put(AddressSpace& memory, const OpenFile& out, char* data, std::uint64_t bytes, off_t offset) {
    if (out.sink) return out.sink->write(std::string_view(data, bytes));
    return out.may_block ? host_write(out, data, bytes, {offset, 0})
                         : write_file(memory, out, data, bytes, {offset, 0});
}

// Through a buffer of ours, which works between all kinds of files. Moves what comes at once, like the kernel.
SysResult pump(AddressSpace& memory, const OpenFile& in, const OpenFile& out, std::uint64_t bytes, Offset from,
               Offset to) {
    const Buffer buffer(std::min(bytes, kChunk));
    std::uint64_t done = 0;
    while (done < bytes) {
        const SysResult got = host_read(in, buffer.data(), std::min(bytes - done, kChunk), {from.value, 0});
        if (got <= 0) return done != 0 ? static_cast<SysResult>(done) : got;
        const SysResult taken = put(memory, out, buffer.data(), static_cast<std::uint64_t>(got), to.value);
        if (taken < 0) return done != 0 ? static_cast<SysResult>(done) : taken;
        done += static_cast<std::uint64_t>(taken);
        if (from.given()) from.value += taken;
        if (to.given()) to.value += taken;
        // What was read and not written is read again.
        if (taken < got && !from.given()) ::lseek(in.fd.get(), taken - got, SEEK_CUR);
        if (taken < got) break;
    }
    return static_cast<SysResult>(done);
}

SysResult copy(Call& call, const FilePtr& in, const FilePtr& out, std::uint64_t bytes, const Offset& from,
               const Offset& to) {
    bytes = std::min(bytes, kMaxTransfer);
    if (out->fd.valid()) {
        const SysResult allowed = clip_to_file_limit(call.program, call.thread, *out, to.value, bytes);
        if (allowed < 0) return allowed;
        bytes = static_cast<std::uint64_t>(allowed);
    }
    call.memory().before_file_is_read(in->fd.get());
    const auto move = [&memory = call.memory(), in, out, bytes, from, to] {
        return pump(memory, *in, *out, bytes, from, to);
    };
    const auto finish = [&program = call.program, &thread = call.thread, from, to](SysResult done) {
        done = to.move_on(program.memory(), from.move_on(program.memory(), done));
        return tell_broken_pipe(program, thread, done);
    };
    return waits(*out) || out->sink ? wait_in_host(call, move, finish) : finish(move());
}

SysResult sys_sendfile(Call& call) {
    const FilePtr out = call.program.files().get(call.int_arg(0));
    const FilePtr in = call.program.files().get(call.int_arg(1));
    if (!in || !out || !in->fd.valid() || (!out->fd.valid() && !out->sink)) return -EBADF;
    Offset from{call.arg(2)};
    if (const SysResult error = from.read(call.memory()); error != 0) return error;
    if (in->may_block) return from.given() ? -ESPIPE : -EINVAL;
    if ((out->flags & O_APPEND) != 0) return -EINVAL;
    return copy(call, in, out, call.arg(3), from, {});
}

SysResult sys_copy_file_range(Call& call) {
    const FilePtr in = call.program.files().get(call.int_arg(0));
    const FilePtr out = call.program.files().get(call.int_arg(2));
    if (!in || !out || !in->fd.valid() || (!out->fd.valid() && !out->sink)) return -EBADF;
    if (call.arg(5) != 0 || in->may_block || out->may_block || out->sink) return -EINVAL;
    Offset from{call.arg(1)};
    Offset to{call.arg(3)};
    if (const SysResult error = from.read(call.memory()); error != 0) return error;
    if (const SysResult error = to.read(call.memory()); error != 0) return error;
    if ((out->flags & O_APPEND) != 0) return -EBADF;
    struct stat source {};
    struct stat target {};
    if (::fstat(in->fd.get(), &source) != 0 || ::fstat(out->fd.get(), &target) != 0) return -errno;
    if (S_ISDIR(source.st_mode) || S_ISDIR(target.st_mode)) return -EISDIR;
    if (!S_ISREG(source.st_mode) || !S_ISREG(target.st_mode)) return -EINVAL;
    return copy(call, in, out, call.arg(4), from, to);
}

constexpr SyscallEntry kEntries[] = {
    {SYS_read, "read", sys_read, Served::kForwarded, ""},
    {SYS_pread64, "pread64", sys_pread64, Served::kForwarded, ""},
    {SYS_readv, "readv", sys_readv, Served::kForwarded, ""},
    {SYS_preadv, "preadv", sys_preadv, Served::kForwarded, ""},
    {SYS_write, "write", sys_write, Served::kForwarded, ""},
    {SYS_pwrite64, "pwrite64", sys_pwrite64, Served::kForwarded, ""},
    {SYS_writev, "writev", sys_writev, Served::kForwarded, ""},
    {SYS_pwritev, "pwritev", sys_pwritev, Served::kForwarded, ""},
    {SYS_preadv2, "preadv2", sys_preadv2, Served::kForwarded, ""},
    {SYS_pwritev2, "pwritev2", sys_pwritev2, Served::kForwarded, ""},
    {SYS_sendfile, "sendfile", sys_sendfile, Served::kFully, ""},
    {SYS_copy_file_range, "copy_file_range", sys_copy_file_range, Served::kFully, "by copying"},
};

}  // namespace

SyscallList transfer_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
