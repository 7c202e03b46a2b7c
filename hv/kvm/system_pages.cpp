#include "hv/kvm/system_pages.hpp"

#include <array>
#include <cstring>

namespace divisi::hv {
namespace {

constexpr std::size_t kGdtAt = 0x1000, kIdtAt = 0x2000, kTssAt = 0x3000, kStubsAt = 0x4000, kStackAt = 0x6000,
                      kFrameAt = 0x7000, kTablesAt = 0x8000;
constexpr std::size_t kReturnStub = 0x10, kExceptionStubs = 0x100, kExceptionStubBytes = 8, kVectors = 32;

// Linux's selectors: some programs look at them.
constexpr std::uint16_t kKernelCode = 0x10, kUserData = 0x2b, kUserCode = 0x33, kTssSelector = 0x40;

// Flags a program may own; the rest is forced: interrupts on, IOPL 0, no nested task, no virtual-8086 mode.
constexpr std::uint64_t kUserFlags = 0x0024'0dd5;  // CF PF AF ZF SF TF DF OF AC ID

template <typename T>
void store(std::byte* page, std::size_t at, const T& value) {
    std::memcpy(page + at, &value, sizeof value);
}

kvm_segment segment(std::uint16_t selector, std::uint8_t type, std::uint8_t dpl, bool code) {
    kvm_segment result{};
    result.limit = 0xffffffff;
    result.selector = selector;
    result.type = type;
    result.present = 1;
    result.dpl = dpl;
    result.db = code ? 0 : 1;
    result.s = 1;
    result.l = code ? 1 : 0;
    result.g = 1;
    return result;
}

bool pushes_error_code(std::uint8_t vector) {
    constexpr std::uint32_t kVectorsWithCode = (1U << 8U) | (1U << 10U) | (1U << 11U) | (1U << 12U) | (1U << 13U) |
                                               (1U << 14U) | (1U << 17U) | (1U << 21U) | (1U << 29U) | (1U << 30U);
    return vector < 32 && ((kVectorsWithCode >> vector) & 1U) != 0;
}

}  // namespace

Result<SystemPages> SystemPages::create() {
    DIVISI_TRY_ASSIGN(Mapping mapping, Mapping::anonymous(kSystemBytes));
    SystemPages pages(std::move(mapping));
    pages.write_descriptors();
    pages.write_stubs();
    pages.write_page_tables();
    return pages;
}

void SystemPages::write_descriptors() {
    constexpr Gva kTss = kSystemGva + kTssAt;
    std::array<std::uint64_t, 10> gdt{};
    gdt[kKernelCode / 8] = 0x00af'9b00'0000'ffff;
    gdt[kKernelCode / 8 + 1] = 0x00cf'9300'0000'ffff;
    gdt[kUserData / 8] = 0x00cf'f300'0000'ffff;
    gdt[kUserCode / 8] = 0x00af'fb00'0000'ffff;
    gdt[kTssSelector / 8] = 0x67 | ((kTss & 0xff'ffff) << 16U) | (0x8bULL << 40U) | (((kTss >> 24U) & 0xff) << 56U);
    gdt[kTssSelector / 8 + 1] = kTss >> 32U;
    store(host(), kGdtAt, gdt);

    // SDM 3A 7.7: RSP0 at offset 4; an I/O map base at the limit means that no port is allowed.
    store(host(), kTssAt + 4, kSystemGva + kStackAt + kPageBytes);
    store(host(), kTssAt + 102, std::uint16_t{104});

    std::array<std::uint64_t, std::size_t{2} * kVectors> idt{};
    for (std::size_t vector = 0; vector < kVectors; ++vector) {
        const Gva handler = kSystemGva + kStubsAt + kExceptionStubs + vector * kExceptionStubBytes;
        // INT3 and INTO may be called from ring 3; INT n of any other vector is a general protection fault.
        const std::uint64_t type = vector == 3 || vector == 4 ? 0xee : 0x8e;
        idt[2 * vector] = (handler & 0xffff) | (std::uint64_t{kKernelCode} << 16U) | (type << 40U) |
                          (((handler >> 16U) & 0xffff) << 48U);
        idt[2 * vector + 1] = handler >> 32U;
    }
    store(host(), kIdtAt, idt);
}

void SystemPages::write_stubs() {
    constexpr std::byte kHlt{0xf4};
    std::byte* stubs = host() + kStubsAt;
    stubs[0] = kHlt;
    stubs[kReturnStub] = std::byte{0x48};  // IRETQ, not SYSRET: pagetable-virtualized hosts emulate only the former
    stubs[kReturnStub + 1] = std::byte{0xcf};
    for (std::size_t vector = 0; vector < kVectors; ++vector)
        stubs[kExceptionStubs + vector * kExceptionStubBytes] = kHlt;
}

void SystemPages::write_page_tables() {
    constexpr std::uint64_t kEntry = 0x63;  // present, writable, accessed, dirty; supervisor only
    store(host(), kTablesAt, (kSystemGpa + kTablesAt + kPageBytes) | kEntry);
    store(host(), kTablesAt + kPageBytes, (kSystemGpa + kTablesAt + 2 * kPageBytes) | kEntry);
    for (std::size_t page = 0; page < kTablesAt / kPageBytes; ++page)
        store(host(), kTablesAt + 2 * kPageBytes + page * 8, (kSystemGpa + page * kPageBytes) | kEntry);
}

void SystemPages::fill_sregs(kvm_sregs& sregs) {
    sregs.cr0 = 0x8005'0033;  // PE MP ET NE WP AM PG
    sregs.cr3 = kProgramGpa;
    sregs.cr4 = (1U << 5U) | (1U << 9U) | (1U << 10U) | (1U << 18U);  // PAE OSFXSR OSXMMEXCPT OSXSAVE
    sregs.efer = 0xd01;                                               // SCE LME LMA NXE
    sregs.cs = segment(kUserCode, 11, 3, true);
    sregs.ss = segment(kUserData, 3, 3, false);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = segment(0, 3, 3, false);
    sregs.tr = {};
    sregs.tr.base = kSystemGva + kTssAt;
    sregs.tr.limit = 0x67;
    sregs.tr.selector = kTssSelector;
    sregs.tr.type = 11;
    sregs.tr.present = 1;
    sregs.gdt.base = kSystemGva + kGdtAt;
    sregs.gdt.limit = 10 * 8 - 1;
    sregs.idt.base = kSystemGva + kIdtAt;
    sregs.idt.limit = kVectors * 16 - 1;
}

SystemPages::Place SystemPages::place_of(Gva rip) {
    if (rip < kSystemGva + kStubsAt || rip >= kSystemGva + kStubsAt + kPageBytes) return Place::kUser;
    const Gva offset = rip - kSystemGva - kStubsAt;
    if (offset < kReturnStub) return Place::kSyscall;
    return offset < kExceptionStubs ? Place::kReturn : Place::kException;
}

std::uint8_t SystemPages::vector_of(Gva rip) {
    return static_cast<std::uint8_t>((rip - kSystemGva - kStubsAt - kExceptionStubs) / kExceptionStubBytes);
}

std::optional<SystemPages::Pushed> SystemPages::pushed(std::uint8_t vector, Gva rsp) const {
    const std::size_t words = pushes_error_code(vector) ? 6 : 5;
    if (rsp < kSystemGva + kStackAt || rsp > kSystemGva + kStackAt + kPageBytes - words * 8) return std::nullopt;
    std::array<std::uint64_t, 6> frame{};
    std::memcpy(frame.data() + (6 - words), host() + (rsp - kSystemGva), words * 8);
    // Error code, RIP, CS, RFLAGS, RSP, SS (SDM 3A 6.14.2).
    return Pushed{static_cast<std::uint32_t>(frame[0]), frame[1], frame[3], frame[4]};
}

SystemPages::Return SystemPages::prepare_return(std::uint64_t rip, std::uint64_t rflags, std::uint64_t rsp) {
    const std::array<std::uint64_t, 5> frame{rip, kUserCode, (rflags & kUserFlags) | 0x202, rsp, kUserData};
    store(host(), kFrameAt, frame);
    return {kSystemGva + kStubsAt + kReturnStub, kSystemGva + kFrameAt};
}

SystemPages::Pushed SystemPages::pending_return() const {
    std::array<std::uint64_t, 5> frame{};
    std::memcpy(frame.data(), host() + kFrameAt, sizeof frame);
    return {0, frame[0], frame[2], frame[3]};
}

}  // namespace divisi::hv
