// A plan as JSON: for programs, for divisi-vmm, and back.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "partitioner/plan.hpp"

namespace divisi::partitioner {

// What `divisi plan -o json` prints: name, mode, backend, machine {source, cores, pus}, nodes [{id, core, pu, os_pu,
// numa, memory}], shared_memory, interconnect {shape, dimensions, links, diameter, …, link}, links [{a, b}], notes.
// Sizes in bytes.
json::object to_json(const Plan& plan);

// The config.json of docs/vmm-protocol.md.
json::object to_vmm_config(const Plan& plan);

// A plan out of a config.json, or of the status of a live topology: what both say about name, mode, nodes and links.
// The shape is recognized from the links; os_pu is kUnknownPu where it is not told. Errors: kProtocol, naming the
// field.
Result<Plan> plan_from_json(const json::object& object);

}  // namespace divisi::partitioner
