#include "partitioner/memory.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "base/cgroup.hpp"
#include "base/fd.hpp"

namespace divisi::partitioner {
namespace {

constexpr std::size_t kFileLimit = 1U << 20U;

// The files of a group, by the version of cgroups.
struct CgroupFiles {
    std::string_view limit;
    std::string_view usage;
    std::string_view reclaimable;  // a line of memory.stat
};
constexpr CgroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};
constexpr CgroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) return std::nullopt;
    std::uint64_t value = 0;
    const auto [rest, status] = std::from_chars(text.data() + start, text.data() + text.size(), value);
    if (status != std::errc{}) return std::nullopt;
    return value;
}

// The number after `name` and its separator in "name: 12 kB" or "name 12" lines.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view name) {
    for (std::string_view line : lines_of(text)) {
        if (line.size() <= name.size() || !line.starts_with(name)) continue;
        line.remove_prefix(name.size());
        if (line.front() == ':' || line.front() == ' ') return number_in(line.substr(1));
    }
    return std::nullopt;
}

void apply_limit(Memory& memory, const CgroupFolder& folder) {
    const CgroupFiles& files = folder.version == 1 ? kVersion1 : kVersion2;
    const std::string limit_file = folder.path + std::string(files.limit);
    const auto limit = read_number(limit_file);
    if (!limit || *limit >= memory.total) return;
    const std::uint64_t usage = read_number(folder.path + std::string(files.usage)).value_or(0);
    const auto stat = read_file(folder.path + "memory.stat", kFileLimit);
    const std::uint64_t cache = stat ? value_of(*stat, files.reclaimable).value_or(0) : 0;
    const std::uint64_t taken = usage - std::min(usage, cache);
    memory.available = std::min(memory.available, *limit - std::min(*limit, taken));
    if (memory.limit != 0 && *limit >= memory.limit) return;
    memory.limit = *limit;
    memory.limit_file = limit_file;
}

}  // namespace

Result<Memory> read_memory(const std::string& root) {
    const std::string path = root + "/proc/meminfo";
    DIVISI_TRY_ASSIGN(const std::string text, read_file(path, kFileLimit));
    const auto total = value_of(text, "MemTotal");
    const auto available = value_of(text, "MemAvailable");
    constexpr std::uint64_t kMaxKiB = 1ULL << 50U;
    if (!total || *total == 0 || *total > kMaxKiB)
        return make_error(Errc::kFailed, "says nothing usable about the machine's memory", path);
    Memory memory;
    memory.total = *total * 1024;
    memory.available = std::min(available.value_or(*total), *total) * 1024;
    for (const CgroupFolder& folder : cgroup_folders("memory", root)) apply_limit(memory, folder);
    return memory;
}

}  // namespace divisi::partitioner
