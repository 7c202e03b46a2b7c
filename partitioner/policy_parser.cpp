#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/quantity.hpp"
#include "partitioner/policy.hpp"
#include "partitioner/policy_check.hpp"
#include "partitioner/policy_reader.hpp"
#include "partitioner/words.hpp"

namespace divisi::partitioner {
namespace {

constexpr std::string_view kApiVersion = "divisi/v1";
constexpr std::string_view kExplicitForm = "placement: {explicit: [{nodes: \"0-7\", core: 0}, {nodes: 8, pu: 3}]}";
// The numbers that cores and PUs can have in a policy.
constexpr std::uint32_t kMaxIndex = 65535;
constexpr std::size_t kMaxListedLinks = 65536;
constexpr std::chrono::nanoseconds kMaxLatency = std::chrono::seconds(10);
constexpr std::uint64_t kMinBandwidth = 1000;
constexpr std::uint64_t kMaxBandwidth = 100'000'000'000'000;

template <typename T>
void assign(T& target, std::optional<T> value) {
    if (value) target = std::move(*value);
}

// Reads the tree of one policy, key by key.
class Reading {
public:
    Reading(Policy& policy, std::vector<Problem>& problems) : policy_(policy), read_(problems) {}

    void whole(const YamlValue& root) {
        bool versioned = false;
        bool named = false;
        bool has_nodes = false;
        read_.map(
            root, "the policy",
            {{"apiVersion",
              [&](const YamlValue& value) {
                  versioned = true;
                  api_version(value);
              }},
             {"name",
              [&](const YamlValue& value) {
                  named = true;
                  name(value);
              }},
             {"machine", [this](const YamlValue& value) { machine(value); }},
             {"nodes",
              [&](const YamlValue& value) {
                  has_nodes = true;
                  nodes(value);
              }},
             {"mode", [this](const YamlValue& value) { assign(policy_.mode, read_.choice(value, "mode", kModes)); }},
             {"shared", [this](const YamlValue& value) { shared(value); }},
             {"memory", [this](const YamlValue& value) { memory(value); }},
             {"interconnect", [this](const YamlValue& value) { interconnect(value); }},
             {"placement", [this](const YamlValue& value) { placement(value); }},
             {"files", [this](const YamlValue& value) { files(value); }},
             {"backend",
              [this](const YamlValue& value) { assign(policy_.backend, read_.choice(value, "backend", kBackends)); }}});
        if (root.kind != YamlValue::Kind::kMap) return;
        if (!versioned) read_.problem({1, 1}, "apiVersion is missing", "add a line: apiVersion: divisi/v1");
        if (!named) read_.problem({1, 1}, "name is missing", "add a line such as: name: quad32");
        if (!has_nodes)
            read_.problem({1, 1}, "nodes is missing", "add for example: nodes: {per-core: 8, memory: 64MiB}");
    }

private:
    void api_version(const YamlValue& value) {
        if (value.kind != YamlValue::Kind::kScalar || value.text != kApiVersion)
            read_.problem(value.place, fmt::format("apiVersion is {}", describe(value)),
                          fmt::format("this divisi reads {}", kApiVersion));
    }

    void name(const YamlValue& value) {
        const auto text = read_.text(value, "name", "quad32");
        if (!text) return;
        if (const auto checked = check_name(*text); !checked)
            read_.problem(value.place, fmt::format("name is {}: {}", describe(value), checked.error().operation),
                          checked.error().hint);
        policy_.name = *text;
    }

    void machine(const YamlValue& value) {
        read_.map(value, "machine",
                  {{"cores", [this](const YamlValue& cores_value) { cores(cores_value); }},
                   {"smt",
                    [this](const YamlValue& smt) {
                        policy_.places.smt = smt.place;
                        assign(policy_.smt, read_.choice(smt, "smt", kSmt));
                    }},
                   {"fold", [this](const YamlValue& fold) { assign(policy_.fold, read_.boolean(fold, "fold")); }}});
    }

