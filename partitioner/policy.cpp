#include "partitioner/policy.hpp"

#include <fmt/format.h>

#include "partitioner/words.hpp"

namespace divisi::partitioner {
namespace {

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string_view to_string(Smt smt) noexcept {
    return name_of(smt, kSmt);
}
std::string_view to_string(PlacementKind placement) noexcept {
    return name_of(placement, kPlacements);
}
std::string_view to_string(Threads threads) noexcept {
    return name_of(threads, kThreads);
}
std::string_view to_string(Pages pages) noexcept {
    return name_of(pages, kPages);
}
std::string_view to_string(Backend backend) noexcept {
    return name_of(backend, kBackends);
}

Result<Backend> parse_backend(std::string_view text) {
    for (const auto& [backend, name] : kBackends)
        if (name == text) return backend;
    return make_error(Errc::kUsage, "no such backend", "'" + std::string(text) + "'", "use auto, kvm or direct");
}

Result<Threads> parse_threads(std::string_view text) {
    for (const auto& [threads, name] : kThreads)
        if (name == text) return threads;
    return make_error(Errc::kUsage, "no such placement of threads", "'" + std::string(text) + "'",
                      "use scatter or compact");
}

Result<Pages> parse_pages(std::string_view text) {
    for (const auto& [pages, name] : kPages)
        if (name == text) return pages;
    return make_error(Errc::kUsage, "no such kind of pages", "'" + std::string(text) + "'",
                      "use 4KiB, transparent or 2MiB");
}

Result<void> check_name(std::string_view name) {
    bool good = !name.empty() && name.size() <= kMaxNameLength && is_alphanumeric(name.front());
    for (const char c : name) good = good && (is_alphanumeric(c) || c == '-' || c == '_');
    if (good) return {};
    return make_error(Errc::kUsage, "not a topology's name", fmt::format("'{}'", name.substr(0, kMaxNameLength)),
                      fmt::format("1 to {} letters, digits, '-' and '_', a letter or digit first", kMaxNameLength));
}

Error policy_error(Errc errc, const Policy& policy, const Place& place, std::string what, std::string way_out) {
    std::string object = policy.source;
    if (place.line != 0) object += fmt::format(":{}:{}", place.line, place.column);
    return make_error(errc, std::move(what), std::move(object), std::move(way_out));
}

}  // namespace divisi::partitioner
