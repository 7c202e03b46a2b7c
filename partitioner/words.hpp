// The words of a policy and what they stand for. Private to this folder.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "partitioner/policy.hpp"

namespace divisi::partitioner {

template <typename T, std::size_t N>
using Words = std::array<std::pair<T, std::string_view>, N>;

inline constexpr Words<Smt, 3> kSmt{{{Smt::kAvoid, "avoid"}, {Smt::kPair, "pair"}, {Smt::kAllow, "allow"}}};
inline constexpr Words<PlacementKind, 4> kPlacements{{{PlacementKind::kCompact, "compact"},
                                                      {PlacementKind::kScatter, "scatter"},
                                                      {PlacementKind::kLinked, "linked"},
                                                      {PlacementKind::kExplicit, "explicit"}}};
inline constexpr Words<Threads, 2> kThreads{{{Threads::kScatter, "scatter"}, {Threads::kCompact, "compact"}}};
inline constexpr Words<Pages, 3> kPages{
    {{Pages::kSmall, "4KiB"}, {Pages::kTransparent, "transparent"}, {Pages::kHuge, "2MiB"}}};
inline constexpr Words<Backend, 3> kBackends{
    {{Backend::kAuto, "auto"}, {Backend::kKvm, "kvm"}, {Backend::kDirect, "direct"}}};
inline constexpr Words<Mode, 2> kModes{
    {{Mode::kSharedMemory, "shared-memory"}, {Mode::kMessagePassing, "message-passing"}}};
inline constexpr Words<Shape, 8> kShapes{{{Shape::kFull, "full"},
                                          {Shape::kRing, "ring"},
                                          {Shape::kMesh, "mesh"},
                                          {Shape::kTorus, "torus"},
                                          {Shape::kHypercube, "hypercube"},
                                          {Shape::kStar, "star"},
                                          {Shape::kTree, "tree"},
                                          {Shape::kList, "list"}}};

template <typename T, std::size_t N>
constexpr std::string_view name_of(T value, const Words<T, N>& words) noexcept {
    for (const auto& [each, name] : words)
        if (each == value) return name;
    return "?";
}

}  // namespace divisi::partitioner
