#include "partitioner/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "partitioner/link_mapping.hpp"
#include "partitioner/policy_check.hpp"

namespace divisi::partitioner {
namespace {

using Indexes = std::vector<std::uint32_t>;

std::uint32_t size_of(const Indexes& indexes) {
    return static_cast<std::uint32_t>(indexes.size());
}

std::string plural(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// Why there are not more: the PUs that the machine has and we must not use.
std::string excluded_of(const Machine& machine) {
    std::string text;
    for (const Exclusion& exclusion : machine.exclusions)
        text += fmt::format("; OS PUs {}: {}", format_list(exclusion.os_pus), exclusion.why);
    return text;
}

// Neighbours in the result are far apart in the machine: one core of each package in turn.
Indexes interleaved(const Machine& machine, const Indexes& cores) {
    std::map<std::uint32_t, Indexes> by_package;
    for (const std::uint32_t core : cores) by_package[machine.cores.at(core).package].push_back(core);
    Indexes result;
    for (std::size_t rank = 0; result.size() < cores.size(); ++rank)
        for (const auto& [package, members] : by_package)
            if (rank < members.size()) result.push_back(members[rank]);
    return result;
}

class Placer {
public:
    Placer(const Policy& policy, const Machine& machine) : policy_(policy), machine_(machine) {}

    Result<Placement> place() {
        DIVISI_TRY(choose_cores());
        DIVISI_TRY(count_nodes());
        if (policy_.placement == PlacementKind::kExplicit)
            DIVISI_TRY(place_explicitly());
        else
            DIVISI_TRY(deal());
        note_idle_siblings();
        return std::move(placement_);
    }

private:
    Result<void> choose_cores() {
        DIVISI_TRY_ASSIGN(const Indexes candidates, candidate_cores());
        const bool scatter = policy_.placement == PlacementKind::kScatter;
        if (policy_.cores.list.empty()) {
            cores_ = scatter ? interleaved(machine_, candidates) : candidates;
            if (policy_.cores.count && *policy_.cores.count < cores_.size()) cores_.resize(*policy_.cores.count);
        } else {
            std::set_intersection(candidates.begin(), candidates.end(), policy_.cores.list.begin(),
                                  policy_.cores.list.end(), std::back_inserter(cores_));
            if (scatter) cores_ = interleaved(machine_, cores_);
        }
        if (size_of(cores_) < policy_.cores.named()) DIVISI_TRY(fold(candidates));
        return {};
    }

    // The cores that the policy's view of SMT can use.
    Result<Indexes> candidate_cores() {
        const Indexes usable = machine_.usable_cores();
        if (policy_.smt != Smt::kPair) return usable;
        Indexes paired;
        std::copy_if(usable.begin(), usable.end(), std::back_inserter(paired),
                     [this](std::uint32_t core) { return machine_.usable_pus(machine_.cores.at(core)).size() > 1; });
        if (!paired.empty()) return paired;
        if (!policy_.fold)
            return policy_error(Errc::kInsufficient, policy_, policy_.places.smt,
                                "smt: pair, and no core here has two usable PUs" + excluded_of(machine_),
                                "set smt: avoid, or fold: true to let the nodes of a pair share a PU");
        placement_.notes.emplace_back("no core here has two usable PUs: the nodes of a pair share one");
        return usable;
    }

    Result<void> fold(const Indexes& candidates) {
        const std::uint32_t named = policy_.cores.named();
        if (!policy_.fold) return shortage(candidates);
        if (cores_.empty()) cores_ = candidates;
        if (cores_.size() > named) cores_.resize(named);
        if (cores_.size() < named)
            folded_note_ = fmt::format("folded {} onto {}", plural(named, "core"), cores_.size());
        else
            folded_note_ = fmt::format("cores {} are not here: took {} instead", format_list(policy_.cores.list),
                                       format_list(cores_));
        return {};
    }

    Error shortage(const Indexes& candidates) const {
        const std::string_view usable = policy_.smt == Smt::kPair ? "usable with two PUs" : "usable";
        std::string what;
        if (policy_.cores.count) {
            what = fmt::format("the policy names {}, and {} has {} {}", plural(*policy_.cores.count, "core"),
                               machine_.source, candidates.size(), usable);
        } else {
            Indexes missing;
            std::set_difference(policy_.cores.list.begin(), policy_.cores.list.end(), candidates.begin(),
                                candidates.end(), std::back_inserter(missing));
            what = fmt::format("{} of the policy {} not {} on {}, which has {} {}: {}",
                               (missing.size() == 1 ? "core " : "cores ") + format_list(missing),
                               missing.size() == 1 ? "is" : "are", usable, machine_.source,
                               plural(candidates.size(), "core"), usable, format_list(candidates));
        }
        return policy_error(
            Errc::kInsufficient, policy_, policy_.places.cores, what + excluded_of(machine_),
            fmt::format("name at most {}, or set fold: true under machine to share them", candidates.size()));
    }

    Result<void> count_nodes() {
        const std::uint32_t named = policy_.cores.named() != 0 ? policy_.cores.named() : size_of(cores_);
        const std::uint64_t count =
            policy_.node_count ? *policy_.node_count : std::uint64_t{policy_.nodes_per_core.value_or(1)} * named;
        nodes_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, kMaxNodes + 1));
        if (auto problems = check_with_nodes(policy_, nodes_); !problems.empty()) {
            for (Problem& problem : problems)
                problem.what += fmt::format(" (there are {} on {})", plural(nodes_, "node"), machine_.source);
            return invalid_policy(policy_.source, std::move(problems));
        }
        placement_.pus.resize(nodes_);
        if (!folded_note_.empty()) {
            const std::uint32_t least = nodes_ / size_of(cores_);
            const bool even = nodes_ % cores_.size() == 0;
            placement_.notes.push_back(
                folded_note_ + ": " + (even ? plural(least, "node") : fmt::format("{} or {} nodes", least, least + 1)) +
                " on each");
        }
        return {};
    }

