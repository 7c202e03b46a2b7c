#include "daemon/api/client.hpp"

#include <algorithm>

#include "daemon/api/http_client.hpp"

namespace divisi::api {
namespace {

// Longer than anything the daemon waits for by itself, except a drain, which ends when the user says so.
constexpr std::chrono::hours kPatience{24 * 365};

std::string topology_path(const std::string& name) {
    return "/v1/topologies/" + escape(name);
}

std::string job_path(const std::string& id) {
    return "/v1/jobs/" + escape(id);
}

}  // namespace

Result<Response> Client::exchange_text(const std::string& method, const std::string& target, const std::string& body) {
    DIVISI_TRY_ASSIGN(Fd connection, connect_unix(socket_));
    DIVISI_TRY_ASSIGN(Response response,
                      exchange(std::move(connection), method, target, body, Clock::now() + kPatience, cancel_));
    if (response.status >= 200 && response.status < 300) return response;
    DIVISI_TRY_ASSIGN(const json::object object, parse_object(response.body));
    DIVISI_TRY_ASSIGN(const json::object* error, object_field(object, "error"));
    return error_from_json(*error);
}

Result<json::object> Client::call(const std::string& method, const std::string& target,
                                  const std::optional<json::object>& body) {
    DIVISI_TRY_ASSIGN(const Response response, exchange_text(method, target, body ? json::serialize(*body) : ""));
    return parse_object(response.body);
}

Result<json::object> Client::of_topology(const std::string& method, const std::string& name, const std::string& what,
                                         const std::optional<json::object>& body) {
    DIVISI_TRY(check_name(name));
    return call(method, topology_path(name) + what, body);
}

Result<json::object> Client::info() {
    return call("GET", "/v1/info");
}

Result<json::object> Client::stop(bool force) {
    return call("POST", "/v1/stop", json::object{{"force", force}});
}

Result<json::object> Client::topologies() {
    return call("GET", "/v1/topologies");
}

Result<json::object> Client::topology(const std::string& name) {
    return of_topology("GET", name, "");
}

Result<json::object> Client::traffic(const std::string& name) {
    return of_topology("GET", name, "/traffic");
}

Result<json::object> Client::threads(const std::string& name, bool backtrace) {
    return of_topology("GET", name, backtrace ? "/threads?backtrace=true" : "/threads");
}

Result<json::object> Client::carve(const CarveRequest& request) {
    return call("POST", "/v1/topologies", to_json(request));
}

Result<json::object> Client::switch_mode(const std::string& name, const SwitchRequest& request) {
    return of_topology("POST", name, "/switch", to_json(request));
}

Result<json::object> Client::release(const std::string& name, bool force) {
    return of_topology("DELETE", name, force ? "?force=true" : "");
}

Result<json::object> Client::jobs() {
    return call("GET", "/v1/jobs");
}

Result<json::object> Client::job(const std::string& id) {
    return call("GET", job_path(id));
}

Result<json::object> Client::start_job(const std::string& name, const JobRequest& request) {
    return of_topology("POST", name, "/jobs", to_json(request));
}

Result<json::object> Client::kill_job(const std::string& id, int signo) {
    return call("DELETE", job_path(id) + "?signal=" + std::to_string(signo));
}

Result<JobOutput> Client::output(const std::string& id, std::uint64_t offset) {
    DIVISI_TRY_ASSIGN(Response response,
                      exchange_text("GET", job_path(id) + "/output?offset=" + std::to_string(offset), ""));
    const bool complete = std::any_of(response.headers.begin(), response.headers.end(), [](const auto& header) {
        return header.first == "Divisi-Complete" && header.second == "true";
    });
    return JobOutput{std::move(response.body), complete};
}

}  // namespace divisi::api
