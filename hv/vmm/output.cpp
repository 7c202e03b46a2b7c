#include "hv/vmm/output.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace divisi::hv::vmm {
namespace {

// A line longer than this is passed on in parts: memory must not grow with what a program prints.
constexpr std::size_t kLongestLine = 64U << 10U;

}  // namespace

std::int64_t SharedOutput::write(std::string_view data) {
    const std::lock_guard lock(mutex_);
    while (!data.empty()) {
        const ssize_t count = ::write(fd_.get(), data.data(), data.size());
        if (count >= 0) {
            data.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            // The descriptor is the caller's, and may be non-blocking for its other users.
            pollfd ready{fd_.get(), POLLOUT, 0};
            ::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

std::string LineSink::labelled(std::string_view lines) const {
    if (label_.empty()) return std::string(lines);
    std::string text;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
        text += label_;
        text += lines.substr(0, end);
        lines.remove_prefix(end);
    }
    return text;
}

std::int64_t LineSink::write(std::string_view data) {
    const std::lock_guard lock(mutex_);
    const std::size_t last = data.rfind('\n');
    const auto taken = static_cast<std::int64_t>(data.size());
    std::string ready;
    if (last != std::string_view::npos) {
        ready = std::move(partial_);
        ready += data.substr(0, last + 1);
        partial_ = data.substr(last + 1);
    } else {
        partial_ += data;
    }
    if (partial_.size() > kLongestLine) ready += std::exchange(partial_, {});
    if (ready.empty()) return taken;
    const std::int64_t error = output_->write(labelled(ready));
    return error != 0 ? error : taken;
}

void LineSink::finish() {
    const std::lock_guard lock(mutex_);
    if (partial_.empty()) return;
    if (!label_.empty()) partial_ += '\n';
    output_->write(labelled(std::exchange(partial_, {})));
}

}  // namespace divisi::hv::vmm
