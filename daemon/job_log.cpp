#include "daemon/job_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <limits>

namespace divisi::daemon {
namespace {

std::string log_folder(const std::string& dir) {
    return dir + "/jobs";
}

std::string log_path(const std::string& dir, const std::string& job) {
    return log_folder(dir) + "/" + job + ".log";
}

}  // namespace

Result<PendingLog> PendingLog::create(const std::string& dir) {
    const std::string folder = log_folder(dir);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error(errno, "cannot make the folder of job logs", folder);
    std::string path = folder + "/.starting-XXXXXX";
    Fd file(::mkostemp(path.data(), O_CLOEXEC | O_APPEND));
    if (!file.valid()) return system_error(errno, "cannot make a job's log", path);
    return PendingLog(dir, std::move(path), std::move(file));
}

PendingLog::~PendingLog() {
    if (file_.valid() && !path_.empty()) ::unlink(path_.c_str());
}

Result<void> PendingLog::name(const std::string& job) {
    const std::string target = log_path(folder_, job);
    if (::rename(path_.c_str(), target.c_str()) != 0) return system_error(errno, "cannot name a job's log", target);
    path_.clear();
    return {};
}

Result<LogPiece> read_job_log(const std::string& dir, const std::string& job, std::uint64_t offset,
                              std::size_t limit_bytes) {
    const auto file = open_file(log_path(dir, job), O_RDONLY | O_NOFOLLOW);
    if (!file)
        return make_error(Errc::kNotFound, "has no log", "job '" + job + "'",
                          "only detached jobs have one; the others write to where they were started");
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()) - limit_bytes)
        return make_error(Errc::kUsage, "offset too large");
    LogPiece piece;
    piece.text.resize(limit_bytes);
    const ssize_t count = ::pread(file->get(), piece.text.data(), limit_bytes, static_cast<off_t>(offset));
    if (count < 0) return system_error(errno, "cannot read a job's log", job);
    piece.text.resize(static_cast<std::size_t>(count));
    piece.at_end = static_cast<std::size_t>(count) < limit_bytes;
    return piece;
}

}  // namespace divisi::daemon
