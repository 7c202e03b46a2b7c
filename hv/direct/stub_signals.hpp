// The signals by which a stub's task stops.
#pragma once

#include <array>
#include <csignal>

namespace divisi::hv {

inline constexpr int kStubKick = SIGUSR1;
// The kick, and the processor's exceptions.
inline constexpr std::array kStubSignals{kStubKick, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

}  // namespace divisi::hv
