#include "partitioner/draw_shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace divisi::partitioner {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kPageColumns = 72;  // less the frame around it
constexpr std::uint32_t kColumns = 16;    // nodes side by side
constexpr std::uint32_t kRows = 16;
constexpr std::uint32_t kTreeLevels = 5;

std::uint32_t count_of(const Plan& plan) {
    return static_cast<std::uint32_t>(plan.nodes.size());
}

std::size_t digits(const Plan& plan) {
    return fmt::to_string(plan.nodes.size() - 1).size();
}

std::string repeat(std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += piece;
    return text;
}

// " 3" in a field as wide as the largest number.
std::string cell(std::uint32_t node, std::size_t width) {
    return fmt::format("{:>{}}", node, width);
}

// Nodes from..to-1 (or downwards) in a row, joined.
std::string chain(const Lines& cells) {
    std::string text;
    for (const std::string& each : cells) text += (text.empty() ? "" : " ── ") + each;
    return text;
}

Lines draw_ring(const Plan& plan) {
    const std::uint32_t nodes = count_of(plan);
    const std::size_t width = digits(plan);
    if (nodes < 3) return {chain(nodes == 1 ? Lines{"0"} : Lines{"0", "1"})};
    // Out on one row and back on the other; the middle of a long ring is left out.
    const std::uint32_t half = (nodes + 1) / 2;
    const std::uint32_t shown = std::min(half, static_cast<std::uint32_t>(kPageColumns / (width + 4)));
    Lines out;
    Lines back;
    for (std::uint32_t i = 0; i < half; ++i) {
        if (half > shown && i == shown - 1) {
            out.push_back(fmt::format("{:>{}}", "…", width));
            back.push_back(out.back());
        }
        if (half > shown && i >= shown - 1 && i + 1 < half) continue;
        out.push_back(cell(i, width));
        // With an odd number of nodes, the way back is one shorter.
        back.push_back(nodes - 1 - i >= half ? cell(nodes - 1 - i, width) : repeat("─", width));
    }
    return {"╭─ " + chain(out) + " ─╮", "╰─ " + chain(back) + " ─╯"};
}

// One plane of a mesh or torus: rows of nodes that start at 0.
Lines draw_plane(const Plan& plan, std::uint32_t rows, std::uint32_t columns) {
    const bool torus = plan.shape == Shape::kTorus;
    const bool wraps_rows = torus && columns > 2;
    const bool wraps_columns = torus && rows > 2;
    const std::size_t width = digits(plan);
    const std::uint32_t shown = std::min(columns, static_cast<std::uint32_t>(kPageColumns / (width + 4)));
    std::string down = wraps_rows ? "  " : "";
    for (std::uint32_t i = 0; i < shown; ++i) down += (i > 0 ? "    " : "") + repeat(" ", width - 1) + "│";
    Lines lines;
    if (wraps_columns) lines.push_back(down);
    for (std::uint32_t row = 0; row < std::min(rows, kRows); ++row) {
        if (row > 0) lines.push_back(down);
        Lines cells;
        for (std::uint32_t i = 0; i < shown; ++i) cells.push_back(cell(row * columns + i, width));
        const std::string more = shown < columns ? " ── …" : "";
        lines.push_back(wraps_rows ? "─ " + chain(cells) + more + " ─" : chain(cells) + more);
    }
    if (rows > kRows) lines.push_back(fmt::format("… {} rows in all", rows));
    if (wraps_columns) lines.push_back(down);
    if (wraps_rows || wraps_columns) lines.emplace_back("(open ends meet around the back)");
    return lines;
}

Lines draw_grid(const Plan& plan) {
    const auto& sides = plan.dimensions;
    const std::uint32_t columns = sides.back();
    const std::uint32_t rows = sides.size() > 1 ? sides[sides.size() - 2] : 1;
    Lines lines = draw_plane(plan, rows, columns);
    const std::uint32_t planes = count_of(plan) / (rows * columns);
    if (planes > 1)
        lines.push_back(fmt::format("… and {} more such planes, {} nodes on; each node is also linked across planes",
                                    planes - 1, rows * columns));
    return lines;
}

Lines draw_hypercube(const Plan& plan) {
    const std::uint32_t nodes = count_of(plan);
    const std::size_t width = digits(plan);
    Lines lines;
    for (std::uint32_t bit = 1; bit < nodes; bit <<= 1U) {
        std::string line = fmt::format("bit {}: ", std::countr_zero(bit));
        std::uint32_t pairs = 0;
        for (std::uint32_t node = 0; node < nodes && pairs < kColumns / 2; ++node) {
            if ((node & bit) != 0) continue;
            line += fmt::format(" {}─{}", cell(node, width), fmt::format("{:<{}}", node | bit, width));
            ++pairs;
        }
        lines.push_back(line + (pairs < nodes / 2 ? " …" : ""));
    }
    if (nodes > 1) lines.emplace_back("(nodes whose numbers differ in one bit are linked)");
    return lines;
}

