#include "hv/vmm/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/mode.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr std::uint64_t kMaxNodes = 1024;
constexpr std::uint64_t kMinMemory = 1U << 20U;
constexpr std::uint64_t kMaxMemory = 1ULL << 36U;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMaxLatencyNs = 60'000'000'000;

Result<std::uint64_t> memory_field(const json::object& object, std::string_view name) {
    DIVISI_TRY_ASSIGN(const std::uint64_t bytes, uint_field(object, name));
    if (bytes < kMinMemory || bytes > kMaxMemory)
        return make_error(Errc::kProtocol, fmt::format("'{}' must be 1MiB to 64GiB", name));
    return (bytes + kPage - 1) / kPage * kPage;
}

Result<NodeConfig> parse_node(const json::value& value, std::size_t index) {
    const json::object* object = value.if_object();
    if (object == nullptr) return make_error(Errc::kProtocol, "a node must be an object");
    NodeConfig node;
    DIVISI_TRY_ASSIGN(const std::uint64_t id, uint_field(*object, "id"));
    if (id != index) return make_error(Errc::kProtocol, fmt::format("node {} has id {}", index, id));
    node.id = NodeId{static_cast<std::uint32_t>(id)};
    DIVISI_TRY_ASSIGN(const std::uint64_t core, uint_field(*object, "core"));
    DIVISI_TRY_ASSIGN(const std::uint64_t pu, uint_field(*object, "pu"));
    DIVISI_TRY_ASSIGN(const std::uint64_t os_pu, uint_field(*object, "os_pu"));
    if (os_pu >= 65536) return make_error(Errc::kProtocol, "'os_pu' is no processor's number");
    node.core = static_cast<std::uint32_t>(core);
    node.pu = static_cast<std::uint32_t>(pu);
    node.os_pu = static_cast<int>(os_pu);
    if (const json::value* numa = object->if_contains("numa"); numa != nullptr && numa->is_int64())
        node.numa = static_cast<int>(numa->get_int64());
    DIVISI_TRY_ASSIGN(node.memory, memory_field(*object, "memory"));
    return node;
}

Result<RamKind> parse_ram(const json::object& root) {
    RamKind kind;
    DIVISI_TRY_ASSIGN(const std::string pages, string_field_or(root, "pages", "4KiB"));
    if (pages == "transparent") {
        kind.pages = RamKind::Pages::kTransparent;
    } else if (pages == "2MiB") {
        kind.pages = RamKind::Pages::kHuge;
    } else if (pages != "4KiB") {
        return make_error(Errc::kProtocol, "'pages' must be 4KiB, transparent or 2MiB");
    }
    DIVISI_TRY_ASSIGN(kind.prefault, bool_field_or(root, "prefault", false));
    return kind;
}

Result<LinkConfig> parse_link(const json::value& value, std::size_t nodes) {
    const json::object* object = value.if_object();
    if (object == nullptr) return make_error(Errc::kProtocol, "a link must be an object");
    DIVISI_TRY_ASSIGN(const std::uint64_t a, uint_field(*object, "a"));
    DIVISI_TRY_ASSIGN(const std::uint64_t b, uint_field(*object, "b"));
    if (a >= nodes || b >= nodes || a == b)
        return make_error(Errc::kProtocol, fmt::format("link {}-{} names nodes that there are not", a, b));
    LinkConfig link{NodeId{static_cast<std::uint32_t>(a)}, NodeId{static_cast<std::uint32_t>(b)}};
    DIVISI_TRY_ASSIGN(link.latency_ns, uint_field_or(*object, "latency_ns", 0));
    DIVISI_TRY_ASSIGN(link.bandwidth_bits, uint_field_or(*object, "bandwidth_bits", 0));
    if (link.latency_ns > kMaxLatencyNs)
        return make_error(Errc::kProtocol, fmt::format("link {}-{}: a latency of more than a minute", a, b));
    return link;
}

}  // namespace

std::uint64_t Config::memory() const {
    std::uint64_t all = 0;
    for (const NodeConfig& node : nodes) all += node.memory;
    return std::max(all, shared_memory);
}

Result<Config> parse_config(std::string_view text) {
    DIVISI_TRY_ASSIGN(const json::object root, parse_object(text));
    Config config;
    DIVISI_TRY_ASSIGN(config.name, string_field(root, "name"));
    DIVISI_TRY_ASSIGN(const std::string mode, string_field(root, "mode"));
    DIVISI_TRY_ASSIGN(config.mode, parse_mode(mode));
    DIVISI_TRY_ASSIGN(config.backend, string_field_or(root, "backend", "auto"));
    DIVISI_TRY_ASSIGN(const json::array* nodes, array_field(root, "nodes"));
    if (nodes->empty() || nodes->size() > kMaxNodes)
        return make_error(Errc::kProtocol,
                          fmt::format("a topology has 1 to {} nodes, not {}", kMaxNodes, nodes->size()));
    for (const json::value& value : *nodes) {
        DIVISI_TRY_ASSIGN(NodeConfig node, parse_node(value, config.nodes.size()));
        config.nodes.push_back(node);
    }
    DIVISI_TRY_ASSIGN(config.shared_memory, memory_field(root, "shared_memory"));
    DIVISI_TRY_ASSIGN(const std::string threads, string_field_or(root, "threads", "scatter"));
    if (threads != "scatter" && threads != "compact")
        return make_error(Errc::kProtocol, "'threads' must be scatter or compact");
    config.threads = threads == "scatter" ? Spread::kScatter : Spread::kCompact;
    DIVISI_TRY_ASSIGN(config.ram, parse_ram(root));
    DIVISI_TRY_ASSIGN(const json::array* links, array_field(root, "links"));
    for (const json::value& value : *links) {
        DIVISI_TRY_ASSIGN(const LinkConfig link, parse_link(value, config.nodes.size()));
        config.links.push_back(link);
    }
    if (root.contains("files")) {
        DIVISI_TRY_ASSIGN(const json::object* files, object_field(root, "files"));
        DIVISI_TRY_ASSIGN(config.files, file_rules_from_json(*files));
    }
    return config;
}

}  // namespace divisi::hv::vmm
