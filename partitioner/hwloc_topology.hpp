// hwloc's view of a machine, owned. Private to this folder: its types go no further.
#pragma once

#include <hwloc.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "partitioner/machine.hpp"

namespace divisi::partitioner {

struct TopologyDeleter {
    void operator()(hwloc_topology_t topology) const noexcept { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, TopologyDeleter>;

struct BitmapDeleter {
    void operator()(hwloc_bitmap_t bitmap) const noexcept { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, BitmapDeleter>;

// Each loads a topology. Errors: kFailed or kUsage, in the words of the user's request.
Result<Topology> load_this_machine();
Result<Topology> load_xml(const std::string& text, const std::string& path);
Result<Topology> load_synthetic(const std::string& description);

// Copies what the partitioner needs: cores, PUs, NUMA nodes; every PU usable, no exclusions, no memory figures.
Machine to_machine(hwloc_topology_t topology);

}  // namespace divisi::partitioner
