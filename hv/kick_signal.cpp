#include "hv/kick_signal.hpp"

#include <cerrno>
#include <csignal>

namespace divisi::hv {
namespace {

// A signal handler has no other way to reach its thread's state. Initial-exec: no allocation inside the handler.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
__attribute__((tls_model("initial-exec"))) thread_local std::uint8_t* volatile kick_flag = nullptr;

void on_kick(int /*signo*/) {
    if (kick_flag != nullptr) *kick_flag = 1;
}

}  // namespace

int kick_signal_number() noexcept {
    return SIGRTMIN;
}

Result<void> install_kick_handler() {
    struct sigaction action {};
    action.sa_handler = on_kick;  // no SA_RESTART: a kick ends blocking host calls too
    sigemptyset(&action.sa_mask);
    if (::sigaction(kick_signal_number(), &action, nullptr) != 0) return system_error(errno, "cannot handle a signal");
    return {};
}

void send_kick(pthread_t thread) noexcept {
    ::pthread_kill(thread, kick_signal_number());
}

KickTarget::KickTarget(std::uint8_t* flag) noexcept {
    kick_flag = flag;
}
KickTarget::~KickTarget() {
    kick_flag = nullptr;
}

}  // namespace divisi::hv
