// A plan as people see it: lines and a picture in text (UTF-8 box drawing, at most 100 columns where that is possible).
#pragma once

#include <string>

#include "partitioner/plan.hpp"

namespace divisi::partitioner {

// "quad32: 32 nodes on 2 cores, message-passing, 64MiB a node"
std::string headline(const Plan& plan);
// "interconnect: torus 4 x 8, 64 links, diameter 6, 4 links a node"
std::string interconnect_line(const Plan& plan);

// The whole picture, with a line break at its end: each PU a box with its nodes, then the interconnect.
std::string draw(const Plan& plan);

}  // namespace divisi::partitioner