    // Nodes go to cores in groups that stay together: two siblings' worth for smt: pair, else single nodes.
    Result<void> deal() {
        const std::uint32_t group = policy_.smt == Smt::kPair ? 2 : 1;
        const std::uint32_t groups = (nodes_ + group - 1) / group;
        std::vector<Indexes> members(cores_.size());
        for (std::uint32_t node = 0; node < nodes_; ++node) {
            const std::size_t position = policy_.placement == PlacementKind::kScatter
                                             ? (node / group) % cores_.size()
                                             : block_of(node / group, groups, size_of(cores_));
            members.at(position).push_back(node);
        }
        if (policy_.placement == PlacementKind::kLinked) DIVISI_TRY(bring_linked_together(members));
        for (std::size_t i = 0; i < cores_.size(); ++i) seat(cores_[i], members[i]);
        return {};
    }

    // Gives each core as many nodes as before, chosen by their links.
    Result<void> bring_linked_together(std::vector<Indexes>& members) {
        std::vector<Seats> seats;
        for (std::size_t i = 0; i < cores_.size(); ++i)
            seats.push_back({machine_.cores.at(cores_[i]).package, size_of(members[i])});
        const std::vector<Link> links = make_links(policy_.interconnect, nodes_);
        DIVISI_TRY_ASSIGN(const Indexes positions, map_links(links, seats));
        for (Indexes& nodes : members) nodes.clear();
        for (std::uint32_t node = 0; node < nodes_; ++node) members.at(positions[node]).push_back(node);
        placement_.notes.push_back(fmt::format("{} of {} lead from core to core", links_between(links, positions),
                                               plural(links.size(), "link")));
        return {};
    }

    // `items` dealt over `blocks` in order, as evenly as can be, the larger blocks first: the block of one item.
    static std::uint32_t block_of(std::uint32_t item, std::uint32_t items, std::uint32_t blocks) {
        const std::uint32_t least = items / blocks;
        const std::uint32_t larger = items % blocks;
        const std::uint32_t in_larger = larger * (least + 1);
        return item < in_larger ? item / (least + 1) : larger + (item - in_larger) / least;
    }

    // Shares the PUs of a core among its nodes.
    void seat(std::uint32_t core, const Indexes& nodes) {
        const Indexes pus = machine_.usable_pus(machine_.cores.at(core));
        const auto count = size_of(nodes);
        for (std::uint32_t i = 0; i < count; ++i) {
            std::uint32_t at = 0;
            if (policy_.smt == Smt::kPair) at = i % size_of(pus);
            if (policy_.smt == Smt::kAllow)
                at = policy_.placement == PlacementKind::kCompact ? block_of(i, count, std::min(count, size_of(pus)))
                                                                  : i % size_of(pus);
            placement_.pus.at(nodes[i]) = pus.at(at);
        }
    }

