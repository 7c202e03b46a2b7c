#include "daemon/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace divisi::daemon {
namespace {

std::optional<Arguments> match(std::string_view pattern, const std::vector<std::string>& segments) {
    Arguments arguments;
    for (const std::string& segment : segments) {
        const std::size_t slash = pattern.find('/');
        const std::string_view part = pattern.substr(0, slash);
        if (part == "*" && !segment.empty()) {
            arguments.push_back(segment);
        } else if (part.empty() || part != segment) {
            return std::nullopt;
        }
        pattern = slash == std::string_view::npos ? std::string_view{} : pattern.substr(slash + 1);
    }
    if (!pattern.empty()) return std::nullopt;
    return arguments;
}

std::optional<Error> unknown_parameter(const Route& route, const api::Target& target) {
    for (const auto& [name, value] : target.query) {
        if (std::find(route.parameters.begin(), route.parameters.end(), name) == route.parameters.end())
            return make_error(Errc::kUsage, fmt::format("unknown parameter '{}'", name));
    }
    return std::nullopt;
}

}  // namespace

api::Response Router::serve(const api::Request& request) const {
    std::vector<std::string> allowed;
    for (const Route& route : routes_) {
        const auto arguments = match(route.pattern, request.target.segments);
        if (!arguments) continue;
        if (route.method != request.method) {
            allowed.push_back(route.method);
            continue;
        }
        if (const auto error = unknown_parameter(route, request.target)) return api::error_response(*error);
        return route.serve(request, *arguments);
    }
    if (allowed.empty())
        return api::error_response(
            404, make_error(Errc::kNotFound, "nothing is served under this path", {}, "docs/api.md lists what is"));
    api::Response response = api::error_response(
        405, make_error(Errc::kUsage, fmt::format("this path knows {} only", fmt::join(allowed, " and "))));
    response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
    return response;
}

}  // namespace divisi::daemon
