// Who holds what of the machine: memory is promised once, PUs may be shared and their holders are known.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi::daemon {

// What a topology may come to use. It can be switched at any time, so `memory` is the larger of its two modes.
struct Claims {
    std::uint64_t memory = 0;        // bytes
    std::vector<std::uint32_t> pus;  // hwloc logical indexes, sorted, each once
};

// The claims of a divisi-vmm configuration (docs/vmm-protocol.md). Errors: kProtocol.
Result<Claims> claims_of(const json::object& config);

using Holders = std::map<std::string, Claims>;

// Whether `wanted` still fits beside what `holders` have. `machine_memory`: bytes there are in all; 0: not known.
// Errors: kInsufficient, naming who holds how much.
Result<void> check_memory(const std::string& name, const Claims& wanted, const Holders& holders,
                          std::uint64_t machine_memory);

// The PUs of `wanted` that others hold too: PU to names.
std::map<std::uint32_t, std::vector<std::string>> shared_pus(const Claims& wanted, const Holders& holders);

}  // namespace divisi::daemon
