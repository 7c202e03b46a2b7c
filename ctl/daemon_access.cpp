#include "ctl/daemon_access.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/paths.hpp"
#include "base/printable.hpp"
#include "ctl/context.hpp"
#include "daemon/api/autostart.hpp"

namespace divisi::ctl {
namespace {

const json::value* find(const json::object& object, std::string_view name) {
    return object.if_contains(json::string_view(name.data(), name.size()));
}

}  // namespace

Result<DaemonAccess> reach_daemon() {
    DIVISI_TRY_ASSIGN(std::string state, state_dir());
    DIVISI_TRY_ASSIGN(const std::string folder, own_bin_dir());
    DIVISI_TRY(api::ensure_daemon(state, folder + "/divisid"));
    api::Client client(daemon_socket(state));
    return DaemonAccess{std::move(state), std::move(client)};
}

Result<std::optional<DaemonAccess>> running_daemon() {
    DIVISI_TRY_ASSIGN(std::string state, state_dir());
    if (!api::connect_unix(daemon_socket(state))) return std::optional<DaemonAccess>{};
    api::Client client(daemon_socket(state));
    return std::optional<DaemonAccess>(DaemonAccess{std::move(state), std::move(client)});
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (value == nullptr || value->is_null() || value->is_object() || value->is_array()) return "-";
    if (const json::string* text = value->if_string()) return printable({text->data(), text->size()});
    return json::serialize(*value);
}

std::uint64_t count_of(const json::object& object, std::string_view name) {
    const auto value = uint_field_or(object, name, 0);
    return value ? *value : 0;
}

std::vector<const json::object*> objects_of(const json::object& object, std::string_view name) {
    std::vector<const json::object*> result;
    const json::value* value = find(object, name);
    if (value == nullptr || !value->is_array()) return result;
    for (const json::value& item : value->get_array())
        if (const json::object* each = item.if_object()) result.push_back(each);
    return result;
}

std::string age_of(std::uint64_t unix_seconds) {
    struct Unit {
        std::uint64_t seconds;
        const char* name;
    };
    constexpr std::array<Unit, 4> kUnits{{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    const std::uint64_t age = now > unix_seconds ? now - unix_seconds : 0;
    for (const Unit& unit : kUnits)
        if (age >= unit.seconds) return fmt::format("{}{}", age / unit.seconds, unit.name);
    return "0s";
}

void print_notes(const json::object& answer) {
    const auto notes = array_field(answer, "notes");
    if (!notes) return;
    for (const json::value& each : **notes)
        if (const json::string* text = each.if_string()) note(printable({text->data(), text->size()}));
}

}  // namespace divisi::ctl
