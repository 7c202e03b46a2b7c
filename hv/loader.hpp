// Puts a program into its address space: segments, stack, arguments, environment, auxiliary vector.
//
// Source: System V ABI AMD64 3.4 "Process Initialization"; getauxval(3).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "hv/layout.hpp"

namespace divisi::hv {

class Program;

struct LoadedImage {
    Gva entry = 0;
    Gva stack_pointer = 0;
    std::vector<std::uint64_t> auxiliary_vector;
};

// The auxiliary vector's entry by which a program finds its node page: "DIVI".
inline constexpr std::uint64_t kAuxDivisi = 0x44495649;

// Errors: kBadImage; kInsufficient when arguments or image do not fit.
Result<LoadedImage> load_image(Program& program);

}  // namespace divisi::hv
