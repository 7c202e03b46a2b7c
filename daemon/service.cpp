#include "daemon/service.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <utility>

#include "base/paths.hpp"
#include "daemon/api/vmm.hpp"
#include "daemon/job_log.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kJobPatience{60};
constexpr std::size_t kOutputBytes = 1U << 20U;

api::Response to_response(int status, Result<json::object> result) {
    return result ? api::json_response(status, *result) : api::error_response(result.error());
}

std::string parameter(const api::Request& request, const std::string& name) {
    const auto found = request.target.query.find(name);
    return found == request.target.query.end() ? std::string{} : found->second;
}

Result<bool> flag_parameter(const api::Request& request, const std::string& name) {
    if (!request.target.query.contains(name)) return false;
    const std::string value = parameter(request, name);
    if (value.empty() || value == "true" || value == "1") return true;
    if (value == "false" || value == "0") return false;
    return make_error(Errc::kUsage, "parameter '" + name + "' must be true or false");
}

Result<std::uint64_t> number_parameter(const api::Request& request, const std::string& name) {
    const std::string text = parameter(request, name);
    std::uint64_t value = 0;
    if (text.empty()) return value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return make_error(Errc::kUsage, "parameter '" + name + "' must be a whole number");
    return value;
}

Result<api::Program> program_of(const api::JobRequest& job) {
    const auto search_path = api::environment_value(job.env, "PATH");
    return api::find_program(job.path.empty() ? job.argv.front() : job.path, job.cwd,
                             search_path.value_or("/usr/local/bin:/usr/bin:/bin"));
}

Result<json::object> carve(Topologies& topologies, const api::Request& request) {
    DIVISI_TRY_ASSIGN(const json::object body, api::parse_body(request.body));
    DIVISI_TRY_ASSIGN(const api::CarveRequest wanted, api::parse_carve_request(body));
    // Held until its name is written down: meanwhile the pid cannot get another owner.
    const Fd held = request.peer != nullptr ? api::open_peer(*request.peer) : Fd();
    std::optional<pid_t> owner;
    if (held.valid()) owner = request.peer->pid;
    return topologies.carve(wanted, owner, request.gone);
}

Result<json::object> switch_mode(Topologies& topologies, const std::string& name, const api::Request& request) {
    DIVISI_TRY_ASSIGN(const json::object body, api::parse_body(request.body));
    DIVISI_TRY_ASSIGN(const api::SwitchRequest wanted, api::parse_switch_request(body));
    return topologies.switch_mode(name, wanted, request.gone);
}

Result<json::object> release(Topologies& topologies, const std::string& name, const api::Request& request) {
    DIVISI_TRY_ASSIGN(const bool force, flag_parameter(request, "force"));
    return topologies.release(name, force);
}

Result<json::object> stop(Topologies& topologies, const api::Request& request, const std::function<void()>& end) {
    DIVISI_TRY_ASSIGN(const bool force, api::parse_force(request.body));
    DIVISI_TRY(topologies.release_all(force));
    end();
    return json::object{{"stopping", true}};
}

}  // namespace

Service::Service(Topologies& topologies, std::string version, std::function<void()> stop)
    : topologies_(topologies), version_(std::move(version)), stop_(std::move(stop)), started_(std::time(nullptr)) {
    router_.add({"GET", "v1/info", {}, [this](const auto&, const auto&) { return to_response(200, info()); }});
    router_.add({"POST", "v1/stop", {}, [this](const api::Request& request, const auto&) {
                     return to_response(200, daemon::stop(topologies_, request, stop_));
                 }});
    add_topology_routes();
    add_job_routes();
}

void Service::add_topology_routes() {
    router_.add({"GET", "v1/topologies", {}, [this](const auto&, const auto&) {
                     return to_response(200, topologies_.list());
                 }});
    router_.add({"POST", "v1/topologies", {}, [this](const api::Request& request, const auto&) {
                     return to_response(201, carve(topologies_, request));
                 }});
    router_.add({"GET", "v1/topologies/*", {}, [this](const auto&, const Arguments& arguments) {
                     return to_response(200, topologies_.show(arguments[0]));
                 }});
    router_.add({"GET", "v1/topologies/*/traffic", {}, [this](const auto&, const Arguments& arguments) {
                     return to_response(200, topologies_.traffic(arguments[0]));
                 }});
    router_.add({"DELETE", "v1/topologies/*", {"force"}, [this](const api::Request& request, const Arguments& a) {
                     return to_response(200, release(topologies_, a[0], request));
                 }});
    router_.add(
        {"GET", "v1/topologies/*/threads", {"backtrace"}, [this](const api::Request& request, const Arguments& a) {
             return to_response(200, threads(a[0], request));
         }});
    router_.add({"POST", "v1/topologies/*/switch", {}, [this](const api::Request& request, const Arguments& a) {
                     return to_response(200, switch_mode(topologies_, a[0], request));
                 }});
}

void Service::add_job_routes() {
    router_.add({"GET", "v1/jobs", {}, [this](const auto&, const auto&) { return to_response(200, all_jobs()); }});
    router_.add({"POST", "v1/topologies/*/jobs", {}, [this](const api::Request& request, const Arguments& a) {
                     return to_response(201, start_job(a[0], request));
                 }});
    router_.add({"GET", "v1/jobs/*", {}, [this](const auto&, const Arguments& arguments) {
                     return to_response(200, find_job(arguments[0]));
                 }});
    router_.add({"DELETE", "v1/jobs/*", {"signal"}, [this](const api::Request& request, const Arguments& a) {
                     return to_response(200, kill_job(a[0], request));
                 }});
    router_.add({"GET", "v1/jobs/*/output", {"offset"}, [this](const api::Request& request, const Arguments& a) {
                     auto response = output(a[0], request);
                     return response ? std::move(*response) : api::error_response(response.error());
                 }});
}

