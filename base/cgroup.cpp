#include "base/cgroup.hpp"

#include <algorithm>
#include <charconv>

#include "base/fd.hpp"

namespace divisi {
namespace {

constexpr std::size_t kFileLimit = 1U << 20U;

bool lists(std::string_view names, std::string_view wanted) {
    for (;;) {
        const std::size_t comma = names.find(',');
        if (names.substr(0, comma) == wanted) return true;
        if (comma == std::string_view::npos) return false;
        names.remove_prefix(comma + 1);
    }
}

void append_with_ancestors(std::vector<CgroupFolder>& folders, int version, const std::string& mount,
                           std::string_view path) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    for (;;) {
        folders.push_back({version, mount + std::string(path) + "/"});
        const std::size_t slash = path.rfind('/');
        if (slash == std::string_view::npos) return;
        path = path.substr(0, slash);
    }
}

}  // namespace

std::vector<CgroupFolder> cgroup_folders(std::string_view controller, const std::string& root) {
    std::vector<CgroupFolder> folders;
    const auto text = read_file(root + "/proc/self/cgroup", kFileLimit);
    if (!text) return folders;
    // Lines: "4:memory:/path" for a hierarchy of version 1, "0::/path" for the one of version 2.
    for (std::string_view rest(*text); !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (!path.empty() && path.front() != '/') continue;
        if (controllers.empty()) append_with_ancestors(folders, 2, root + "/sys/fs/cgroup", path);
        if (lists(controllers, controller))
            append_with_ancestors(folders, 1, root + "/sys/fs/cgroup/" + std::string(controller), path);
    }
    return folders;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
    const auto text = read_file(path, kFileLimit);
    if (!text) return std::nullopt;
    const std::string_view digits = std::string_view(*text).substr(0, text->find_last_not_of(" \n") + 1);
    std::uint64_t number = 0;
    const auto [rest, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (status != std::errc{} || rest != digits.data() + digits.size()) return std::nullopt;
    return number;
}

}  // namespace divisi
