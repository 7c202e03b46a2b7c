// What a processor exception means to the program: a first touch that is now resolved, or a signal.
#pragma once

#include <string>

#include "hv/address_space.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

struct ExceptionSignal {
    int signo = 0;  // 0: resolved
    int code = 0;   // si_code
    Gva address = 0;
    std::string detail;
};

// Source: Intel SDM vol. 3A 6.15; the signals as in the kernel's arch/x86/kernel/traps.c.
ExceptionSignal signal_of_exception(const Exit& exit, AddressSpace& memory);

}  // namespace divisi::hv
