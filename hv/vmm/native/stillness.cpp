#include "hv/vmm/native/stillness.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr std::size_t kMostBytes = 65536;

std::string read_proc(const std::string& path) {
    auto text = read_file(path, kMostBytes);
    return text ? std::move(*text) : std::string();
}

// What follows `name` in a file of lines "Name:\tvalue"; 0 for what is not there.
std::uint64_t field(std::string_view text, std::string_view name, int base) {
    const std::size_t at = text.find(name);
    if (at == std::string_view::npos) return 0;
    std::string_view rest = text.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::uint64_t value = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
    return value;
}

// A handler for a fault of its own, or of the C library, wakes nobody that the fault did not.
bool may_be_signalled(const std::string& process) {
    std::uint64_t harmless = 3ULL << 31U;  // of the C library's threads: 32 and 33
    for (const int signo : {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGXCPU, SIGXFSZ, SIGQUIT})
        harmless |= 1ULL << static_cast<unsigned>(signo - 1);
    const std::string status = read_proc(process + "/status");
    const bool handled = status.empty() || (field(status, "\nSigCgt:", 16) & ~harmless) != 0;
    return handled || !read_proc(process + "/timers").empty();
}

enum class Wait : std::uint8_t { kOther, kOwn, kShared };

// "202 0x7f… 0x80 0x1 0x0 …": the number of the call and its arguments, of a thread that is asleep in one.
Wait wait_of(const std::string& thread) {
    const std::string text = read_proc(thread + "/syscall");
    std::array<std::uint64_t, 5> words{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool hex = i != 0;
        if (hex && text.compare(at, 2, "0x") != 0) return Wait::kOther;
        const char* const begin = text.data() + at + (hex ? 2 : 0);
        const auto [end, error] = std::from_chars(begin, text.data() + text.size(), words.at(i), hex ? 16 : 10);
        if (error != std::errc{}) return Wait::kOther;
        at = static_cast<std::size_t>(end - text.data()) + 1;
        if (at >= text.size()) return Wait::kOther;
    }
    const auto [call, first, operation, third, timeout] = words;
    if (timeout != 0) return Wait::kOther;
    if (call == SYS_futex_waitv) return Wait::kShared;
    const std::uint64_t command = operation & static_cast<std::uint64_t>(FUTEX_CMD_MASK);
    if (call != SYS_futex || (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET)) return Wait::kOther;
    return (operation & FUTEX_PRIVATE_FLAG) != 0 ? Wait::kOwn : Wait::kShared;
}

std::vector<pid_t> threads_of(const std::string& process) {
    std::vector<pid_t> threads;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir((process + "/task").c_str()), ::closedir);
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const std::string_view name = entry->d_name;
        pid_t tid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), tid).ec == std::errc{}) threads.push_back(tid);
    }
    return threads;
}

}  // namespace

bool NativeStillness::look(const std::vector<pid_t>& processes) {
    const auto before = std::exchange(before_, std::nullopt);
    Switches now;
    bool shared = false;
    for (const pid_t pid : processes) {
        const std::string process = fmt::format("/proc/{}", pid);
        const std::vector<pid_t> threads = threads_of(process);
        if (threads.empty()) return false;
        for (const pid_t tid : threads) {
            const std::string thread = fmt::format("{}/task/{}", process, tid);
            const Wait wait = wait_of(thread);
            if (wait == Wait::kOther) return false;
            shared = shared || wait == Wait::kShared;
            const std::string status = read_proc(thread + "/status");
            now[tid] =
                field(status, "\nvoluntary_ctxt_switches:", 10) + field(status, "\nnonvoluntary_ctxt_switches:", 10);
        }
        if (may_be_signalled(process)) return false;
    }
    if (!shared) return false;
    const bool same = before && *before == now;
    before_ = std::move(now);
    return same;
}

}  // namespace divisi::hv::vmm