    void cores(const YamlValue& value) {
        policy_.places.cores = value.place;
        if (value.kind != YamlValue::Kind::kScalar) {
            read_.problem(value.place, fmt::format("cores is {}", describe(value)),
                          "a count such as 4, or a list of hwloc core numbers such as \"0-3,^1\"");
            return;
        }
        const bool digits = !value.text.empty() && value.text.find_first_not_of("0123456789") == std::string::npos;
        if (digits && value.quoted) {
            read_.problem(value.place,
                          fmt::format("cores is {} in quotes: a count or a core's number?", describe(value)),
                          fmt::format("{0} for a count of cores, \"{0}-{0}\" for core {0} alone", value.text));
        } else if (value.text.find_first_of("-,^") == std::string::npos) {
            policy_.cores.count = read_.integer(value, "cores", 1, kMaxNodes);
        } else {
            assign(policy_.cores.list, read_.index_list(value, "cores", kMaxIndex));
        }
    }

    void nodes(const YamlValue& value) {
        policy_.places.nodes = value.place;
        bool per_core = false;
        bool count = false;
        read_.map(value, "nodes",
                  {{"per-core",
                    [&](const YamlValue& number) {
                        per_core = true;
                        policy_.places.nodes = number.place;
                        policy_.nodes_per_core = read_.integer(number, "per-core", 1, kMaxNodes);
                    }},
                   {"count",
                    [&](const YamlValue& number) {
                        count = true;
                        policy_.places.nodes = number.place;
                        policy_.node_count = read_.integer(number, "count", 1, kMaxNodes);
                    }},
                   {"memory", [this](const YamlValue& memory) {
                        policy_.places.node_memory = memory.place;
                        assign(policy_.node_memory, read_.size(memory, "memory", kMinNodeMemory, kMaxNodeMemory));
                    }}});
        if (value.kind != YamlValue::Kind::kMap) return;
        if (per_core && count)
            read_.problem(policy_.places.nodes, "both per-core and count say how many nodes", "keep one of them");
        if (!per_core && !count)
            read_.problem(value.place, "nodes does not say how many", "add per-core: 8, or count: 32");
    }

    void shared(const YamlValue& value) {
        read_.map(value, "shared",
                  {{"memory",
                    [this](const YamlValue& memory) {
                        policy_.places.shared_memory = memory.place;
                        assign(policy_.shared_memory, read_.size(memory, "memory", kMinSharedMemory, kMaxSharedMemory));
                    }},
                   {"threads", [this](const YamlValue& threads) {
                        assign(policy_.threads, read_.choice(threads, "threads", kThreads));
                    }}});
    }

    void memory(const YamlValue& value) {
        read_.map(
            value, "memory",
            {{"pages", [this](const YamlValue& pages) { assign(policy_.pages, read_.choice(pages, "pages", kPages)); }},
             {"prefault",
              [this](const YamlValue& prefault) { assign(policy_.prefault, read_.boolean(prefault, "prefault")); }}});
    }

    void interconnect(const YamlValue& value) {
        Policy::Places& places = policy_.places;
        places.interconnect = places.shape = places.dimensions = value.place;
        bool links = false;
        bool known_shape = true;
        read_.map(value, "interconnect",
                  {{"shape",
                    [&](const YamlValue& shape) {
                        places.shape = shape.place;
                        const auto chosen = read_.choice(shape, "shape", kShapes);
                        known_shape = chosen.has_value();
                        assign(policy_.interconnect.shape, chosen);
                    }},
                   {"dimensions", [this](const YamlValue& sides) { dimensions(sides); }},
                   {"links",
                    [&](const YamlValue& list) {
                        links = true;
                        places.interconnect = list.place;
                        list_links(list);
                    }},
                   {"link", [this](const YamlValue& model) { link(model); }}});
        const bool is_list = policy_.interconnect.shape == Shape::kList;
        if (known_shape && links && !is_list)
            read_.problem(places.interconnect, "links are listed, and the shape is not list",
                          "add shape: list, or remove links");
        if (is_list && !links)
            read_.problem(places.shape, "shape list without its links", "add for example links: [[0, 1], [1, 2]]");
    }

