// divisi-vmm: one topology's process. See docs/vmm-protocol.md.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/control.hpp"
#include "base/paths.hpp"
#include "base/remove_tree.hpp"
#include "hv/backend.hpp"
#include "hv/kick_signal.hpp"
#include "hv/syscalls/call.hpp"
#include "hv/unwind/unwinder.hpp"
#include "hv/vmm/jail.hpp"
#include "hv/vmm/scratch.hpp"
#include "hv/vmm/server.hpp"

namespace divisi::hv::vmm {
namespace {

void say(const json::object& object) {
    const std::string line = json::serialize(object) + "\n";
    (void)write_all(STDOUT_FILENO, line, "standard output");
}

// What works here, for `divisi doctor`.
int probe() {
    json::array backends;
    for (const char* name : {"kvm", "direct"}) {
        const auto chosen = choose_backend(name);
        const Result<void> works = chosen ? try_backend(*chosen->backend) : Result<void>(chosen.error());
        backends.push_back(json::object{{"name", name},
                                        {"ok", works.has_value()},
                                        {"reason", works ? "a node starts on it" : works.error().message()}});
    }
    say({{"backends", std::move(backends)}});
    return 0;
}

// The system calls of Linux and what becomes of each, a line each, for docs/linux-abi.md.
int list_syscalls() {
    std::string text;
    for (const SyscallReport& report : report_syscalls())
        text += fmt::format("{}\t{}\t{}\t{}\n", report.number, report.name, report.how, report.note);
    return write_all(STDOUT_FILENO, text, "standard output") ? 0 : 1;
}

// SIGTERM and SIGINT come by descriptor; every thread must have them blocked.
Result<Fd> catch_stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);  // a program that writes past the limit of this process gets EFBIG
    Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
    if (!fd.valid()) return system_error(errno, "cannot catch signals");
    return fd;
}

void raise_limits() {
    // A node takes a dozen descriptors; hundreds of nodes more than the usual soft limit.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

Result<std::unique_ptr<Server>> carve(const std::string& dir) {
    DIVISI_TRY_ASSIGN(const std::string text, read_file(dir + "/config.json"));
    DIVISI_TRY_ASSIGN(Config config, parse_config(text));
    // As on other machines, where half of the memory may be files.
    DIVISI_TRY_ASSIGN(Scratch scratch, Scratch::create(dir, config.memory() / 2));
    DIVISI_TRY(drop_privileges());
    DIVISI_TRY(install_kick_handler());
    // Before there is memory to share with it, and before making processes is given up.
    std::optional<UnwindServer> unwinding;
    if (auto started = UnwindServer::start(); started) {
        unwinding.emplace(std::move(*started));
    } else {
        std::fprintf(stderr, "divisi-vmm: crash reports will lack backtraces: %s\n", started.error().message().c_str());
    }
    ::prctl(PR_SET_NAME, fmt::format("vmm:{}", config.name.substr(0, 11)).c_str());
    DIVISI_TRY_ASSIGN(std::unique_ptr<Topology> topology, Topology::carve(std::move(config), std::move(scratch)));
    DIVISI_TRY_ASSIGN(Fd listener, listen_control(vmm_socket(dir)));
    if (topology->backend_name() == "kvm") DIVISI_TRY(forbid_system_calls());
    return std::make_unique<Server>(std::move(topology), std::move(listener), std::move(unwinding));
}

int run(const std::string& dir) {
    raise_limits();
    auto stop = catch_stop_signals();
    Result<std::unique_ptr<Server>> server = stop ? carve(dir) : Result<std::unique_ptr<Server>>(stop.error());
    if (!server) {
        say({{"ok", false}, {"error", to_json(server.error())}});
        std::fprintf(stderr, "divisi-vmm: %s\n", server.error().message().c_str());
        return server.error().exit_code();
    }
    say({{"ok", true}});
    // The report's reader waits for the end of the stream.
    if (const Fd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC)); nothing.valid())
        ::dup2(nothing.get(), STDOUT_FILENO);
    (*server)->serve(stop->get());
    server->reset();
    (void)remove_tree(AT_FDCWD, dir);
    return 0;
}

}  // namespace
}  // namespace divisi::hv::vmm

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1 && arguments[0] == "--probe") return divisi::hv::vmm::probe();
    if (arguments.size() == 1 && arguments[0] == "--syscalls") return divisi::hv::vmm::list_syscalls();
    if (arguments.size() == 2 && arguments[0] == "--dir") return divisi::hv::vmm::run(arguments[1]);
    std::fprintf(stderr,
                 "usage: divisi-vmm --dir FOLDER | --probe | --syscalls\n"
                 "divisid starts it; to carve a topology use 'divisi carve'.\n");
    return 2;
}
