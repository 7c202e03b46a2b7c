// What an address is in the source, and how a stack is walked: libdw, over a program that is not a process.
#pragma once

#include <elfutils/libdwfl.h>

#include <memory>

#include "base/json.hpp"
#include "hv/unwind/target.hpp"

namespace divisi::hv {

class Symbols {
public:
    // `image` and `vdso` are descriptors, consumed; no vdso where it is negative. Null where the image makes no sense.
    static std::unique_ptr<Symbols> open(Target& target, int image, std::uint64_t load_base, int vdso,
                                         std::uint64_t vdso_base);
    Symbols(const Symbols&) = delete;
    Symbols& operator=(const Symbols&) = delete;
    ~Symbols();

    // {"frames": […]}, innermost first, inlined functions included.
    json::object unwind(const UnwindRequest& request);

private:
    Symbols(Target& target, Dwfl* dwfl) : target_(target), dwfl_(dwfl) {}
    static bool read_word(Dwfl* dwfl, Dwarf_Addr address, Dwarf_Word* result, void* self);
    static bool set_registers(Dwfl_Thread* thread, void* self);
    static int on_frame(Dwfl_Frame* frame, void* self);
    void add(std::uint64_t pc, bool after_call);
    void add_frame(std::uint64_t pc, std::string symbol, std::string source);
    [[nodiscard]] bool full() const { return frames_.size() >= kUnwindFrames || frames_.size() >= request_.most; }
    [[nodiscard]] bool known(std::uint64_t pc) const { return ::dwfl_addrmodule(dwfl_, pc) != nullptr; }

    Target& target_;
    Dwfl* dwfl_;
    UnwindRequest request_;
    bool innermost_is_return_ = false;  // the walk starts in a caller, at the address it would be returned to
    json::array frames_;
};

}  // namespace divisi::hv
