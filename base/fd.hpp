// An owned file descriptor.
//
// Owns: the descriptor; closed once, on destruction or `reset`.
// Threads: as an int; no operation is synchronized.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace divisi {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept;

    // A second descriptor for the same open file, close-on-exec.
    [[nodiscard]] Result<Fd> duplicate() const;

private:
    int fd_ = -1;
};

// open(2) with O_CLOEXEC added. Errors: the errno, with the path as object.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0);
// A sealed-size anonymous file, close-on-exec. Errors: the errno.
Result<Fd> create_memfd(const std::string& name, std::size_t size_bytes);
// The whole content of a file, at most `limit_bytes`. Errors: errno; kFailed when it is larger.
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 16U << 20U);
Result<std::string> read_fd(int fd, std::string_view object, std::size_t limit_bytes);
// Writes all of `data`, retrying short writes and EINTR.
Result<void> write_all(int fd, std::string_view data, std::string_view object);
// Writes `data` to `path` by way of a temporary file beside it, so that readers see the old or the new content.
// One writer at a time. Errors: errno; the old content then stands.
Result<void> replace_file(const std::string& path, std::string_view data);

}  // namespace divisi
