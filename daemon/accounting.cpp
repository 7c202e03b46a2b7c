#include "daemon/accounting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/quantity.hpp"

namespace divisi::daemon {
namespace {

// Sizes come from a file: they may add up to anything.
std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t sum = a + b;
    return sum < a ? std::numeric_limits<std::uint64_t>::max() : sum;
}

}  // namespace

Result<Claims> claims_of(const json::object& config) {
    Claims claims;
    DIVISI_TRY_ASSIGN(const json::array* nodes, array_field(config, "nodes"));
    std::uint64_t private_memory = 0;
    for (const json::value& value : *nodes) {
        if (!value.is_object()) return make_error(Errc::kProtocol, "field 'nodes' must hold objects");
        const json::object& node = value.get_object();
        DIVISI_TRY_ASSIGN(const std::uint64_t memory, uint_field(node, "memory"));
        DIVISI_TRY_ASSIGN(const std::uint64_t pu, uint_field(node, "pu"));
        private_memory = saturating_add(private_memory, memory);
        claims.pus.push_back(static_cast<std::uint32_t>(pu));
    }
    DIVISI_TRY_ASSIGN(const std::uint64_t shared_memory, uint_field_or(config, "shared_memory", 0));
    claims.memory = std::max(private_memory, shared_memory);
    std::sort(claims.pus.begin(), claims.pus.end());
    claims.pus.erase(std::unique(claims.pus.begin(), claims.pus.end()), claims.pus.end());
    return claims;
}

Result<void> check_memory(const std::string& name, const Claims& wanted, const Holders& holders,
                          std::uint64_t machine_memory) {
    if (machine_memory == 0) return {};
    std::uint64_t held = 0;
    std::vector<std::string> who;
    for (const auto& [holder, claims] : holders) {
        held = saturating_add(held, claims.memory);
        who.push_back(fmt::format("'{}' holds {}", holder, format_size_rounded(claims.memory)));
    }
    if (saturating_add(held, wanted.memory) <= machine_memory) return {};
    if (who.empty())
        return make_error(Errc::kInsufficient,
                          fmt::format("not enough memory: it may come to use {}, and the machine has {}",
                                      format_size_rounded(wanted.memory), format_size_rounded(machine_memory)),
                          fmt::format("topology '{}'", name),
                          "ask for less: nodes.memory and shared.memory in the policy");
    return make_error(
        Errc::kInsufficient,
        fmt::format("not enough memory: it may come to use {}, and of the machine's {}, {}",
                    format_size_rounded(wanted.memory), format_size_rounded(machine_memory), fmt::join(who, ", ")),
        fmt::format("topology '{}'", name), "release one, or ask for less memory in the policy");
}

std::map<std::uint32_t, std::vector<std::string>> shared_pus(const Claims& wanted, const Holders& holders) {
    std::map<std::uint32_t, std::vector<std::string>> shared;
    for (const auto& [holder, claims] : holders) {
        for (const std::uint32_t pu : claims.pus)
            if (std::binary_search(wanted.pus.begin(), wanted.pus.end(), pu)) shared[pu].push_back(holder);
    }
    return shared;
}

}  // namespace divisi::daemon
