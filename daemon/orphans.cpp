#include "daemon/orphans.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kPatience{10};

std::string folder_of(pid_t pid) {
    return "/proc/" + std::to_string(pid);
}

std::vector<std::string> arguments_of(pid_t pid) {
    const auto text = read_file(folder_of(pid) + "/cmdline", 1U << 20U);
    std::vector<std::string> arguments;
    if (!text) return arguments;
    for (std::size_t begin = 0; begin < text->size();) {
        const std::size_t end = std::min(text->find('\0', begin), text->size());
        arguments.push_back(text->substr(begin, end - begin));
        begin = end + 1;
    }
    return arguments;
}

bool kill_and_wait(pid_t pid, const std::string& dir) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    // Asked again now that the process is held: the pid may have changed hands in between.
    if (!pidfd.valid() || !serves(pid, dir)) return false;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    (void)api::wait_readable(pidfd.get(), api::Clock::now() + kPatience);
    return true;
}

}  // namespace

bool serves(pid_t pid, const std::string& dir) {
    struct stat status {};
    if (::stat(folder_of(pid).c_str(), &status) != 0 || status.st_uid != ::geteuid()) return false;
    const std::vector<std::string> arguments = arguments_of(pid);
    // Our own way of starting it: these two are its last arguments.
    return arguments.size() >= 3 && arguments[arguments.size() - 2] == "--dir" && arguments.back() == dir;
}

int kill_orphans(const std::string& dir) {
    int count = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator entries("/proc", error), end; !error && entries != end;
         entries.increment(error)) {
        const std::string number = entries->path().filename().string();
        pid_t pid = 0;
        const auto [last, bad] = std::from_chars(number.data(), number.data() + number.size(), pid);
        if (bad != std::errc{} || last != number.data() + number.size()) continue;
        if (serves(pid, dir) && kill_and_wait(pid, dir)) ++count;
    }
    return count;
}

}  // namespace divisi::daemon
