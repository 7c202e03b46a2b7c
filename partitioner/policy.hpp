// A policy: the declarative description of a topology, before any machine is looked at. docs/policy.md is its
// reference.
//
// Threads: values; copy them freely.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_rules.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "partitioner/interconnect.hpp"

namespace divisi::partitioner {

// A place in the policy's text, counted from 1; {0, 0} where the text does not mention the thing.
struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

struct Problem {
    Place place;
    std::string what;
    std::string way_out;
};

enum class Smt : std::uint8_t {
    kAvoid,  // one PU of a core is used, its siblings stay idle
    kPair,   // neighbouring nodes are put side by side on the siblings of a core
    kAllow,  // siblings are used like cores, once every core has work
};
enum class PlacementKind : std::uint8_t { kCompact, kScatter, kLinked, kExplicit };
// On which free node of a multiprocessor a program's next thread starts.
enum class Threads : std::uint8_t {
    kScatter,  // where the fewest run on its PU, and on its core
    kCompact,  // the one with the lowest number
};
enum class Pages : std::uint8_t {
    kSmall,        // 4 KiB
    kTransparent,  // 2 MiB where the kernel finds them
    kHuge,         // 2 MiB out of the kernel's pool
};
enum class Backend : std::uint8_t { kAuto, kKvm, kDirect };

[[nodiscard]] std::string_view to_string(Smt smt) noexcept;
[[nodiscard]] std::string_view to_string(PlacementKind placement) noexcept;
[[nodiscard]] std::string_view to_string(Threads threads) noexcept;
[[nodiscard]] std::string_view to_string(Pages pages) noexcept;
[[nodiscard]] std::string_view to_string(Backend backend) noexcept;
// Errors: kUsage, naming the choices.
Result<Backend> parse_backend(std::string_view text);
Result<Pages> parse_pages(std::string_view text);
Result<Threads> parse_threads(std::string_view text);

// Which cores: all usable ones, the first `count`, or exactly the listed hwloc logical indexes (sorted, each once).
struct CoreSelection {
    std::optional<std::uint32_t> count;
    std::vector<std::uint32_t> list;
    // Cores named, 0 for "all".
    [[nodiscard]] std::uint32_t named() const noexcept {
        return count ? *count : static_cast<std::uint32_t>(list.size());
    }
};

// placement: explicit. These nodes go to this core, or to this very PU (hwloc logical indexes).
struct Pin {
    std::vector<std::uint32_t> nodes;
    std::uint32_t index = 0;
    bool is_pu = false;
    Place place;
};

struct Policy {
    std::string source;  // where the text came from, for messages: a path
    std::string text;    // the text itself, for show

    std::string name;
    CoreSelection cores;
    Smt smt = Smt::kAvoid;
    bool fold = false;
    // Exactly one of the two.
    std::optional<std::uint32_t> node_count;
    std::optional<std::uint32_t> nodes_per_core;
    std::uint64_t node_memory = 64U << 20U;  // bytes
    Mode mode = Mode::kMessagePassing;
    std::uint64_t shared_memory = 1U << 30U;  // bytes
    Threads threads = Threads::kScatter;
    Pages pages = Pages::kSmall;
    bool prefault = false;
    Interconnect interconnect;
    PlacementKind placement = PlacementKind::kCompact;
    std::vector<Pin> pins;
    Backend backend = Backend::kAuto;
    FileRules files;

    // Where things stand, for errors that show only on a machine.
    struct Places {
        Place cores, nodes, node_memory, shared_memory, interconnect, shape, dimensions, smt, placement;
        std::vector<Place> links;
    } places;
};

// Limits, in bytes; the upper ones are what divisi-vmm can give a guest. Sizes are whole numbers of 4 KiB pages.
inline constexpr std::uint64_t kMinNodeMemory = 4ULL << 20U;
inline constexpr std::uint64_t kMaxNodeMemory = 64ULL << 30U;
inline constexpr std::uint64_t kMinSharedMemory = 16ULL << 20U;
inline constexpr std::uint64_t kMaxSharedMemory = 64ULL << 30U;
inline constexpr std::size_t kMaxNameLength = 48;

// Reads a policy out of `text`, which is untrusted. `source` names it in messages.
// Errors: kInvalidPolicy; the message has a line "source:line:column: problem (way out)" for each problem found.
Result<Policy> parse_policy(std::string_view text, std::string_view source);

// A topology's name: 1 to 48 letters, digits, '-' and '_', starting with a letter or digit. Errors: kUsage.
Result<void> check_name(std::string_view name);

// An error at a place of the policy, in the form above; without a line and column where the place is {0, 0}.
Error policy_error(Errc errc, const Policy& policy, const Place& place, std::string what, std::string way_out);

}  // namespace divisi::partitioner
