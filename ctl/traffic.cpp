#include "ctl/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"
#include "ctl/output.hpp"

namespace divisi::ctl {
namespace {

// A line of a matrix is as wide as a screen.
constexpr std::uint64_t kMaxMatrix = 16;

std::string links_table(const std::vector<const json::object*>& links) {
    Table table({"LINK", "MESSAGES", "BYTES"});
    for (const json::object* link : links)
        if (count_of(*link, "messages") != 0)
            table.row(
                {text_of(*link, "a") + "-" + text_of(*link, "b"), text_of(*link, "messages"), text_of(*link, "bytes")});
    return table.text();
}

std::string pairs_table(const std::vector<const json::object*>& flows) {
    Table table({"FROM", "TO", "MESSAGES", "BYTES"});
    for (const json::object* flow : flows)
        table.row({text_of(*flow, "from"), text_of(*flow, "to"), text_of(*flow, "messages"), text_of(*flow, "bytes")});
    return table.text();
}

std::string matrix(const std::vector<const json::object*>& flows, std::uint64_t ranks) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, const json::object*> found;
    for (const json::object* flow : flows) found[{count_of(*flow, "from"), count_of(*flow, "to")}] = flow;
    std::vector<std::string> header{"BYTES FROM \\ TO"};
    for (std::uint64_t to = 0; to < ranks; ++to) header.push_back(fmt::to_string(to));
    Table table(header);
    for (std::uint64_t from = 0; from < ranks; ++from) {
        std::vector<std::string> row{fmt::to_string(from)};
        for (std::uint64_t to = 0; to < ranks; ++to) {
            const auto flow = found.find({from, to});
            row.push_back(flow == found.end() ? "." : format_size_rounded(count_of(*flow->second, "bytes")));
        }
        table.row(row);
    }
    return table.text();
}

}  // namespace

std::string traffic_text(const json::object& traffic) {
    const auto flows = objects_of(traffic, "flows");
    if (flows.empty()) return "no messages yet\n";
    std::uint64_t ranks = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    for (const json::object* flow : flows) {
        ranks = std::max({ranks, count_of(*flow, "from") + 1, count_of(*flow, "to") + 1});
        messages += count_of(*flow, "messages");
        bytes += count_of(*flow, "bytes");
    }
    return fmt::format("{}: {} messages, {} bytes\n\n", text_of(traffic, "job"), messages, bytes) +
           links_table(objects_of(traffic, "links")) + "\n" +
           (ranks <= kMaxMatrix ? matrix(flows, ranks) : pairs_table(flows));
}

}  // namespace divisi::ctl
