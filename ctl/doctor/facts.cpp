#include "ctl/doctor/facts.hpp"

#include <algorithm>
#include <string_view>

#include "base/cgroup.hpp"
#include "base/fd.hpp"
#include "base/json.hpp"

namespace divisi::ctl::doctor {
namespace {

constexpr std::size_t kFileLimit = 16U << 20U;

std::string_view trim(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t\n");
    if (start == std::string_view::npos) return {};
    return text.substr(start, text.find_last_not_of(" \t\n") - start + 1);
}

// The value of the first "name : value" line; all processors of a machine we run on are alike in this.
std::string_view field(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && trim(line.substr(0, colon)) == name) return trim(line.substr(colon + 1));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return {};
}

bool has_word(std::string_view text, std::string_view word) {
    while (!text.empty()) {
        const std::string_view next = text.substr(0, text.find(' '));
        if (next == word) return true;
        text.remove_prefix(std::min(next.size() + 1, text.size()));
    }
    return false;
}

}  // namespace

Processor read_processor(const std::string& root) {
    Processor processor;
    const auto text = read_file(root + "/proc/cpuinfo", kFileLimit);
    if (!text) return processor;
    const std::string_view flags = field(*text, "flags");
    processor.model = field(*text, "model name");
    processor.vmx = has_word(flags, "vmx");
    processor.svm = has_word(flags, "svm");
    processor.hypervisor = has_word(flags, "hypervisor");
    return processor;
}

std::string selected_mode(const std::string& path) {
    const auto text = read_file(path, kFileLimit);
    if (!text) return {};
    const std::size_t open = text->find('[');
    const std::size_t close = text->find(']');
    if (open == std::string::npos || close == std::string::npos || close < open) return {};
    return text->substr(open + 1, close - open - 1);
}

std::optional<std::uint64_t> read_cgroup_pids(const std::string& root) {
    std::optional<std::uint64_t> tightest;
    for (const CgroupFolder& folder : cgroup_folders("pids", root))
        if (const auto limit = read_number(folder.path + "pids.max"))
            tightest = std::min(tightest.value_or(*limit), *limit);
    return tightest;
}

Result<std::vector<BackendProbe>> parse_probe(std::string_view text) {
    DIVISI_TRY_ASSIGN(const json::object object, parse_object(text));
    DIVISI_TRY_ASSIGN(const json::array* backends, array_field(object, "backends"));
    std::vector<BackendProbe> probes;
    for (const json::value& value : *backends) {
        if (!value.is_object()) return make_error(Errc::kProtocol, "a backend must be an object");
        BackendProbe probe;
        DIVISI_TRY_ASSIGN(probe.name, string_field(value.get_object(), "name"));
        DIVISI_TRY_ASSIGN(probe.ok, bool_field_or(value.get_object(), "ok", false));
        DIVISI_TRY_ASSIGN(probe.reason, string_field_or(value.get_object(), "reason", {}));
        DIVISI_TRY_ASSIGN(probe.detail, string_field_or(value.get_object(), "detail", {}));
        // Errors tell whose they are; here the name stands before them already.
        if (probe.reason.starts_with(probe.name + ": ")) probe.reason.erase(0, probe.name.size() + 2);
        probes.push_back(std::move(probe));
    }
    return probes;
}

}  // namespace divisi::ctl::doctor
