#include "base/resource_limits.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace divisi {
namespace {

struct Named {
    int resource;
    std::string_view name;
};
constexpr std::array<Named, 7> kNames{{{RLIMIT_CORE, "core"},
                                       {RLIMIT_CPU, "cpu"},
                                       {RLIMIT_DATA, "data"},
                                       {RLIMIT_FSIZE, "fsize"},
                                       {RLIMIT_NOFILE, "nofile"},
                                       {RLIMIT_STACK, "stack"},
                                       {RLIMIT_AS, "as"}}};

json::value to_value(std::uint64_t limit) {
    return limit == RLIM_INFINITY ? json::value(nullptr) : json::value(limit);
}

std::optional<std::uint64_t> from_value(const json::value& value) {
    if (value.is_null()) return RLIM_INFINITY;
    boost::system::error_code refused;
    const auto number = value.to_number<std::uint64_t>(refused);
    return refused ? std::nullopt : std::optional<std::uint64_t>(number);
}

}  // namespace

ResourceLimits own_limits() {
    ResourceLimits limits;
    for (const Named& item : kNames) {
        rlimit now{};
        // NOLINTNEXTLINE(bugprone-unused-return-value): of itself, a process may ask anything
        if (::getrlimit(static_cast<__rlimit_resource>(item.resource), &now) == 0)
            limits[item.resource] = {now.rlim_cur, now.rlim_max};
    }
    return limits;
}

json::object to_json(const ResourceLimits& limits) {
    json::object object;
    for (const Named& item : kNames) {
        const auto found = limits.find(item.resource);
        if (found == limits.end()) continue;
        object[item.name] = json::array{to_value(found->second.soft), to_value(found->second.hard)};
    }
    return object;
}

Result<ResourceLimits> limits_from_json(const json::object& object) {
    ResourceLimits limits;
    for (const auto& field : object) {
        const std::string_view name(field.key().data(), field.key().size());
        const auto* const known =
            std::find_if(kNames.begin(), kNames.end(), [name](const Named& item) { return item.name == name; });
        if (known == kNames.end())
            return make_error(Errc::kProtocol, "no such limit", fmt::format("'{}'", name),
                              "one of core, cpu, data, fsize, nofile, stack, as");
        const json::array* pair = field.value().if_array();
        const auto soft = pair != nullptr && pair->size() == 2 ? from_value((*pair)[0]) : std::nullopt;
        const auto hard = soft ? from_value((*pair)[1]) : std::nullopt;
        if (!hard || *soft > *hard)
            return make_error(Errc::kProtocol,
                              "a limit is [soft, hard], each a number or null for none, the soft one not above",
                              fmt::format("'{}'", name));
        limits[known->resource] = {*soft, *hard};
    }
    return limits;
}

}  // namespace divisi
