#include "hv/vmm/fabric_spec.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr std::uint64_t kSharedRegionBytes = 16U << 20U;

}  // namespace

shm::FabricSpec fabric_spec(const Config& config) {
    shm::FabricSpec spec;
    spec.name = config.name;
    for (const NodeConfig& node : config.nodes) spec.pus.push_back(static_cast<std::uint32_t>(node.os_pu));
    for (const LinkConfig& link : config.links)
        spec.links.push_back({link.a, link.b, link.latency_ns, link.bandwidth_bits});
    spec.shared_bytes = kSharedRegionBytes;
    return spec;
}

}  // namespace divisi::hv::vmm
