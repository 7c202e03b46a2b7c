#include "daemon/api/requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <utility>

namespace divisi::api {
namespace {

constexpr std::size_t kNameLength = 48;
constexpr std::uint64_t kMostUnits = 1U << 16U;

// What is a broken protocol between processes of ours is a malformed request when a client wrote it.
Error as_usage(Error error) {
    error.cause = make_error_code(Errc::kUsage);
    return error;
}

template <typename T>
Result<T> from_client(Result<T> result) {
    if (!result) return as_usage(std::move(result).error());
    return result;
}

Result<void> only_fields(const json::object& body, std::initializer_list<std::string_view> known) {
    for (const auto& field : body) {
        const std::string_view key(field.key().data(), field.key().size());
        if (std::find(known.begin(), known.end(), key) == known.end())
            return make_error(Errc::kUsage, fmt::format("unknown field '{}'", key), {},
                              fmt::format("known ones: {}", fmt::join(known, ", ")));
    }
    return {};
}

Result<void> no_nul(std::string_view name, std::string_view text) {
    if (text.find('\0') == std::string_view::npos) return {};
    return make_error(Errc::kUsage, fmt::format("field '{}' has a NUL character", name));
}

Result<std::string> text_or(const json::object& body, std::string_view name, std::string fallback) {
    DIVISI_TRY_ASSIGN(std::string text, from_client(string_field_or(body, name, std::move(fallback))));
    DIVISI_TRY(no_nul(name, text));
    return text;
}

Result<std::string> text(const json::object& body, std::string_view name) {
    DIVISI_TRY_ASSIGN(std::string value, from_client(string_field(body, name)));
    DIVISI_TRY(no_nul(name, value));
    return value;
}

Result<bool> flag(const json::object& body, std::string_view name) {
    return from_client(bool_field_or(body, name, false));
}

Result<std::uint64_t> count(const json::object& body, std::string_view name) {
    DIVISI_TRY_ASSIGN(const std::uint64_t value, from_client(uint_field_or(body, name, 0)));
    if (value > kMostUnits) return make_error(Errc::kUsage, fmt::format("field '{}' is above {}", name, kMostUnits));
    return value;
}

Result<std::vector<std::string>> texts(const json::object& body, std::string_view name) {
    DIVISI_TRY_ASSIGN(const json::array* array, from_client(array_field(body, name)));
    std::vector<std::string> result;
    result.reserve(array->size());
    for (const json::value& item : *array) {
        if (!item.is_string()) return make_error(Errc::kUsage, fmt::format("field '{}' must hold strings", name));
        result.emplace_back(item.get_string().data(), item.get_string().size());
        DIVISI_TRY(no_nul(name, result.back()));
    }
    return result;
}

json::array to_array(const std::vector<std::string>& strings) {
    json::array array;
    array.reserve(strings.size());
    for (const std::string& item : strings) array.emplace_back(item);
    return array;
}

// Only what differs from the default travels: a request shows what was asked for.
void put(json::object& object, std::string_view name, const std::string& value) {
    if (!value.empty()) object[json::string_view(name.data(), name.size())] = value;
}
void put(json::object& object, std::string_view name, std::uint64_t value) {
    if (value != 0) object[json::string_view(name.data(), name.size())] = value;
}
void put(json::object& object, std::string_view name, bool value) {
    if (value) object[json::string_view(name.data(), name.size())] = value;
}

bool may_stand_in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

constexpr std::array<std::pair<std::string_view, int>, 14> kSignals{{{"HUP", SIGHUP},
                                                                     {"INT", SIGINT},
                                                                     {"QUIT", SIGQUIT},
                                                                     {"ABRT", SIGABRT},
                                                                     {"KILL", SIGKILL},
                                                                     {"USR1", SIGUSR1},
                                                                     {"USR2", SIGUSR2},
                                                                     {"PIPE", SIGPIPE},
                                                                     {"ALRM", SIGALRM},
                                                                     {"TERM", SIGTERM},
                                                                     {"CONT", SIGCONT},
                                                                     {"STOP", SIGSTOP},
                                                                     {"TSTP", SIGTSTP},
                                                                     {"WINCH", SIGWINCH}}};

}  // namespace

json::object to_json(const CarveRequest& request) {
    json::object body{{"policy", request.policy}};
    put(body, "source", request.source);
    put(body, "name", request.name);
    put(body, "mode", request.mode);
    put(body, "backend", request.backend);
    put(body, "ephemeral", request.ephemeral);
    put(body, "dry_run", request.dry_run);
    return body;
}

json::object to_json(const SwitchRequest& request) {
    return {{"mode", request.mode}, {"when", request.when}};
}

json::object to_json(const JobRequest& request) {
    json::object body{{"argv", to_array(request.argv)}};
    put(body, "path", request.path);
    put(body, "cwd", request.cwd);
    body["env"] = to_array(request.env);
    put(body, "nodes", request.nodes);
    put(body, "ranks", request.ranks);
    put(body, "threads", request.threads);
    put(body, "label", request.label);
    put(body, "core", request.core);
    if (request.deadlock != "end") put(body, "deadlock", request.deadlock);
    if (!request.limits.empty()) body["limits"] = to_json(request.limits);
    return body;
}

Result<json::object> parse_body(std::string_view body) {
    auto object = parse_object(body);
    if (!object) return make_error(Errc::kUsage, "the request's body is " + object.error().operation);
    return object;
}

Result<bool> parse_force(std::string_view body) {
    if (body.empty()) return false;
    DIVISI_TRY_ASSIGN(const json::object object, parse_body(body));
    DIVISI_TRY(only_fields(object, {"force"}));
    return flag(object, "force");
}

Result<CarveRequest> parse_carve_request(const json::object& body) {
    DIVISI_TRY(only_fields(body, {"policy", "source", "name", "mode", "backend", "ephemeral", "dry_run"}));
    CarveRequest request;
    DIVISI_TRY_ASSIGN(request.policy, text(body, "policy"));
    DIVISI_TRY_ASSIGN(request.source, text_or(body, "source", "policy"));
    DIVISI_TRY_ASSIGN(request.name, text_or(body, "name", {}));
    DIVISI_TRY_ASSIGN(request.mode, text_or(body, "mode", {}));
    DIVISI_TRY_ASSIGN(request.backend, text_or(body, "backend", {}));
    DIVISI_TRY_ASSIGN(request.ephemeral, flag(body, "ephemeral"));
    DIVISI_TRY_ASSIGN(request.dry_run, flag(body, "dry_run"));
    if (!request.name.empty()) DIVISI_TRY(check_name(request.name));
    return request;
}

Result<SwitchRequest> parse_switch_request(const json::object& body) {
    DIVISI_TRY(only_fields(body, {"mode", "when"}));
    SwitchRequest request;
    DIVISI_TRY_ASSIGN(request.mode, text(body, "mode"));
    DIVISI_TRY_ASSIGN(request.when, text_or(body, "when", "now"));
    if (request.when != "now" && request.when != "drain" && request.when != "force")
        return make_error(Errc::kUsage, "field 'when' must be now, drain or force");
    return request;
}

Result<JobRequest> parse_job_request(const json::object& body) {
    DIVISI_TRY(only_fields(
        body, {"argv", "path", "cwd", "env", "nodes", "ranks", "threads", "label", "core", "deadlock", "limits"}));
    JobRequest request;
    DIVISI_TRY_ASSIGN(request.argv, texts(body, "argv"));
    if (request.argv.empty()) return make_error(Errc::kUsage, "field 'argv' is empty: which program?");
    DIVISI_TRY_ASSIGN(request.path, text_or(body, "path", {}));
    DIVISI_TRY_ASSIGN(request.cwd, text_or(body, "cwd", "/"));
    if (request.cwd.empty() || request.cwd.front() != '/')
        return make_error(Errc::kUsage, "field 'cwd' must be an absolute path");
    if (body.contains("env")) {
        DIVISI_TRY_ASSIGN(request.env, texts(body, "env"));
    }
    DIVISI_TRY_ASSIGN(request.nodes, count(body, "nodes"));
    DIVISI_TRY_ASSIGN(request.ranks, count(body, "ranks"));
    DIVISI_TRY_ASSIGN(request.threads, count(body, "threads"));
    DIVISI_TRY_ASSIGN(request.label, flag(body, "label"));
    DIVISI_TRY_ASSIGN(request.core, flag(body, "core"));
    DIVISI_TRY_ASSIGN(request.deadlock, text_or(body, "deadlock", "end"));
    if (request.deadlock != "end" && request.deadlock != "report" && request.deadlock != "ignore")
        return make_error(Errc::kUsage, "field 'deadlock' must be end, report or ignore");
    if (const json::value* limits = body.if_contains("limits"); limits != nullptr) {
        if (!limits->is_object()) return make_error(Errc::kUsage, "field 'limits' must be an object");
        auto given = limits_from_json(limits->get_object());
        if (!given) return make_error(Errc::kUsage, "field 'limits': " + given.error().operation, given.error().object);
        request.limits = std::move(*given);
    }
    return request;
}

Result<void> check_name(std::string_view name) {
    const auto refuse = [name](std::string why) {
        return make_error(Errc::kUsage, std::move(why), fmt::format("'{}'", name));
    };
    if (name.empty()) return refuse("a topology's name may not be empty");
    if (name.size() > kNameLength) return refuse(fmt::format("longer than {} characters", kNameLength));
    if (name.front() == '-' || name.front() == '_') return refuse("a topology's name starts with a letter or a digit");
    if (!std::all_of(name.begin(), name.end(), may_stand_in_name))
        return refuse("a topology's name consists of letters, digits, '-' and '_'");
    return {};
}

Result<std::string> topology_of_job(std::string_view job) {
    const std::size_t dot = job.rfind('.');
    const std::string_view number = dot == std::string_view::npos ? std::string_view{} : job.substr(dot + 1);
    const bool digits = !number.empty() && number.size() <= 18 &&
                        std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || !check_name(job.substr(0, dot)))
        return make_error(Errc::kNotFound, "no such job", fmt::format("'{}'", job),
                          "jobs are named TOPOLOGY.NUMBER; 'divisi ps' lists them");
    return std::string(job.substr(0, dot));
}

Result<int> parse_signal(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) {
        if (number >= 1 && number <= 64) return number;
    } else {
        const std::string_view name = text.substr(0, 3) == "SIG" ? text.substr(3) : text;
        for (const auto& [known, value] : kSignals)
            if (known == name) return value;
    }
    return make_error(Errc::kUsage, "no such signal", fmt::format("'{}'", text),
                      "a number from 1 to 64, or INT, TERM, KILL, …");
}

}  // namespace divisi::api
