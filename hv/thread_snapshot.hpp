// A program's threads as they were at one moment, seen from outside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hv/registers.hpp"

namespace divisi::hv {

struct ThreadSnapshot {
    enum class State : std::uint8_t {
        kRunning,  // on its node, or served there
        kReady,    // waits for its node to be free
        kWaiting,  // in the system call `call`
        kStopped,  // by a signal, as the whole program is
    };
    int thread = 0;  // its number in the program, from 0
    std::string name;
    std::int64_t node = -1;
    State state = State::kRunning;
    std::uint64_t call = 0;
    bool has_registers = false;  // not where it is served by the VMM, and has not come back in time
    Registers registers;
};

}  // namespace divisi::hv
