// The signal that gets a node's thread out of guest code or out of a blocking host call.
//
// The handler sets the byte that the thread named last (KVM's `immediate_exit`), so that a kick that arrives just
// before the entry is not lost. It does nothing else: what a kick means is found out by the thread itself.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "base/result.hpp"

namespace divisi::hv {

// Once a process, before the first node runs.
Result<void> install_kick_handler();
void send_kick(pthread_t thread) noexcept;
int kick_signal_number() noexcept;

// While it lives, kicks of this thread set `*flag` to 1.
class KickTarget {
public:
    explicit KickTarget(std::uint8_t* flag) noexcept;
    KickTarget(const KickTarget&) = delete;
    KickTarget& operator=(const KickTarget&) = delete;
    ~KickTarget();
};

}  // namespace divisi::hv