Result<json::object> Service::info() const {
    const std::vector<Entry> entries = topologies_.registry().list();
    json::object pus;
    for (const Entry& entry : entries)
        for (const std::uint32_t pu : entry.facts.claims.pus) {
            json::value& names = pus[std::to_string(pu)];
            if (!names.is_array()) names = json::array();
            names.get_array().emplace_back(entry.facts.name);
        }
    std::uint64_t memory = 0;
    for (const Entry& entry : entries) memory += entry.facts.claims.memory;
    return json::object{{"version", version_},          {"api", "v1"},         {"pid", ::getpid()},
                        {"uid", ::geteuid()},           {"started", started_}, {"state_dir", topologies_.state()},
                        {"topologies", entries.size()}, {"memory", memory},    {"pus", std::move(pus)}};
}

Result<json::object> Service::start_job(const std::string& name, const api::Request& request) const {
    DIVISI_TRY_ASSIGN(const json::object body, api::parse_body(request.body));
    DIVISI_TRY_ASSIGN(api::JobRequest job, api::parse_job_request(body));
    DIVISI_TRY(api::check_name(name));
    DIVISI_TRY(topologies_.registry().find(name));
    DIVISI_TRY_ASSIGN(const api::Program program, program_of(job));
    job.path = program.path;
    DIVISI_TRY_ASSIGN(const Fd cwd, open_file(job.cwd, O_PATH | O_DIRECTORY));
    DIVISI_TRY_ASSIGN(const Fd null, open_file("/dev/null", O_RDONLY));
    DIVISI_TRY_ASSIGN(PendingLog log, PendingLog::create(topology_dir(topologies_.state(), name)));
    DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(topologies_.socket_of(name)));
    const api::JobFiles files{null.get(), log.fd(), log.fd(), program.file.get(), cwd.get()};
    DIVISI_TRY(vmm.start_job(job, files, true));
    DIVISI_TRY_ASSIGN(const json::object started, vmm.answer(api::Clock::now() + kJobPatience, request.gone));
    DIVISI_TRY_ASSIGN(const std::string id, string_field(started, "job"));
    DIVISI_TRY_ASSIGN(const std::string topology, api::topology_of_job(id));  // it becomes a file's name
    DIVISI_TRY(log.name(id));
    return json::object{{"job", id}, {"topology", topology}};
}

Result<json::object> Service::threads(const std::string& name, const api::Request& request) const {
    DIVISI_TRY_ASSIGN(const bool backtrace, flag_parameter(request, "backtrace"));
    DIVISI_TRY(api::check_name(name));
    DIVISI_TRY(topologies_.registry().find(name));
    DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(topologies_.socket_of(name)));
    DIVISI_TRY_ASSIGN(json::object answer, vmm.request({{"op", "threads"}, {"backtrace", backtrace}},
                                                       api::Clock::now() + kJobPatience, request.gone));
    answer.erase("ok");
    return answer;
}

Result<json::object> Service::find_job(const std::string& id) const {
    DIVISI_TRY_ASSIGN(const std::string topology, api::topology_of_job(id));
    DIVISI_TRY_ASSIGN(const Status status, topologies_.status(topology));
    if (!status.answer) return status.answer.error();
    for (const json::value& job : jobs_of(status))
        if (const auto name = string_field(job.get_object(), "id"); name && *name == id) return job.get_object();
    return make_error(Errc::kNotFound, "no such job", "'" + id + "'",
                      "'divisi ps' lists those that run or ended lately");
}

Result<json::object> Service::kill_job(const std::string& id, const api::Request& request) const {
    DIVISI_TRY_ASSIGN(const std::string topology, api::topology_of_job(id));
    int signo = SIGTERM;
    if (const std::string text = parameter(request, "signal"); !text.empty()) {
        DIVISI_TRY_ASSIGN(signo, api::parse_signal(text));
    }
    DIVISI_TRY(topologies_.registry().find(topology));
    DIVISI_TRY_ASSIGN(api::VmmConnection vmm, api::VmmConnection::open(topologies_.socket_of(topology)));
    DIVISI_TRY(
        vmm.request({{"op", "kill"}, {"job", id}, {"signal", signo}}, api::Clock::now() + kJobPatience, request.gone));
    return json::object{{"job", id}, {"signal", signo}};
}

Result<api::Response> Service::output(const std::string& id, const api::Request& request) const {
    DIVISI_TRY_ASSIGN(const std::string topology, api::topology_of_job(id));
    DIVISI_TRY_ASSIGN(const std::uint64_t offset, number_parameter(request, "offset"));
    // In this order: what a job wrote before it was seen to have ended is in the log by then.
    DIVISI_TRY_ASSIGN(const json::object job, find_job(id));
    DIVISI_TRY_ASSIGN(LogPiece piece,
                      read_job_log(topology_dir(topologies_.state(), topology), id, offset, kOutputBytes));
    DIVISI_TRY_ASSIGN(const std::string state, string_field_or(job, "state", {}));
    api::Response response;
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Divisi-Complete", state == "ended" && piece.at_end ? "true" : "false");
    response.body = std::move(piece.text);
    return response;
}

json::object Service::all_jobs() const {
    json::array jobs;
    for (const Status& status : topologies_.statuses())
        for (json::value& job : jobs_of(status)) jobs.push_back(std::move(job));
    return {{"jobs", std::move(jobs)}};
}

}  // namespace divisi::daemon
