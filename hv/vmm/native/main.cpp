// divisi-native: runs a program's ranks as plain host processes; `divisi run --native` becomes it.
//
//   divisi-native REQUEST REPORT -- PROGRAM [ARGUMENT…]
//
// REQUEST is the number of a descriptor that holds {"config": <config.json of docs/vmm-protocol.md>, "path": the
// program's file, "nodes", "ranks", "threads", "label", "deadlock"}; REPORT is one to which the job's report is
// written, or -1.
#include <sys/signalfd.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <span>
#include <string_view>

#include "hv/vmm/native/native_job.hpp"

namespace divisi::hv::vmm {
namespace {

constexpr int kOwnFailure = 125;
constexpr std::size_t kMostBytes = 16U << 20U;

Result<int> descriptor(std::string_view text) {
    int fd = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
    if (error != std::errc{} || end != text.data() + text.size())
        return make_error(Errc::kUsage, "no descriptor", std::string(text));
    return fd;
}

Result<NativeRequest> read_request(int fd, std::span<char* const> argv) {
    if (::lseek(fd, 0, SEEK_SET) != 0) return system_error(errno, "cannot read the request");
    DIVISI_TRY_ASSIGN(const std::string text, read_fd(fd, "the request", kMostBytes));
    DIVISI_TRY_ASSIGN(const json::object root, parse_object(text));
    NativeRequest request;
    DIVISI_TRY_ASSIGN(const json::object* config, object_field(root, "config"));
    DIVISI_TRY_ASSIGN(request.config, parse_config(json::serialize(*config)));
    DIVISI_TRY_ASSIGN(request.path, string_field(root, "path"));
    DIVISI_TRY_ASSIGN(request.label, bool_field_or(root, "label", false));
    DIVISI_TRY_ASSIGN(const std::string deadlock, string_field(root, "deadlock"));
    DIVISI_TRY_ASSIGN(request.on_deadlock, parse_on_deadlock(deadlock));
    for (const auto& [name, value] : {std::pair{"nodes", &request.nodes}, std::pair{"ranks", &request.ranks},
                                      std::pair{"threads", &request.threads}}) {
        DIVISI_TRY_ASSIGN(const std::uint64_t count, uint_field_or(root, name, 0));
        if (count > request.config.nodes.size() && name != std::string_view("threads"))
            return make_error(Errc::kUsage, "there are not so many nodes", std::to_string(count) + " " + name);
        *value = static_cast<std::uint32_t>(count);
    }
    request.argv.assign(argv.begin(), argv.end());
    return request;
}

// They come by descriptor; the ranks get an empty mask again (base/process.hpp).
Result<Fd> catch_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signo : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) sigaddset(&signals, signo);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd.valid()) return system_error(errno, "cannot catch signals");
    return fd;
}

Result<int> run(std::span<char* const> arguments) {
    if (arguments.size() < 4 || arguments[2] != std::string_view("--"))
        return make_error(Errc::kUsage, "divisi-native REQUEST REPORT -- PROGRAM [ARGUMENT…]", {},
                          "to run ranks natively use 'divisi run --native'");
    DIVISI_TRY_ASSIGN(const int request_fd, descriptor(arguments[0]));
    DIVISI_TRY_ASSIGN(const int report_fd, descriptor(arguments[1]));
    DIVISI_TRY_ASSIGN(NativeRequest request, read_request(request_fd, arguments.subspan(3)));
    DIVISI_TRY_ASSIGN(const Fd signals, catch_signals());
    DIVISI_TRY_ASSIGN(const auto job, NativeJob::start(std::move(request)));
    DIVISI_TRY_ASSIGN(const int code, job->run(signals.get()));
    if (report_fd >= 0) {
        json::object report = job->report();
        report["exit"] = code;
        DIVISI_TRY(write_all(report_fd, json::serialize(report) + "\n", "the report"));
    }
    return code;
}

}  // namespace
}  // namespace divisi::hv::vmm

int main(int argc, char** argv) {
    const auto code = divisi::hv::vmm::run({argv + 1, static_cast<std::size_t>(argc - 1)});
    if (code) return *code;
    std::fprintf(stderr, "divisi: %s\n", code.error().message().c_str());
    return divisi::hv::vmm::kOwnFailure;
}