    void dimensions(const YamlValue& value) {
        policy_.places.dimensions = value.place;
        const auto sides = read_.sequence(value, "dimensions", "[4, 8]");
        if (value.kind == YamlValue::Kind::kSequence && (sides.empty() || sides.size() > kMaxDimensions))
            read_.problem(value.place, fmt::format("{} dimensions", sides.size()),
                          fmt::format("1 to {} of them, for example [4, 8]", kMaxDimensions));
        else
            for (const YamlValue& side : sides)
                if (const auto length = read_.integer(side, "a dimension", 1, kMaxNodes))
                    policy_.interconnect.dimensions.push_back(*length);
                else
                    dimensions_broken_ = true;
        if (dimensions_broken_) policy_.interconnect.dimensions.clear();
    }

    void list_links(const YamlValue& value) {
        const auto items = read_.sequence(value, "links", "[[0, 1], [1, 2]]");
        if (items.size() > kMaxListedLinks) {
            read_.problem(value.place, fmt::format("{} links", items.size()),
                          fmt::format("at most {}; is a shape what you want?", kMaxListedLinks));
            return;
        }
        for (const YamlValue& item : items) {
            const auto ends = read_.sequence(item, "a link", "[0, 1]");
            if (item.kind != YamlValue::Kind::kSequence) continue;
            if (ends.size() != 2) {
                read_.problem(item.place, fmt::format("a link has two ends, not {}", ends.size()),
                              "for example [0, 1]");
                continue;
            }
            const auto a = read_.integer(ends[0], "a link's end", 0, kMaxNodes - 1);
            const auto b = read_.integer(ends[1], "a link's end", 0, kMaxNodes - 1);
            if (!a || !b) continue;
            policy_.interconnect.links.push_back({{std::min(*a, *b)}, {std::max(*a, *b)}});
            policy_.places.links.push_back(item.place);
        }
    }

    void link(const YamlValue& value) {
        LinkModel& model = policy_.interconnect.link;
        read_.map(
            value, "link",
            {{"latency",
              [&](const YamlValue& latency) {
                  const auto time = read_.quantity<std::chrono::nanoseconds>(latency, "latency", parse_duration, "2us");
                  if (time && *time > kMaxLatency)
                      read_.problem(latency.place, fmt::format("latency is {}: out of range", describe(latency)),
                                    "0us to 10s");
                  else
                      assign(model.latency, time);
              }},
             {"bandwidth", [&](const YamlValue& bandwidth) {
                  const auto rate = read_.quantity<std::uint64_t>(bandwidth, "bandwidth", parse_bandwidth, "10Gbit/s");
                  if (rate && (*rate < kMinBandwidth || *rate > kMaxBandwidth))
                      read_.problem(bandwidth.place, fmt::format("bandwidth is {}: out of range", describe(bandwidth)),
                                    "1kbit/s to 100Tbit/s; leave it out for no limit");
                  else
                      assign(model.bandwidth, rate);
              }}});
    }

    void placement(const YamlValue& value) {
        policy_.places.placement = value.place;
        if (value.kind == YamlValue::Kind::kMap) {
            policy_.placement = PlacementKind::kExplicit;
            bool listed = false;
            read_.map(value, "placement", {{"explicit", [&](const YamlValue& list) {
                                                listed = true;
                                                pins(list);
                                            }}});
            if (!listed && value.entries.empty())
                read_.problem(value.place, "placement is empty", std::string(kExplicitForm));
            return;
        }
        assign(policy_.placement, read_.choice(value, "placement", kPlacements));
        if (value.text == to_string(PlacementKind::kExplicit))
            read_.problem(value.place, "explicit placement without its list", std::string(kExplicitForm));
    }

