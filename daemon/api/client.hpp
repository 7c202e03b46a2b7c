// The daemon's interface as calls: what `divisi` uses, and any C++ program may.
//
// Errors: those the daemon reports; kUnreachable when it is gone. Each call is a connection of its own.
#pragma once

#include <optional>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/http.hpp"
#include "daemon/api/launch.hpp"
#include "daemon/api/requests.hpp"

namespace divisi::api {

// A piece of a job's output, and whether more may come.
struct JobOutput {
    std::string text;
    bool complete = false;
};

class Client {
public:
    explicit Client(std::string socket) : socket_(std::move(socket)) {}

    // A descriptor that ends any wait when it becomes readable (a signalfd); the call then fails with kFailed.
    void set_cancel(int fd) noexcept { cancel_ = fd; }

    Result<json::object> info();
    Result<json::object> stop(bool force);
    Result<json::object> topologies();
    Result<json::object> topology(const std::string& name);
    Result<json::object> traffic(const std::string& name);
    Result<json::object> threads(const std::string& name, bool backtrace);
    Result<json::object> carve(const CarveRequest& request);
    Result<json::object> switch_mode(const std::string& name, const SwitchRequest& request);
    Result<json::object> release(const std::string& name, bool force);
    Result<json::object> jobs();
    Result<json::object> job(const std::string& id);
    Result<json::object> start_job(const std::string& name, const JobRequest& request);
    Result<json::object> kill_job(const std::string& id, int signo);
    Result<JobOutput> output(const std::string& id, std::uint64_t offset);

private:
    Result<Response> exchange_text(const std::string& method, const std::string& target, const std::string& body);
    Result<json::object> of_topology(const std::string& method, const std::string& name, const std::string& what,
                                     const std::optional<json::object>& body = {});
    Result<json::object> call(const std::string& method, const std::string& target,
                              const std::optional<json::object>& body = {});

    std::string socket_;
    int cancel_ = -1;
};

}  // namespace divisi::api
