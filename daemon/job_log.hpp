// The output of detached jobs: one file a job, `<topology's folder>/jobs/JOB.log`.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::daemon {

// A log that is written to before its job has a name. Removes the file unless it was named.
class PendingLog {
public:
    // Errors: errno.
    static Result<PendingLog> create(const std::string& dir);

    PendingLog(PendingLog&&) noexcept = default;
    PendingLog& operator=(PendingLog&&) = delete;
    PendingLog(const PendingLog&) = delete;
    PendingLog& operator=(const PendingLog&) = delete;
    ~PendingLog();

    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    Result<void> name(const std::string& job);

private:
    PendingLog(std::string folder, std::string path, Fd file)
        : folder_(std::move(folder)), path_(std::move(path)), file_(std::move(file)) {}

    std::string folder_;
    std::string path_;
    Fd file_;
};

struct LogPiece {
    std::string text;
    bool at_end = false;
};

// What stands in a job's log from `offset`, at most `limit_bytes`. Errors: kNotFound when the job has none.
Result<LogPiece> read_job_log(const std::string& dir, const std::string& job, std::uint64_t offset,
                              std::size_t limit_bytes);

}  // namespace divisi::daemon
