// The daemon's interface (docs/api.md): HTTP requests in, topologies and jobs moved, JSON out.
#pragma once

#include <ctime>
#include <functional>
#include <string>

#include "daemon/api/http.hpp"
#include "daemon/router.hpp"
#include "daemon/topologies.hpp"

namespace divisi::daemon {

class Service {
public:
    // `stop`: ends the daemon, after the response that is being made.
    Service(Topologies& topologies, std::string version, std::function<void()> stop);

    // Threads: safe from any thread.
    [[nodiscard]] api::Response serve(const api::Request& request) const { return router_.serve(request); }

private:
    void add_topology_routes();
    void add_job_routes();
    Result<json::object> info() const;
    Result<json::object> start_job(const std::string& name, const api::Request& request) const;
    Result<json::object> threads(const std::string& name, const api::Request& request) const;
    Result<json::object> find_job(const std::string& id) const;
    Result<json::object> kill_job(const std::string& id, const api::Request& request) const;
    Result<api::Response> output(const std::string& id, const api::Request& request) const;
    json::object all_jobs() const;

    Topologies& topologies_;
    std::string version_;
    std::function<void()> stop_;
    std::time_t started_;
    Router router_;
};

}  // namespace divisi::daemon
