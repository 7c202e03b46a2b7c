// Backtraces of a program's threads, made by a confined process (unwind/main.cpp) that knows the program's image and
// nothing else; what it wants to read of the memory it asks for.
//
// Threads: an UnwindServer may be used by several; an Unwinder by one at a time.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>

#include "base/fd.hpp"
#include "base/process.hpp"
#include "base/result.hpp"
#include "hv/backtrace.hpp"
#include "hv/elf/image.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

// Where the nodes' vDSO is: a file from its start, and the address it has in the program.
struct VdsoPlace {
    int fd = -1;  // lent
    Gva address = 0;
};

class Unwinder {
public:
    // Copies a whole page of the program's memory; false where there is none.
    using ReadPage = std::function<bool(Gva page, std::span<std::byte> to)>;

    // The innermost frames, at most `most`. Errors: kFailed when the helper fails or takes longer than `patience`; it
    // is of no more use then.
    Result<Backtrace> unwind(const Registers& registers, std::size_t most, std::chrono::milliseconds patience);

private:
    friend class UnwindServer;
    Unwinder(Fd socket, ReadPage read_page) : socket_(std::move(socket)), read_page_(std::move(read_page)) {}
    Result<void> serve_read(std::span<const std::byte> packet);

    Fd socket_;
    ReadPage read_page_;
};

// Owns: the process divisi-unwind, which ends with it.
class UnwindServer {
public:
    // Errors: those of starting a process.
    static Result<UnwindServer> start();
    // Errors: errno; the server has ended.
    Result<Unwinder> open(const Image& image, const VdsoPlace& vdso, Unwinder::ReadPage read_page) const;

private:
    UnwindServer(Process process, Fd socket) : process_(std::move(process)), socket_(std::move(socket)) {}

    // In this order: it ends when the socket closes, and where signals are forbidden nothing else would end it.
    Process process_;
    Fd socket_;
};

}  // namespace divisi::hv
