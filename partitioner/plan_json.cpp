#include "partitioner/plan_json.hpp"

#include <algorithm>

#include "base/mode.hpp"

namespace divisi::partitioner {
namespace {

json::value text(std::string_view from) {
    return json::value(json::string_view(from.data(), from.size()));
}

json::array nodes_json(const Plan& plan) {
    json::array nodes;
    for (const PlannedNode& node : plan.nodes)
        nodes.push_back(json::object{{"id", node.id.value},
                                     {"core", node.core},
                                     {"pu", node.pu},
                                     {"os_pu", node.os_pu},
                                     {"numa", node.numa},
                                     {"memory", node.memory}});
    return nodes;
}

json::array links_json(const Plan& plan) {
    json::array links;
    links.reserve(plan.links.size());
    for (const Link& link : plan.links) links.push_back(json::object{{"a", link.a.value}, {"b", link.b.value}});
    return links;
}

// As the fabric has to know them: each with the time it takes.
json::array modelled_links_json(const Plan& plan) {
    json::array links = links_json(plan);
    for (json::value& link : links) {
        if (plan.link.latency.count() != 0) link.as_object()["latency_ns"] = plan.link.latency.count();
        if (plan.link.bandwidth != 0) link.as_object()["bandwidth_bits"] = plan.link.bandwidth;
    }
    return links;
}

json::object interconnect_json(const Plan& plan) {
    json::object object{{"shape", text(to_string(plan.shape))}};
    if (!plan.dimensions.empty()) object["dimensions"] = json::array(plan.dimensions.begin(), plan.dimensions.end());
    object["links"] = plan.metrics.links;
    object["diameter"] = plan.metrics.diameter ? json::value(*plan.metrics.diameter) : json::value(nullptr);
    object["min_degree"] = plan.metrics.min_degree;
    object["max_degree"] = plan.metrics.max_degree;
    object["link"] = json::object{{"latency_ns", plan.link.latency.count()}, {"bandwidth_bits", plan.link.bandwidth}};
    return object;
}

Error wrong(std::string what) {
    return make_error(Errc::kProtocol, std::move(what));
}

Result<std::uint32_t> index_field(const json::object& object, std::string_view name, std::uint64_t limit) {
    DIVISI_TRY_ASSIGN(const std::uint64_t value, uint_field(object, name));
    if (value >= limit) return wrong("field '" + std::string(name) + "' is out of range");
    return static_cast<std::uint32_t>(value);
}

Result<PlannedNode> node_from_json(const json::value& value, std::uint32_t id) {
    const json::object* object = value.if_object();
    if (object == nullptr) return wrong("a node must be an object");
    PlannedNode node;
    DIVISI_TRY_ASSIGN(node.id.value, index_field(*object, "id", kMaxNodes));
    if (node.id.value != id) return wrong("nodes must be listed by id, from 0");
    DIVISI_TRY_ASSIGN(node.core, index_field(*object, "core", UINT32_MAX));
    DIVISI_TRY_ASSIGN(node.pu, index_field(*object, "pu", UINT32_MAX));
    DIVISI_TRY_ASSIGN(const std::uint64_t os_pu, uint_field_or(*object, "os_pu", kUnknownPu));
    node.os_pu = static_cast<std::uint32_t>(std::min<std::uint64_t>(os_pu, kUnknownPu));
    if (const json::value* numa = object->if_contains("numa"); numa != nullptr && numa->is_int64())
        node.numa = static_cast<std::int32_t>(std::clamp<std::int64_t>(numa->get_int64(), -1, INT32_MAX));
    DIVISI_TRY_ASSIGN(node.memory, uint_field_or(*object, "memory", 0));
    return node;
}

Result<Link> link_from_json(const json::value& value, std::uint32_t nodes) {
    const json::object* object = value.if_object();
    if (object == nullptr) return wrong("a link must be an object");
    DIVISI_TRY_ASSIGN(const std::uint32_t a, index_field(*object, "a", nodes));
    DIVISI_TRY_ASSIGN(const std::uint32_t b, index_field(*object, "b", nodes));
    if (a == b) return wrong("a link joins two nodes");
    return Link{{std::min(a, b)}, {std::max(a, b)}};
}

}  // namespace

json::object to_json(const Plan& plan) {
    json::array notes;
    for (const std::string& note : plan.notes) notes.push_back(text(note));
    return {{"name", text(plan.name)},
            {"mode", text(to_string(plan.mode))},
            {"backend", text(to_string(plan.backend))},
            {"machine", {{"source", text(plan.machine)}, {"cores", plan.machine_cores}, {"pus", plan.machine_pus}}},
            {"nodes", nodes_json(plan)},
            {"shared_memory", plan.shared_memory},
            {"pages", text(to_string(plan.pages))},
            {"prefault", plan.prefault},
            {"threads", text(to_string(plan.threads))},
            {"interconnect", interconnect_json(plan)},
            {"links", links_json(plan)},
            {"files", divisi::to_json(plan.files)},
            {"notes", std::move(notes)}};
}

json::object to_vmm_config(const Plan& plan) {
    return {{"name", text(plan.name)},
            {"mode", text(to_string(plan.mode))},
            {"backend", text(to_string(plan.backend))},
            {"nodes", nodes_json(plan)},
            {"shared_memory", plan.shared_memory},
            {"pages", text(to_string(plan.pages))},
            {"prefault", plan.prefault},
            {"threads", text(to_string(plan.threads))},
            {"links", modelled_links_json(plan)},
            {"files", divisi::to_json(plan.files)},
            {"policy", text(plan.policy_text)}};
}

Result<Plan> plan_from_json(const json::object& object) {
    Plan plan;
    DIVISI_TRY_ASSIGN(plan.name, string_field(object, "name"));
    DIVISI_TRY_ASSIGN(const std::string mode, string_field(object, "mode"));
    DIVISI_TRY_ASSIGN(plan.mode, parse_mode(mode));
    DIVISI_TRY_ASSIGN(const std::string backend, string_field_or(object, "backend", "auto"));
    DIVISI_TRY_ASSIGN(plan.backend, parse_backend(backend));
    DIVISI_TRY_ASSIGN(const json::array* nodes, array_field(object, "nodes"));
    if (nodes->empty() || nodes->size() > kMaxNodes) return wrong("a topology has 1 to 1024 nodes");
    for (const json::value& value : *nodes) {
        DIVISI_TRY_ASSIGN(PlannedNode node, node_from_json(value, static_cast<std::uint32_t>(plan.nodes.size())));
        plan.nodes.push_back(node);
    }
    const auto count = static_cast<std::uint32_t>(plan.nodes.size());
    DIVISI_TRY_ASSIGN(const json::array* links, array_field(object, "links"));
    for (const json::value& value : *links) {
        DIVISI_TRY_ASSIGN(const Link link, link_from_json(value, count));
        plan.links.push_back(link);
    }
    std::sort(plan.links.begin(), plan.links.end());
    plan.links.erase(std::unique(plan.links.begin(), plan.links.end()), plan.links.end());
    const Interconnect known = recognize(plan.links, count);
    plan.shape = known.shape;
    plan.dimensions = known.dimensions;
    plan.metrics = measure(plan.links, count);
    DIVISI_TRY_ASSIGN(plan.shared_memory, uint_field_or(object, "shared_memory", 0));
    DIVISI_TRY_ASSIGN(const std::string threads, string_field_or(object, "threads", "scatter"));
    DIVISI_TRY_ASSIGN(plan.threads, parse_threads(threads));
    DIVISI_TRY_ASSIGN(const std::string pages, string_field_or(object, "pages", "4KiB"));
    DIVISI_TRY_ASSIGN(plan.pages, parse_pages(pages));
    DIVISI_TRY_ASSIGN(plan.prefault, bool_field_or(object, "prefault", false));
    if (object.contains("files")) {
        DIVISI_TRY_ASSIGN(const json::object* files, object_field(object, "files"));
        DIVISI_TRY_ASSIGN(plan.files, file_rules_from_json(*files));
    }
    DIVISI_TRY_ASSIGN(plan.policy_text, string_field_or(object, "policy", {}));
    return plan;
}

}  // namespace divisi::partitioner
