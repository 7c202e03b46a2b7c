// What a processor exception means to the program: a first touch that is now resolved, or a signal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

// Which of the floating-point exceptions a vector 16 or 19 was, as a si_code, by the unit's own flags.
int float_exception_code(std::uint8_t vector, const std::vector<std::byte>& xsave);

}  // namespace divisi::hv
