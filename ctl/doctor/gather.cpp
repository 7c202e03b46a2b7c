#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/cgroup.hpp"
#include "base/fd.hpp"
#include "base/paths.hpp"
#include "base/process.hpp"
#include "ctl/doctor/facts.hpp"

namespace divisi::ctl::doctor {
namespace {

constexpr const char* kKvm = "/dev/kvm";
constexpr std::size_t kProbeLimit = 64U << 10U;
// Starting a node takes milliseconds; a machine so slow has other problems.
constexpr std::chrono::seconds kProbePatience{10};

std::string user_name() {
    const passwd* entry = ::getpwuid(::geteuid());
    return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

bool in_group(gid_t group) {
    if (::getegid() == group) return true;
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

KvmDevice look_at_kvm(const std::string& user) {
    KvmDevice device;
    struct stat status {};
    if (::stat(kKvm, &status) != 0) return device;
    device.exists = true;
    const Fd opened(::open(kKvm, O_RDWR | O_CLOEXEC));
    device.open_error = opened.valid() ? 0 : errno;
    device.group_may_open = (status.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP);
    device.user_in_group = in_group(status.st_gid);
    const group* entry = ::getgrgid(status.st_gid);
    device.group = entry == nullptr ? std::to_string(status.st_gid) : entry->gr_name;
    if (entry != nullptr)
        for (char** member = entry->gr_mem; *member != nullptr; ++member)
            device.user_listed = device.user_listed || user == *member;
    return device;
}

// Everything up to the end of the pipe. Errors: kFailed when it takes too long or too much.
Result<std::string> read_with_patience(int fd) {
    const auto deadline = std::chrono::steady_clock::now() + kProbePatience;
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd waiting{fd, POLLIN, 0};
        const int ready = left.count() > 0 ? ::poll(&waiting, 1, static_cast<int>(left.count())) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) return make_error(Errc::kFailed, "did not answer within 10 seconds");
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0) return system_error(errno, "cannot read its answer");
        if (count == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(count));
        if (text.size() > kProbeLimit) return make_error(Errc::kFailed, "answered more than any probe has to say");
    }
}

Result<std::vector<BackendProbe>> probe_backends(const std::string& vmm) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(errno, "cannot create a pipe");
    const Fd reading(ends[0]);
    Fd writing(ends[1]);
    DIVISI_TRY_ASSIGN(const Fd nothing, open_file("/dev/null", O_RDWR));
    ProcessSpec spec;
    spec.argv = {vmm, "--probe"};
    spec.fds = {{nothing.get(), STDIN_FILENO}, {writing.get(), STDOUT_FILENO}, {nothing.get(), STDERR_FILENO}};
    DIVISI_TRY_ASSIGN(Process process, Process::spawn(spec));
    writing.reset();
    // On any error below, `process` goes out of scope: it is killed and reaped.
    DIVISI_TRY_ASSIGN(const std::string text, read_with_patience(reading.get()));
    DIVISI_TRY_ASSIGN(const int status, process.wait());
    if (text.empty()) return make_error(Errc::kFailed, describe_wait_status(status) + " and said nothing");
    return parse_probe(text);
}

Limit limit_of(__rlimit_resource resource) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0) return {RLIM_INFINITY, RLIM_INFINITY};
    return {limit.rlim_cur, limit.rlim_max};
}

// The process that answers at the daemon's socket.
std::optional<int> daemon_pid(const std::string& state) {
    const std::string path = daemon_socket(state);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return std::nullopt;
    std::memcpy(static_cast<void*>(address.sun_path), path.data(), path.size());
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // SAFETY: sockaddr_un begins as every sockaddr does; connect(2) is told its size.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
    return peer.pid;
}

bool is_program(const std::string& path) {
    return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Facts gather() {
    Facts facts;
    facts.version = DIVISI_VERSION;
    facts.hwloc_version = partitioner::hwloc_version();
    facts.machine = partitioner::discover();
    facts.user = user_name();
    facts.is_root = ::geteuid() == 0;
    facts.processor = read_processor({});
    facts.kvm = look_at_kvm(facts.user);
    if (const char* wanted = std::getenv("DIVISI_BACKEND")) facts.wanted_backend = wanted;
    facts.open_files = limit_of(RLIMIT_NOFILE);
    facts.processes = limit_of(RLIMIT_NPROC);
    facts.locked_memory = limit_of(RLIMIT_MEMLOCK);
    facts.cgroup_pids = read_cgroup_pids({});
    facts.max_map_count = read_number("/proc/sys/vm/max_map_count");
    facts.huge_pages = selected_mode("/sys/kernel/mm/transparent_hugepage/enabled");
    facts.shared_huge_pages = selected_mode("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    facts.state_dir = state_dir();
    if (facts.state_dir) facts.daemon_pid = daemon_pid(*facts.state_dir);
    facts.bin_dir = own_bin_dir().value_or(".");
    facts.has_divisid = is_program(facts.bin_dir + "/divisid");
    facts.has_vmm = is_program(facts.bin_dir + "/divisi-vmm");
    if (facts.has_vmm) facts.probe = probe_backends(facts.bin_dir + "/divisi-vmm");
    return facts;
}

}  // namespace divisi::ctl::doctor