    Result<void> place_explicitly() {
        bool missing = false;
        for (const Pin& pin : policy_.pins) missing = missing || !is_usable(pin);
        if (missing) return fold_pins();
        std::map<std::uint32_t, Indexes> of_core;
        for (const Pin& pin : policy_.pins) {
            DIVISI_TRY(check_pin(pin));
            for (const std::uint32_t node : pin.nodes) {
                if (pin.is_pu)
                    placement_.pus.at(node) = pin.index;
                else
                    of_core[pin.index].push_back(node);
            }
        }
        for (const auto& [core, nodes] : of_core) seat(core, nodes);
        return {};
    }

    [[nodiscard]] bool is_usable(const Pin& pin) const {
        if (pin.is_pu) return pin.index < machine_.pus.size() && machine_.pus[pin.index].usable;
        return pin.index < machine_.cores.size() && !machine_.usable_pus(machine_.cores[pin.index]).empty();
    }

    // A pin to something usable must not contradict the rest of the policy.
    [[nodiscard]] Result<void> check_pin(const Pin& pin) const {
        const std::uint32_t core = pin.is_pu ? machine_.pus.at(pin.index).core : pin.index;
        if (std::find(cores_.begin(), cores_.end(), core) == cores_.end())
            return policy_error(Errc::kInvalidPolicy, policy_, pin.place,
                                fmt::format("core {} is not among the cores that machine names", core),
                                fmt::format("on {} these are cores {}", machine_.source, sorted_list(cores_)));
        const std::uint32_t first = machine_.usable_pus(machine_.cores.at(core)).front();
        if (pin.is_pu && policy_.smt == Smt::kAvoid && pin.index != first)
            return policy_error(Errc::kInvalidPolicy, policy_, pin.place,
                                fmt::format("pu {} is an SMT sibling, and smt is avoid", pin.index),
                                fmt::format("use pu {}, or set smt: allow under machine", first));
        return {};
    }

    // Some pinned place is not here: the distinct places, in order, are shared out over what is.
    Result<void> fold_pins() {
        std::set<std::pair<bool, std::uint32_t>> places;
        for (const Pin& pin : policy_.pins) places.emplace(pin.is_pu, pin.index);
        const Indexes seats = usable_seats();
        for (const Pin& pin : policy_.pins) {
            if (!policy_.fold && !is_usable(pin))
                return policy_error(Errc::kInsufficient, policy_, pin.place,
                                    fmt::format("there is no usable {} {} on {}", pin.is_pu ? "pu" : "core", pin.index,
                                                machine_.source) +
                                        excluded_of(machine_),
                                    "divisi doctor lists what is usable; fold: true under machine shares it");
            const auto place = places.find({pin.is_pu, pin.index});
            const auto rank = static_cast<std::uint32_t>(std::distance(places.begin(), place));
            const auto total = static_cast<std::uint32_t>(places.size());
            const std::uint32_t used = std::min(total, size_of(seats));
            for (const std::uint32_t node : pin.nodes) placement_.pus.at(node) = seats.at(block_of(rank, total, used));
        }
        placement_.notes.push_back(fmt::format("folded {} of placement onto {}", plural(places.size(), "place"),
                                               plural(std::min(places.size(), seats.size()), "PU")));
        return {};
    }

    [[nodiscard]] Indexes usable_seats() const {
        Indexes seats;
        for (const std::uint32_t core : cores_) {
            const Indexes pus = machine_.usable_pus(machine_.cores.at(core));
            seats.insert(seats.end(), pus.begin(), policy_.smt == Smt::kAvoid ? pus.begin() + 1 : pus.end());
        }
        return seats;
    }

    void note_idle_siblings() {
        std::size_t idle = 0;
        for (const std::uint32_t core : cores_) idle += machine_.usable_pus(machine_.cores.at(core)).size() - 1;
        if (policy_.smt == Smt::kAvoid && idle > 0)
            placement_.notes.push_back(
                fmt::format("{} left idle: {} (smt: avoid)", plural(idle, "PU"),
                            idle == 1 ? "the SMT sibling of one in use" : "SMT siblings of those in use"));
    }

    static std::string sorted_list(Indexes numbers) {
        std::sort(numbers.begin(), numbers.end());
        return format_list(numbers);
    }

    const Policy& policy_;
    const Machine& machine_;
    Indexes cores_;  // the cores to use, in the order in which they are filled
    std::uint32_t nodes_ = 0;
    std::string folded_note_;
    Placement placement_;
};

}  // namespace

Result<Placement> place_nodes(const Policy& policy, const Machine& machine) {
    if (machine.usable_pu_count() == 0)
        return make_error(Errc::kInsufficient, "has no usable processing unit" + excluded_of(machine), machine.source);
    return Placer(policy, machine).place();
}

}  // namespace divisi::partitioner
