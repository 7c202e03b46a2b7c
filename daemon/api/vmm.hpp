// A client's side of docs/vmm-protocol.md: requests to one divisi-vmm, each with a time limit.
//
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "base/control.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/launch.hpp"
#include "daemon/api/requests.hpp"

namespace divisi::api {

// The descriptors a job is started with; lent for the time of the call.
struct JobFiles {
    int input;
    int output;
    int error;
    int program;
    int cwd;
};

// What a host process needs to be a rank: the window's memory, and the value of DIVISI_NATIVE that describes it.
struct Joined {
    std::string job;
    std::string native;
    Fd window;
};

class VmmConnection {
public:
    // Errors: kUnreachable when nothing listens at `socket`, or when it does not accept in time.
    static Result<VmmConnection> open(const std::string& socket,
                                      std::chrono::milliseconds patience = std::chrono::seconds(5));

    // The process that listens, as the kernel names it.
    [[nodiscard]] pid_t pid() const noexcept;
    [[nodiscard]] int fd() const noexcept { return connection_.fd(); }

    // Sends a request and waits for its answer; `cancel` is a descriptor that ends the wait when it becomes readable.
    // Errors: the peer's own; kUnreachable when it ends or does not answer until the deadline; kFailed when cancelled.
    Result<json::object> request(const json::object& body, Deadline deadline, int cancel = -1);
    // Two halves of `request`, to ask several peers at once.
    Result<void> send(const json::object& body, std::span<const int> fds = {});
    Result<json::object> answer(Deadline deadline, int cancel = -1);

    // Asks for a job. Its answer, and its events after that, come by `next_event`; signals may be sent at once.
    Result<void> start_job(const JobRequest& job, const JobFiles& files, bool detach);
    // Joins the running job as one of the ranks that it leaves to host processes; the window's descriptor will be `fd`
    // in that process. Signals for it come as events after that; its end is to be sent: {"exit": code}.
    Result<Joined> join(std::uint64_t rank, int fd);
    // The next event, `nullopt` at the end of the connection. Blocks.
    Result<std::optional<json::object>> next_event();

private:
    explicit VmmConnection(ControlConnection connection) : connection_(std::move(connection)) {}
    ControlConnection connection_;
};

// The answer itself, or the error it carries.
Result<json::object> checked(json::object answer);

// What the program of a job is: an absolute path and an open file.
struct Program {
    std::string path;
    Fd file;
};

// Finds argv[0] as a shell would: with a slash it is a path (from `cwd`), else the first match in `search_path`.
// Errors: kNotFound (a shell's exit code 127); kBadImage for what is no executable file (126).
Result<Program> find_program(const std::string& name, const std::string& cwd, const std::string& search_path);

// The value of NAME in a list of "NAME=value".
std::optional<std::string> environment_value(std::span<const std::string> env, std::string_view name);

}  // namespace divisi::api
