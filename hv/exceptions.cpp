#include "hv/exceptions.hpp"

#include <csignal>
#include <cstring>

namespace divisi::hv {
namespace {

constexpr std::uint32_t kErrorWrite = 2, kErrorFetch = 16, kErrorKey = 32;

ExceptionSignal page_fault(const Exit& exit, AddressSpace& memory) {
    const Access access = (exit.error_code & kErrorFetch) != 0   ? Access::kExecute
                          : (exit.error_code & kErrorWrite) != 0 ? Access::kWrite
                                                                 : Access::kRead;
    const char* verb = access == Access::kExecute ? "executing" : access == Access::kWrite ? "writing" : "reading";
    // The page is there: what the program's own PKRU forbids, no filling allows. (Nodes offer no keys, but a processor
    // that has them lets programs write that register.)
    if ((exit.error_code & kErrorKey) != 0)
        return {SIGSEGV, SEGV_PKUERR, exit.address, std::string(verb) + " memory that its protection key forbids"};
    switch (memory.fault(exit.address, access)) {
        case FaultOutcome::kResolved: return {};
        case FaultOutcome::kNoAccess:
            return {SIGSEGV, SEGV_ACCERR, exit.address, std::string(verb) + " memory that does not allow it"};
        case FaultOutcome::kPastFile:
            return {SIGBUS, BUS_ADRERR, exit.address, std::string(verb) + " behind the end of a mapped file"};
        case FaultOutcome::kOutOfMemory: return {SIGBUS, BUS_ADRERR, exit.address, "the node's memory is used up"};
        default:
            return {SIGSEGV, SEGV_MAPERR, exit.address,
                    exit.address < kPageBytes ? "null pointer" : std::string(verb) + " unmapped memory"};
    }
}

}  // namespace

ExceptionSignal signal_of_exception(const Exit& exit, AddressSpace& memory) {
    switch (exit.vector) {
        case 0: return {SIGFPE, FPE_INTDIV, 0, "division by zero or overflow"};
        case 1: return {SIGTRAP, TRAP_TRACE, 0, "debug trap"};
        case 3: return {SIGTRAP, SI_KERNEL, 0, "breakpoint"};
        case 4: return {SIGSEGV, SI_KERNEL, 0, "overflow trap"};
        case 6: return {SIGILL, ILL_ILLOPN, 0, "illegal instruction"};
        case 12: return {SIGBUS, SI_KERNEL, 0, "stack segment fault"};
        case 13: return {SIGSEGV, SI_KERNEL, 0, "general protection fault: a privileged instruction or a wild address"};
        case 14: return page_fault(exit, memory);
        case 16:
        case 19: return {SIGFPE, FPE_FLTINV, 0, "floating-point exception"};
        case 17: return {SIGBUS, BUS_ADRALN, 0, "misaligned access"};
        default: return {SIGSEGV, SI_KERNEL, 0, "processor exception " + std::to_string(exit.vector)};
    }
}

int float_exception_code(std::uint8_t vector, const std::vector<std::byte>& xsave) {
    constexpr std::size_t kControlAt = 0, kStatusAt = 2, kMxcsrAt = 24;
    if (xsave.size() < kMxcsrAt + sizeof(std::uint32_t)) return FPE_FLTINV;
    std::uint32_t raised = 0;
    if (vector == 19) {
        std::uint32_t mxcsr = 0;
        std::memcpy(&mxcsr, xsave.data() + kMxcsrAt, sizeof mxcsr);
        raised = mxcsr & ~(mxcsr >> 7U);
    } else {
        std::uint16_t control = 0;
        std::uint16_t status = 0;
        std::memcpy(&control, xsave.data() + kControlAt, sizeof control);
        std::memcpy(&status, xsave.data() + kStatusAt, sizeof status);
        raised = status & ~static_cast<std::uint32_t>(control);
    }
    if ((raised & 0x01U) != 0) return FPE_FLTINV;
    if ((raised & 0x04U) != 0) return FPE_FLTDIV;
    if ((raised & 0x08U) != 0) return FPE_FLTOVF;
    if ((raised & 0x12U) != 0) return FPE_FLTUND;
    return (raised & 0x20U) != 0 ? FPE_FLTRES : FPE_FLTINV;
}

}  // namespace divisi::hv
