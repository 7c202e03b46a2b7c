// The picture of an interconnect, by shape. Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "partitioner/plan.hpp"

namespace divisi::partitioner {

// Lines without line breaks; large interconnects are drawn in part, and say so.
std::vector<std::string> draw_shape(const Plan& plan);

}  // namespace divisi::partitioner
