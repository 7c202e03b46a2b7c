#include "hv/virtual_files.hpp"

#include <dirent.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <set>

#include "hv/program.hpp"
#include "hv/virtual_table.hpp"

namespace divisi::hv {
namespace {

using Kind = VirtualNode::Kind;
using Numbers = VirtualNode::Numbers;

constexpr std::array<std::string_view, 3> kRoots = {"/proc", "/sys", "/dev"};
constexpr int kCacheCount = 4;  // at most: index0 … index3

std::array<std::span<const VirtualPattern>, 4> tables() {
    return {process_patterns(), kernel_patterns(), processor_patterns(), device_patterns()};
}

// Takes the first component off.
std::string_view next_component(std::string_view& path) {
    if (!path.empty() && path.front() == '/') path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, end);
    path.remove_prefix(end);
    return component;
}

bool parse_number(std::string_view text, int& number) {
    // One spelling a number: "01" is no name of anything.
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

// What a wildcard may stand for.
std::vector<int> values_of(const VirtualContext& context, std::string_view wildcard) {
    if (wildcard == "<pid>") return {context.program.pid()};
    if (wildcard == "<tid>") return context.program.thread_ids();
    if (wildcard == "<fd>") return context.program.files().numbers();
    const int count = wildcard == "<cpu>" ? static_cast<int>(context.program.scheduler().cpus()) : kCacheCount;
    std::vector<int> values(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = i;
    return values;
}

int& number_of(Numbers& numbers, std::string_view wildcard) {
    if (wildcard == "<pid>") return numbers.pid;
    if (wildcard == "<tid>") return numbers.tid;
    if (wildcard == "<fd>") return numbers.fd;
    return wildcard == "<cpu>" ? numbers.cpu : numbers.cache;
}

bool matches(const VirtualContext& context, std::string_view pattern, std::string_view name, Numbers& numbers) {
    const std::size_t wildcard_at = pattern.find('<');
    if (wildcard_at == std::string_view::npos) return pattern == name;
    const std::string_view wildcard = pattern.substr(wildcard_at);
    if (!name.starts_with(pattern.substr(0, wildcard_at))) return false;
    int number = 0;
    if (!parse_number(name.substr(wildcard_at), number)) return false;
    const std::vector<int> values = values_of(context, wildcard);
    if (std::find(values.begin(), values.end(), number) == values.end()) return false;
    number_of(numbers, wildcard) = number;
    return true;
}

// What of the pattern is below the path: nothing where the path does not lead there; empty where it is the pattern.
std::optional<std::string_view> below(const VirtualContext& context, std::string_view pattern, std::string_view path,
                                      Numbers& numbers) {
    while (!path.empty()) {
        if (pattern.empty()) return std::nullopt;
        const std::string_view name = next_component(path);
        if (!matches(context, next_component(pattern), name, numbers)) return std::nullopt;
    }
    return pattern;
}

std::uint64_t inode_of(std::string_view path) {
    return (std::hash<std::string_view>()(path) >> 16U) | 1U;
}

unsigned char entry_type(Kind kind, bool device) {
    switch (kind) {
        case Kind::kFolder: return DT_DIR;
        case Kind::kFile: return DT_REG;
        case Kind::kHost: return device ? DT_CHR : DT_DIR;
        default: return DT_LNK;
    }
}

}  // namespace

bool is_virtual(std::string_view path) {
    return std::any_of(kRoots.begin(), kRoots.end(), [path](std::string_view root) {
        return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
    });
}

std::optional<VirtualNode> find_virtual(const VirtualContext& context, std::string_view path) {
    std::optional<VirtualNode> found;
    for (const auto& table : tables()) {
        for (const VirtualPattern& item : table) {
            Numbers numbers;
            const auto rest = below(context, item.pattern, path, numbers);
            if (!rest) continue;
            if (rest->empty()) return VirtualNode{item.kind, std::string(path), item.permissions, numbers, item.text};
            if (!found) found = VirtualNode{Kind::kFolder, std::string(path), 0555, numbers, nullptr};
        }
    }
    return found;
}

std::string read_virtual(const VirtualContext& context, const VirtualNode& node) {
    return node.text != nullptr ? node.text(context, node.numbers) : std::string();
}

struct stat status_of(const VirtualNode& node) {
    struct stat status {};
    status.st_dev = makedev(0, 4);
    status.st_ino = inode_of(node.path);
    status.st_nlink = node.kind == Kind::kFolder ? 2 : 1;
    const mode_t type = node.kind == Kind::kFolder ? S_IFDIR : node.kind == Kind::kFile ? S_IFREG : S_IFLNK;
    status.st_mode = type | static_cast<mode_t>(node.permissions);
    status.st_blksize = 1024;
    return status;
}

std::vector<VirtualEntry> list_virtual(const VirtualContext& context, const VirtualNode& folder) {
    std::vector<VirtualEntry> entries{{".", DT_DIR, inode_of(folder.path)}, {"..", DT_DIR, 1}};
    std::set<std::string> seen;
    const auto add = [&](const std::string& name, unsigned char type) {
        if (seen.insert(name).second) entries.push_back({name, type, inode_of(folder.path + "/" + name)});
    };
    for (const auto& table : tables()) {
        for (const VirtualPattern& item : table) {
            Numbers numbers;
            auto rest = below(context, item.pattern, folder.path, numbers);
            if (!rest || rest->empty()) continue;
            const std::string_view name = next_component(*rest);
            const Kind kind = rest->empty() ? item.kind : Kind::kFolder;
            const unsigned char type = entry_type(kind, item.permissions != 01777);
            const std::size_t wildcard_at = name.find('<');
            if (wildcard_at == std::string_view::npos) {
                add(std::string(name), type);
                continue;
            }
            for (const int value : values_of(context, name.substr(wildcard_at)))
                add(std::string(name.substr(0, wildcard_at)) + std::to_string(value), type);
        }
    }
    return entries;
}

}  // namespace divisi::hv
