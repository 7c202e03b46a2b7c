#include "daemon/status.hpp"

#include <optional>

#include "base/paths.hpp"
#include "daemon/api/vmm.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kConnectPatience{1};
constexpr std::chrono::seconds kAnswerPatience{3};

// A field as it came, null where there is none: what a divisi-vmm says of itself is shown, not interpreted.
json::value field(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr ? *value : json::value{};
}

const json::array* array(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr ? value->if_array() : nullptr;
}

bool runs(const json::value& job) {
    const json::object* object = job.if_object();
    return object != nullptr && field(*object, "state") == json::value("running");
}

// What the daemon knows by itself, and therefore always.
json::object own_view(const Entry& entry) {
    json::object object{{"name", entry.facts.name}, {"mode", nullptr}, {"state", to_string(entry.state)}};
    object["backend"] = nullptr;
    object["vmm_pid"] = entry.vmm ? json::value(entry.vmm->pid()) : json::value(nullptr);
    return object;
}

// The daemon's own state says more than the process's while it acts on it.
json::value state_of(const Status& status) {
    if (status.entry.state != State::kReady) return json::value(to_string(status.entry.state));
    if (!status.answer) return "unresponsive";
    return field(*status.answer, "state");
}

void add_facts(json::object& object, const Entry& entry) {
    object["source"] = entry.facts.source;
    object["created"] = entry.facts.created;
    object["memory"] = entry.facts.claims.memory;
    object["ephemeral"] = entry.facts.owner.has_value();
}

struct Asked {
    std::optional<api::VmmConnection> connection;
    Result<void> sent;
};

Asked ask_one(const std::string& state, const Entry& entry) {
    if (!entry.vmm) return {std::nullopt, make_error(Errc::kBusy, "it is being carved")};
    const std::string socket = vmm_socket(topology_dir(state, entry.facts.name));
    auto connection = api::VmmConnection::open(socket, kConnectPatience);
    if (!connection) return {std::nullopt, std::move(connection).error()};
    auto sent = connection->send({{"op", "status"}});
    return {std::move(*connection), std::move(sent)};
}

}  // namespace

std::vector<Status> ask(const std::string& state, const std::vector<Entry>& entries) {
    std::vector<Asked> asked;
    asked.reserve(entries.size());
    for (const Entry& entry : entries) asked.push_back(ask_one(state, entry));
    const api::Deadline deadline = api::Clock::now() + kAnswerPatience;
    std::vector<Status> result;
    result.reserve(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (asked[i].sent) {
            result.push_back({entries[i], asked[i].connection->answer(deadline)});
        } else {
            result.push_back({entries[i], std::move(asked[i].sent).error()});
        }
    }
    return result;
}

json::object describe(const std::string& state, const Status& status) {
    json::object object = own_view(status.entry);
    if (status.answer) {
        for (const auto& pair : *status.answer)
            if (pair.key() != "ok") object[pair.key()] = pair.value();
    } else {
        object["problem"] = status.answer.error().message();
    }
    object["name"] = status.entry.facts.name;
    object["state"] = state_of(status);
    for (const json::string_view name : {"nodes", "links", "jobs"})
        if (array(object, name) == nullptr) object[name] = json::array();
    object["jobs"] = jobs_of(status);
    add_facts(object, status.entry);
    object["folder"] = topology_dir(state, status.entry.facts.name);
    return object;
}

json::object summarize(const Status& status) {
    json::object object = own_view(status.entry);
    object["state"] = state_of(status);
    object["nodes"] = 0;
    object["jobs"] = running_jobs(status).size();
    if (status.answer) {
        object["mode"] = field(*status.answer, "mode");
        object["backend"] = field(*status.answer, "backend");
        if (const json::array* nodes = array(*status.answer, "nodes")) object["nodes"] = nodes->size();
    }
    add_facts(object, status.entry);
    return object;
}

json::array jobs_of(const Status& status) {
    json::array result;
    if (!status.answer) return result;
    const json::array* jobs = array(*status.answer, "jobs");
    if (jobs == nullptr) return result;
    for (const json::value& value : *jobs) {
        const json::object* job = value.if_object();
        if (job == nullptr) continue;
        json::object copy = *job;
        copy["topology"] = status.entry.facts.name;
        result.push_back(std::move(copy));
    }
    return result;
}

std::vector<std::string> running_jobs(const Status& status) {
    std::vector<std::string> names;
    for (const json::value& job : jobs_of(status)) {
        if (!runs(job)) continue;
        if (auto id = string_field(job.get_object(), "id")) names.push_back(std::move(*id));
    }
    return names;
}

}  // namespace divisi::daemon