    void pins(const YamlValue& value) {
        const auto items = read_.sequence(value, "explicit", "[{nodes: \"0-7\", core: 0}]");
        if (items.size() > kMaxNodes)
            read_.problem(value.place, fmt::format("{} places for nodes", items.size()),
                          fmt::format("at most {}", kMaxNodes));
        else
            for (const YamlValue& item : items) pin(item);
    }

    void pin(const YamlValue& value) {
        Pin pin;
        pin.place = value.place;
        bool nodes = false;
        int targets = 0;
        const auto target = [&](const YamlValue& index, std::string_view what, bool is_pu) {
            ++targets;
            pin.is_pu = is_pu;
            if (const auto number = read_.integer(index, what, 0, kMaxIndex)) pin.index = *number;
        };
        read_.map(value, "a place for nodes",
                  {{"nodes",
                    [&](const YamlValue& list) {
                        nodes = true;
                        assign(pin.nodes, read_.index_list(list, "nodes", kMaxNodes - 1));
                    }},
                   {"core", [&](const YamlValue& index) { target(index, "core", false); }},
                   {"pu", [&](const YamlValue& index) { target(index, "pu", true); }}});
        if (value.kind != YamlValue::Kind::kMap) return;
        if (!nodes) read_.problem(value.place, "a place without its nodes", "add for example nodes: \"0-7\"");
        if (targets != 1) read_.problem(value.place, "a place needs either core or pu", std::string(kExplicitForm));
        policy_.pins.push_back(std::move(pin));
    }

    void files(const YamlValue& value) {
        std::map<std::string, std::string_view> known;  // path → the list that has it
        const auto list = [&](std::vector<std::string>& paths, std::string_view name) {
            return PolicyReader::Key{name, [&, name](const YamlValue& items) { file_list(items, name, paths, known); }};
        };
        read_.map(value, "files",
                  {list(policy_.files.hidden, "hidden"), list(policy_.files.readable, "readable"),
                   list(policy_.files.writable, "writable")});
    }

    void file_list(const YamlValue& value, std::string_view list, std::vector<std::string>& paths,
                   std::map<std::string, std::string_view>& known) {
        const auto items = read_.sequence(value, list, "[/usr, /data]");
        if (value.kind == YamlValue::Kind::kSequence) paths.clear();
        if (items.size() > kMaxFileRules) {
            read_.problem(value.place, fmt::format("{} paths are {}", items.size(), list),
                          fmt::format("at most {}: name the folders that have them", kMaxFileRules));
            return;
        }
        for (const YamlValue& item : items) {
            const auto written = read_.text(item, "a path", "/data");
            if (!written) continue;
            if (const auto fault = check_file_rule(*written)) {
                read_.problem(item.place, fmt::format("{} path {} is {}", list, describe(item), fault->problem),
                              fault->way_out);
                continue;
            }
            const auto [entry, fresh] = known.emplace(plain_path(*written), list);
            if (!fresh)
                read_.problem(item.place, fmt::format("{} is {} already", describe(item), entry->second),
                              "name each path once");
            paths.push_back(entry->first);
        }
    }

    Policy& policy_;
    PolicyReader read_;
    bool dimensions_broken_ = false;
};

}  // namespace

Result<Policy> parse_policy(std::string_view text, std::string_view source) {
    Policy policy;
    policy.source = source;
    policy.text = text;
    YamlTree tree = parse_yaml(text);
    std::vector<Problem> problems = std::move(tree.problems);
    if (!tree.broken) Reading(policy, problems).whole(tree.root);
    if (problems.empty())
        if (const auto count = known_node_count(policy)) problems = check_with_nodes(policy, *count);
    if (!problems.empty()) return invalid_policy(source, std::move(problems));
    return policy;
}

}  // namespace divisi::partitioner
