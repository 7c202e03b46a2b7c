// Which nodes share a core, where links decide it: as few as can be lead from core to core, and from package to
// package. Private to this folder.
//
// Source: F. Pellegrini, Scotch and libScotch User's Guide: static mapping by dual recursive bipartitioning.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "partitioner/interconnect.hpp"

namespace divisi::partitioner {

// A core to be filled.
struct Seats {
    std::uint32_t package = 0;  // those of one package stand next to each other
    std::uint32_t nodes = 0;    // how many nodes it gets
};

// By node, the index of its core in `cores`, whose seats add up to the number of nodes. The same input gives the same
// result, and never more links between cores than nodes dealt out in order.
// Threads: any, one after another.
// Errors: kFailed, what Scotch met.
Result<std::vector<std::uint32_t>> map_links(const std::vector<Link>& links, const std::vector<Seats>& cores);

// How many links lead from one part to another.
[[nodiscard]] std::size_t links_between(const std::vector<Link>& links, const std::vector<std::uint32_t>& parts);

}  // namespace divisi::partitioner
