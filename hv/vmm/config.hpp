// What divisi-vmm is told to carve: config.json (docs/vmm-protocol.md), checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_rules.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "hv/places.hpp"
#include "hv/ram.hpp"

namespace divisi::hv::vmm {

struct NodeConfig {
    NodeId id;
    std::uint32_t core = 0, pu = 0;  // hwloc logical indexes, for people
    int os_pu = 0;                   // what the thread is pinned by
    int numa = -1;
    std::uint64_t memory = 0;
};

struct LinkConfig {
    NodeId a, b;
    std::uint64_t latency_ns = 0;
    std::uint64_t bandwidth_bits = 0;  // a second; 0: no limit
};

struct Config {
    std::string name;
    Mode mode = Mode::kMessagePassing;
    std::string backend;
    std::vector<NodeConfig> nodes;  // by id
    std::uint64_t shared_memory = 0;
    RamKind ram;
    Spread threads = Spread::kScatter;
    std::vector<LinkConfig> links;
    FileRules files;

    // What all programs have together, in the mode that has more.
    [[nodiscard]] std::uint64_t memory() const;
};

// Errors: kProtocol, naming the field.
Result<Config> parse_config(std::string_view text);

}  // namespace divisi::hv::vmm
