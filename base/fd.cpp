#include "base/fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

namespace divisi {

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

void Fd::reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Fd> Fd::duplicate() const {
    const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return system_error(errno, "cannot duplicate a file descriptor");
    return Fd(copy);
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return system_error(errno, "cannot open", path);
    return Fd(fd);
}

Result<Fd> create_memfd(const std::string& name, std::size_t size_bytes) {
    Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd.valid()) return system_error(errno, "cannot create a memory file", name);
    if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
        const int error = errno;
        return system_error(
            error, "cannot size a memory file to " + std::to_string(size_bytes) + " bytes", name,
            error == EFBIG ? "memory counts as a file: raise ulimit -f, and stop a daemon that has the old one" : "");
    }
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return system_error(errno, "cannot seal the size of a memory file", name);
    return fd;
}

Result<std::string> read_fd(int fd, std::string_view object, std::size_t limit_bytes) {
    std::string content;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(errno, "cannot read", std::string(object));
        if (count == 0) return content;
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > limit_bytes)
            return make_error(Errc::kFailed, "larger than " + std::to_string(limit_bytes) + " bytes",
                              std::string(object));
    }
}

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
    DIVISI_TRY_ASSIGN(const Fd fd, open_file(path, O_RDONLY));
    return read_fd(fd.get(), path, limit_bytes);
}

Result<void> write_all(int fd, std::string_view data, std::string_view object) {
    while (!data.empty()) {
        const ssize_t count = ::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(errno, "cannot write", std::string(object));
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> replace_file(const std::string& path, std::string_view data) {
    const std::string temporary = path + ".new";
    DIVISI_TRY_ASSIGN(const Fd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    Result<void> done = write_all(fd.get(), data, temporary);
    if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = system_error(errno, "cannot replace", path);
    if (!done) ::unlink(temporary.c_str());
    return done;
}

}  // namespace divisi
