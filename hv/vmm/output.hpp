// Where the output of a job's ranks goes: one descriptor for all, a whole line at a time.
//
// Threads: all members may be called from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "hv/files.hpp"

namespace divisi::hv::vmm {

// A descriptor that several ranks write to.
class SharedOutput {
public:
    explicit SharedOutput(Fd fd) : fd_(std::move(fd)) {}
    // All of it without another's in between. Returns 0 or a negative errno (EPIPE: nobody reads any more).
    std::int64_t write(std::string_view data);
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    Fd fd_;
    std::mutex mutex_;
};

// One rank's end of it: holds back a line until it is complete.
class LineSink final : public OutputSink {
public:
    // `label` is put before every line; empty for none.
    LineSink(std::shared_ptr<SharedOutput> output, std::string label)
        : output_(std::move(output)), label_(std::move(label)) {}

    std::int64_t write(std::string_view data) override;
    [[nodiscard]] int terminal() const override { return output_->fd(); }
    // Writes what is left of an unfinished line, with a line end where others follow.
    void finish();

private:
    std::string labelled(std::string_view lines) const;

    std::shared_ptr<SharedOutput> output_;
    std::string label_;
    std::mutex mutex_;
    std::string partial_;
};

}  // namespace divisi::hv::vmm
