// Which function serves which request.
//
// Threads: const use from several threads is safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/api/http.hpp"

namespace divisi::daemon {

using Arguments = std::vector<std::string>;  // what stands where a pattern has '*'
using Serve = std::function<api::Response(const api::Request&, const Arguments&)>;

struct Route {
    std::string method;
    std::string pattern;                  // "v1/topologies/*/switch"
    std::vector<std::string> parameters;  // query parameters it knows
    Serve serve;
};

class Router {
public:
    void add(Route route) { routes_.push_back(std::move(route)); }
    // 404 for a path that nothing serves, 405 (with Allow) for a method that this path does not know, 400 for an
    // unknown query parameter.
    [[nodiscard]] api::Response serve(const api::Request& request) const;

private:
    std::vector<Route> routes_;
};

}  // namespace divisi::daemon
