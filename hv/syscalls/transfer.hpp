// Bytes on their way between a program's memory and the host.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <memory>
#include <vector>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {

using FilePtr = std::shared_ptr<OpenFile>;

// How much is moved in one call, and of that how much at a time; Linux too may move less than was asked for.
inline constexpr std::uint64_t kMaxTransfer = 0x7fff'f000;
inline constexpr std::uint64_t kChunk = 256U << 10U;
inline constexpr std::uint64_t kMaxStreamWrite = 16U << 20U;

// The pieces of memory that a call reads from or writes to, one after another.
class Pieces {
public:
    static Pieces single(Gva base, std::uint64_t length) {
        Pieces pieces;
        pieces.add(base, length);
        return pieces;
    }
    // An array of iovec. -EINVAL, -EFAULT.
    SysResult read(AddressSpace& memory, Gva at, std::uint64_t count) {
        if (count > IOV_MAX) return -EINVAL;
        std::vector<Piece> given(count);
        if (!memory.copy_in(given.data(), at, count * sizeof(Piece))) return -EFAULT;
        for (const Piece& piece : given) {
            if (piece.length > SSIZE_MAX) return -EINVAL;
        }
        for (const Piece& piece : given) add(piece.base, piece.length);
        return 0;
    }
    [[nodiscard]] std::uint64_t total() const { return total_; }

    // Copies up to `bytes` at `offset` into the pieces; how much went well.
    std::uint64_t scatter(AddressSpace& memory, std::uint64_t offset, const char* data, std::uint64_t bytes) const {
        return walk(offset, bytes, [&](Gva at, std::uint64_t done, std::uint64_t part) {
            return memory.copy_out(at, data + done, part);
        });
    }
    std::uint64_t gather(AddressSpace& memory, std::uint64_t offset, char* data, std::uint64_t bytes) const {
        return walk(offset, bytes, [&](Gva at, std::uint64_t done, std::uint64_t part) {
            return memory.copy_in(data + done, at, part);
        });
    }

private:
    struct Piece {
        Gva base;
        std::uint64_t length;
    };

    void add(Gva base, std::uint64_t length) {
        length = std::min(length, kMaxTransfer - total_);
        if (length != 0) pieces_.push_back({base, length});
        total_ += length;
    }
    template <typename Copy>
    std::uint64_t walk(std::uint64_t offset, std::uint64_t bytes, Copy copy) const {
        std::uint64_t done = 0;
        for (const Piece& piece : pieces_) {
            if (offset >= piece.length) {
                offset -= piece.length;
                continue;
            }
            const std::uint64_t part = std::min(piece.length - offset, bytes - done);
            if (part != 0 && !copy(piece.base + offset, done, part)) return done;
            done += part;
            offset = 0;
            if (done == bytes) break;
        }
        return done;
    }

    std::vector<Piece> pieces_;
    std::uint64_t total_ = 0;
};

// Bytes on their way between the program and the host; not zeroed first.
class Buffer {
public:
    explicit Buffer(std::uint64_t bytes) : bytes_(new char[bytes]), size_(bytes) {}
    [[nodiscard]] char* data() const { return bytes_.get(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    void shrink(std::uint64_t bytes) { size_ = bytes; }

private:
    std::unique_ptr<char[]> bytes_;
    std::uint64_t size_;
};

// Whether a call on the file may have to wait.
inline bool waits(const OpenFile& file) {
    return file.may_block && (file.flags & O_NONBLOCK) == 0;
}

// How many of `bytes` the program's limit of file sizes lets be written at `offset` of a file (-1: at its position);
// -EFBIG, and the signal that goes with it, where it is none. 0 for a size it may be given by `within_file_limit`.
SysResult clip_to_file_limit(Program& program, Thread& thread, const OpenFile& file, off_t offset, std::uint64_t bytes);
SysResult within_file_limit(Call& call, const Fd& file, off_t size);
// Whether there is memory for a file of this size; only memory files need any.
bool takes_memory(const OpenFile& file, off_t size);

// After a write or send: a broken pipe is a signal too.
SysResult tell_broken_pipe(Program& program, Thread& thread, SysResult result);

}  // namespace divisi::hv
