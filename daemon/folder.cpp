#include "daemon/folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/remove_tree.hpp"
#include "daemon/api/requests.hpp"

namespace divisi::daemon {
namespace {

constexpr std::size_t kConfigBytes = 64U << 20U;

json::object to_json(const Facts& facts) {
    json::object object{{"source", facts.source}, {"created", facts.created}};
    if (facts.owner) object["owner"] = {{"pid", facts.owner->pid}, {"started", facts.owner->started}};
    return object;
}

Result<void> write_files(const std::string& dir, const Facts& facts, const json::object& config) {
    DIVISI_TRY(replace_file(dir + "/daemon.json", json::serialize(to_json(facts))));
    return replace_file(dir + "/config.json", json::serialize(config));
}

}  // namespace

Result<ProcessName> name_process(pid_t pid) {
    const auto gone = [pid] { return make_error(Errc::kNotFound, "no such process", std::to_string(pid)); };
    auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat) return gone();
    // The second field is the program's name in parentheses, and may hold anything: count from its end.
    const std::size_t after_name = stat->rfind(')');
    if (after_name == std::string::npos) return gone();
    std::istringstream rest(stat->substr(after_name + 1));
    std::string field;
    for (int number = 3; number <= 22; ++number) rest >> field;
    ProcessName process{pid, 0};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), process.started);
    if (error != std::errc{}) return gone();
    return process;
}

Fd open_process(const ProcessName& process) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!pidfd.valid()) return {};
    // In this order: whatever process we hold by now, its start time tells whether it is the one that was named.
    const auto now = name_process(process.pid);
    if (!now || now->started != process.started) return {};
    return pidfd;
}

Result<void> create_folder(const std::string& dir, const Facts& facts, const json::object& config) {
    DIVISI_TRY(remove_folder(dir));
    if (::mkdir(dir.c_str(), 0700) != 0) return system_error(errno, "cannot make a topology's folder", dir);
    auto written = write_files(dir, facts, config);
    if (!written) (void)remove_folder(dir);
    return written;
}

Result<Facts> read_folder(const std::string& dir) {
    Facts facts;
    DIVISI_TRY_ASSIGN(const std::string text, read_file(dir + "/config.json", kConfigBytes));
    DIVISI_TRY_ASSIGN(const json::object config, parse_object(text));
    DIVISI_TRY_ASSIGN(facts.name, string_field(config, "name"));
    DIVISI_TRY_ASSIGN(facts.claims, claims_of(config));
    DIVISI_TRY_ASSIGN(const std::string own_text, read_file(dir + "/daemon.json"));
    DIVISI_TRY_ASSIGN(const json::object own, parse_object(own_text));
    DIVISI_TRY_ASSIGN(facts.source, string_field_or(own, "source", {}));
    DIVISI_TRY_ASSIGN(const std::uint64_t created, uint_field_or(own, "created", 0));
    facts.created = static_cast<std::int64_t>(created);
    if (own.contains("owner")) {
        DIVISI_TRY_ASSIGN(const json::object* owner, object_field(own, "owner"));
        DIVISI_TRY_ASSIGN(const std::uint64_t pid, uint_field(*owner, "pid"));
        DIVISI_TRY_ASSIGN(const std::uint64_t started, uint_field(*owner, "started"));
        facts.owner = ProcessName{static_cast<pid_t>(pid), started};
    }
    return facts;
}

Result<void> remove_folder(const std::string& dir) {
    return remove_tree(AT_FDCWD, dir);
}

Result<std::vector<std::string>> list_folders(const std::string& topologies_dir) {
    std::error_code error;
    std::filesystem::directory_iterator entries(topologies_dir, error);
    if (error) return Error{error, "cannot list the topologies", topologies_dir, {}};
    std::vector<std::string> names;
    for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        if (error) return Error{error, "cannot list the topologies", topologies_dir, {}};
        std::string name = entries->path().filename().string();
        if (entries->is_directory(error) && !entries->is_symlink(error) && api::check_name(name))
            names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string vmm_log(const std::string& dir) {
    return dir + "/vmm.log";
}

}  // namespace divisi::daemon