Lines draw_star(const Plan& plan) {
    const std::uint32_t nodes = count_of(plan);
    const std::size_t width = digits(plan);
    if (nodes == 1) return {"0"};
    const std::uint32_t rows = std::min((nodes - 2) / kColumns + 1, kRows);
    Lines lines;
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::string_view joint = rows == 1 ? "───" : row == 0 ? "─┬─" : row + 1 == rows ? " └─" : " ├─";
        std::string line = (row == 0 ? "0 " : "  ") + std::string(joint);
        const std::uint32_t first = 1 + row * kColumns;
        for (std::uint32_t node = first; node < std::min(first + kColumns, nodes); ++node)
            line += " " + cell(node, width);
        lines.push_back(line);
    }
    if (1 + rows * kColumns < nodes) lines.push_back(fmt::format("     … {} nodes in all", nodes));
    return lines;
}

// The column where a node of a tree stands, in a picture that is `width` columns wide.
std::size_t tree_column(std::uint32_t node, std::size_t width) {
    const std::uint32_t level_start = std::bit_floor(node + 1);
    return width * (2 * (node + 1 - level_start) + 1) / (2 * level_start);
}

void put(std::vector<std::string>& columns, std::size_t at, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) columns.at(at + i) = text.substr(i, 1);
}

std::string join(const std::vector<std::string>& columns) {
    std::string line;
    for (const std::string& each : columns) line += each;
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

Lines draw_tree(const Plan& plan) {
    const std::uint32_t nodes = count_of(plan);
    const auto all_levels = static_cast<std::uint32_t>(std::bit_width(nodes));
    const std::uint32_t levels = std::min(all_levels, kTreeLevels);
    // An even width for each leaf puts parents in the middle above their children.
    const std::size_t leaf = (digits(plan) + 3) / 2 * 2;
    const std::size_t width = (std::size_t{1} << (levels - 1)) * leaf;
    Lines lines;
    for (std::uint32_t level = 0; level < levels; ++level) {
        std::vector<std::string> numbers(width + 4, " ");
        std::vector<std::string> joints(width + 4, " ");
        const std::uint32_t first = (1U << level) - 1;
        for (std::uint32_t node = first; node < std::min(2 * first + 1, nodes); ++node) {
            put(numbers, tree_column(node, width), fmt::to_string(node));
            if (level + 1 == levels || 2 * node + 1 >= nodes) continue;
            const bool two = 2 * node + 2 < nodes;
            const std::size_t left = tree_column(2 * node + 1, width);
            const std::size_t right = two ? tree_column(2 * node + 2, width) : tree_column(node, width);
            for (std::size_t i = left; i <= right; ++i) joints.at(i) = "─";
            joints.at(left) = "┌";
            joints.at(right) = two ? "┐" : "┘";
            if (two) joints.at(tree_column(node, width)) = "┴";
        }
        lines.push_back(join(numbers));
        if (level + 1 < levels) lines.push_back(join(joints));
    }
    if (all_levels > levels)
        lines.push_back(
            fmt::format("… {} levels in all: node n has the children 2n+1 and 2n+2, up to {}", all_levels, nodes - 1));
    return lines;
}

Lines draw_list(const Plan& plan) {
    std::vector<std::vector<std::uint32_t>> peers(plan.nodes.size());
    for (const Link& link : plan.links) {
        peers.at(link.a.value).push_back(link.b.value);
        peers.at(link.b.value).push_back(link.a.value);
    }
    Lines lines;
    const std::size_t shown = std::min<std::size_t>(peers.size(), 2 * kRows);
    for (std::size_t node = 0; node < shown; ++node) {
        std::string line = cell(static_cast<std::uint32_t>(node), digits(plan)) + " ──";
        for (std::size_t i = 0; i < std::min<std::size_t>(peers[node].size(), kColumns); ++i)
            line += fmt::format(" {}", peers[node][i]);
        lines.push_back(line + (peers[node].size() > kColumns ? " …" : ""));
    }
    if (shown < peers.size()) lines.push_back(fmt::format("… {} nodes in all", peers.size()));
    return lines;
}

}  // namespace

std::vector<std::string> draw_shape(const Plan& plan) {
    switch (plan.shape) {
        case Shape::kFull: return {"every node is linked to every other"};
        case Shape::kRing: return draw_ring(plan);
        case Shape::kMesh:
        case Shape::kTorus: return draw_grid(plan);
        case Shape::kHypercube: return draw_hypercube(plan);
        case Shape::kStar: return draw_star(plan);
        case Shape::kTree: return draw_tree(plan);
        case Shape::kList: return draw_list(plan);
    }
    return {};
}

}  // namespace divisi::partitioner
