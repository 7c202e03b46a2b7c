// The fabric that a configuration asks for.
#pragma once

#include "hv/vmm/config.hpp"
#include "shm/fabric.hpp"

namespace divisi::hv::vmm {

shm::FabricSpec fabric_spec(const Config& config);

}  // namespace divisi::hv::vmm
