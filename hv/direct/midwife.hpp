// The thread of divisi-vmm that stub processes are born of. It has a descriptor table of its own.
//
// A new process starts with copies of its parent's descriptors. If the guests' were among them, then until the stub has
// closed them a pipe whose writers are gone would not be at its end, a lock whose file is closed would still be held,
// and so on. The midwife has none but those that it is sent for a birth.
//
// Owns: the thread. Stubs die with it: it must outlive them. Threads: `spawn` may be called from several.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::hv {

class Midwife {
public:
    static Result<std::unique_ptr<Midwife>> create();
    Midwife(const Midwife&) = delete;
    Midwife& operator=(const Midwife&) = delete;
    ~Midwife();

    // Executes the image `image` in a new process with the descriptors `fds`, as spawn.hpp says. Both are lent for the
    // time of the call. Errors: those of clone and execve.
    Result<pid_t> spawn(int image, std::span<const int> fds);

private:
    explicit Midwife(Fd socket) : socket_(std::move(socket)) {}

    std::mutex mutex_;
    Fd socket_;
    std::thread thread_;
};

}  // namespace divisi::hv
