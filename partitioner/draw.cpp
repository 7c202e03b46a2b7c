#include "partitioner/draw.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/mode.hpp"
#include "base/quantity.hpp"
#include "partitioner/draw_shape.hpp"

namespace divisi::partitioner {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kPageColumns = 80;
constexpr std::size_t kNodesInRow = 8;
constexpr std::size_t kRowsInBox = 16;

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string plural(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string padded(std::string text, std::size_t columns, std::string_view with = " ") {
    for (std::size_t have = columns_of(text); have < columns; ++have) text += with;
    return text;
}

Lines node_rows(const std::vector<std::uint32_t>& ids, std::size_t digits) {
    Lines rows;
    for (std::size_t i = 0; i < ids.size(); i += kNodesInRow) {
        if (rows.size() == kRowsInBox) {
            rows.push_back(fmt::format(" … {}", plural(ids.size(), "node")));
            break;
        }
        std::string row;
        for (std::size_t j = i; j < std::min(i + kNodesInRow, ids.size()); ++j)
            row += fmt::format(" {:>{}}", ids[j], digits);
        rows.push_back(std::move(row));
    }
    return rows;
}

// One PU with the nodes pinned to it.
Lines box(const std::string& title, const Lines& content) {
    std::size_t inner = columns_of(title) + 3;
    for (const std::string& line : content) inner = std::max(inner, columns_of(line) + 1);
    Lines lines{padded("┌ " + title + " ", inner + 1, "─") + "┐"};
    for (const std::string& line : content) lines.push_back("│" + padded(line, inner) + "│");
    lines.push_back("└" + padded("", inner, "─") + "┘");
    return lines;
}

// Boxes side by side while they fit on the page, then in a further row.
void append_boxes(std::string& out, const std::vector<Lines>& boxes) {
    for (std::size_t i = 0; i < boxes.size();) {
        std::size_t used = 0;
        std::size_t height = 0;
        std::size_t end = i;
        for (; end < boxes.size(); ++end) {
            const std::size_t width = columns_of(boxes[end].front()) + 1;
            if (end > i && used + width > kPageColumns) break;
            used += width;
            height = std::max(height, boxes[end].size());
        }
        for (std::size_t line = 0; line < height; ++line) {
            std::string text;
            for (std::size_t each = i; each < end; ++each)
                text += padded(line < boxes[each].size() ? boxes[each][line] : "", columns_of(boxes[each].front()) + 1);
            text.erase(text.find_last_not_of(' ') + 1);
            out += text + '\n';
        }
        i = end;
    }
}

std::string title_of(const PlannedNode& node) {
    std::string title = fmt::format("core {} · PU {}", node.core, node.pu);
    if (node.os_pu != kUnknownPu) title += fmt::format(" (OS {})", node.os_pu);
    return title;
}

void append_machine(std::string& out, const Plan& plan) {
    struct Seat {
        const PlannedNode* first;
        std::vector<std::uint32_t> ids;
    };
    std::map<std::tuple<std::int32_t, std::uint32_t, std::uint32_t>, Seat> seats;
    std::set<std::int32_t> numas;
    for (const PlannedNode& node : plan.nodes) {
        Seat& seat = seats[{node.numa, node.core, node.pu}];
        seat.first = &node;
        seat.ids.push_back(node.id.value);
        numas.insert(node.numa);
    }
    const std::size_t digits = fmt::to_string(plan.nodes.size() - 1).size();
    for (const std::int32_t numa : numas) {
        if (numas.size() > 1) out += fmt::format("NUMA node {}\n", numa);
        std::vector<Lines> boxes;
        for (const auto& [key, seat] : seats)
            if (seat.first->numa == numa) boxes.push_back(box(title_of(*seat.first), node_rows(seat.ids, digits)));
        append_boxes(out, boxes);
    }
}

std::string link_model(const LinkModel& link) {
    std::string text;
    if (link.latency.count() != 0) text += ", " + format_duration(link.latency) + " a hop";
    if (link.bandwidth != 0) text += fmt::format(", {:g}Gbit/s a link", static_cast<double>(link.bandwidth) / 1e9);
    return text;
}

}  // namespace

std::string headline(const Plan& plan) {
    std::set<std::uint32_t> cores;
    std::set<std::uint32_t> pus;
    for (const PlannedNode& node : plan.nodes) {
        cores.insert(node.core);
        pus.insert(node.pu);
    }
    std::string where = plural(cores.size(), "core");
    if (pus.size() != cores.size()) where += fmt::format(" ({})", plural(pus.size(), "PU"));
    const std::string memory = plan.mode == Mode::kMessagePassing ? format_size(plan.nodes.front().memory) + " a node"
                                                                  : format_size(plan.shared_memory) + " shared";
    return fmt::format("{}: {} on {}, {}, {}", plan.name, plural(plan.nodes.size(), "node"), where,
                       to_string(plan.mode), memory);
}

std::string interconnect_line(const Plan& plan) {
    const Metrics& metrics = plan.metrics;
    std::string shape(to_string(plan.shape));
    if (!plan.dimensions.empty()) shape += fmt::format(" {}", fmt::join(plan.dimensions, " x "));
    const std::string degree = metrics.min_degree == metrics.max_degree
                                   ? fmt::format("{} a node", metrics.max_degree)
                                   : fmt::format("{} to {} a node", metrics.min_degree, metrics.max_degree);
    return fmt::format("interconnect: {}, {} ({}), diameter {}{}", shape, plural(metrics.links, "link"), degree,
                       metrics.diameter ? fmt::to_string(*metrics.diameter) : "none", link_model(plan.link));
}

std::string draw(const Plan& plan) {
    std::string out = headline(plan) + "\n\n";
    append_machine(out, plan);
    out += "\n" + interconnect_line(plan) + "\n\n";
    for (const std::string& line : draw_shape(plan)) out += line.empty() ? "\n" : "  " + line + "\n";
    return out;
}

}  // namespace divisi::partitioner
