#include "hv/direct/signal_frame.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "hv/direct/stub_abi.h"

namespace divisi::hv {
namespace {

// The kernel's ucontext, with its sigcontext.
struct Context {
    std::uint64_t flags, link;
    Gva stack_base;
    std::int32_t stack_flags, padding;
    std::uint64_t stack_bytes;
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error_code, trap, old_mask, cr2;
    Gva fpstate;
    std::uint64_t reserved[8];  // NOLINT(modernize-avoid-c-arrays): the kernel's layout
    std::uint64_t mask;
};
static_assert(sizeof(Context) == 304 && offsetof(Context, r8) == 40 && offsetof(Context, mask) == 296);

// The kernel's part of the XSAVE image.
struct Software {
    std::uint32_t magic, extended_bytes;
    std::uint64_t components;
    std::uint32_t xsave_bytes, padding[7];  // NOLINT(modernize-avoid-c-arrays): the kernel's layout
};
static_assert(sizeof(Software) == 48);

constexpr std::uint32_t kMagic1 = 0x46505853;
constexpr std::size_t kSoftwareAt = 464;
constexpr std::size_t kHeaderAt = 512;
constexpr std::size_t kXsaveHeaderEnd = 576;
constexpr std::size_t kImageBytes = 4096;
constexpr std::size_t kBasesAt = DIVISI_FRAMES_BASES;
constexpr std::size_t kMxcsrAt = 24;
constexpr std::size_t kSignalCodeAt = 8;  // in the siginfo behind the ucontext
constexpr std::uint16_t kInitialControlWord = 0x37f;
constexpr std::uint32_t kInitialMxcsr = 0x1f80;
constexpr std::uint16_t kUserCode = 0x33, kUserData = 0x2b;

// SAFETY (both): offsets are checked by `learn` or constant, and copies are made byte by byte out of a page that
// another process may write meanwhile: a torn value is only a strange one.
template <typename T>
T get(const std::byte* page, std::size_t at) {
    T value;
    std::memcpy(&value, page + at, sizeof value);
    return value;
}
template <typename T>
void put(std::byte* page, std::size_t at, const T& value) {
    std::memcpy(page + at, &value, sizeof value);
}

}  // namespace

SignalFrame::SignalFrame(std::byte* page, Gva ucontext_at, std::size_t ucontext, std::size_t xsave,
                         std::size_t xsave_bytes)
    : page_(page), ucontext_at_(ucontext_at), ucontext_(ucontext), xsave_(xsave), xsave_bytes_(xsave_bytes) {
    components_ = get<Software>(page_, xsave_ + kSoftwareAt).components;
    first_.assign(page_ + ucontext_, page_ + ucontext_ + sizeof(Context));
    software_.assign(page_ + xsave_ + kSoftwareAt, page_ + xsave_ + kHeaderAt);
}

Result<SignalFrame> SignalFrame::learn(std::byte* page, Gva at, Gva ucontext) {
    const auto strange = [] {
        return make_error(Errc::kUnsupported, "this kernel's signal frames have a shape that divisi does not know",
                          "direct");
    };
    if (ucontext < at || ucontext - at > kBasesAt - sizeof(Context) - sizeof(siginfo_t)) return strange();
    const auto context = get<Context>(page, ucontext - at);
    if (context.fpstate < at || context.fpstate - at > kBasesAt - kXsaveHeaderEnd) return strange();
    const std::size_t xsave = context.fpstate - at;
    const auto software = get<Software>(page, xsave + kSoftwareAt);
    if (software.magic != kMagic1 || software.xsave_bytes < kXsaveHeaderEnd || software.xsave_bytes > kImageBytes ||
        software.xsave_bytes > kBasesAt - xsave)
        return strange();
    return SignalFrame(page, ucontext, ucontext - at, xsave, software.xsave_bytes);
}

Registers SignalFrame::registers() const {
    const auto from = get<Context>(page_, ucontext_);
    Registers to;
    to.rax = from.rax, to.rbx = from.rbx, to.rcx = from.rcx, to.rdx = from.rdx;
    to.rsi = from.rsi, to.rdi = from.rdi, to.rsp = from.rsp, to.rbp = from.rbp;
    to.r8 = from.r8, to.r9 = from.r9, to.r10 = from.r10, to.r11 = from.r11;
    to.r12 = from.r12, to.r13 = from.r13, to.r14 = from.r14, to.r15 = from.r15;
    to.rip = from.rip, to.rflags = from.rflags;
    return to;
}

void SignalFrame::set_registers(const Registers& regs) {
    auto to = get<Context>(page_, ucontext_);
    to.rax = regs.rax, to.rbx = regs.rbx, to.rcx = regs.rcx, to.rdx = regs.rdx;
    to.rsi = regs.rsi, to.rdi = regs.rdi, to.rsp = regs.rsp, to.rbp = regs.rbp;
    to.r8 = regs.r8, to.r9 = regs.r9, to.r10 = regs.r10, to.r11 = regs.r11;
    to.r12 = regs.r12, to.r13 = regs.r13, to.r14 = regs.r14, to.r15 = regs.r15;
    to.rip = regs.rip, to.rflags = regs.rflags;
    to.cs = kUserCode, to.ss = kUserData;
    put(page_, ucontext_, to);
}

SignalFrame::Trap SignalFrame::trap() const {
    const auto context = get<Context>(page_, ucontext_);
    const auto code = get<std::int32_t>(page_, ucontext_ + sizeof(Context) + kSignalCodeAt);
    return {code, context.trap, context.error_code, context.cr2};
}

std::vector<std::byte> SignalFrame::xsave() const {
    std::vector<std::byte> image(page_ + xsave_, page_ + xsave_ + xsave_bytes_);
    image.resize(kImageBytes);
    return image;
}

void SignalFrame::set_xsave(const std::vector<std::byte>& image) {
    std::byte* to = page_ + xsave_;
    std::uint64_t components = 0;
    if (image.empty()) {
        std::memset(to, 0, kHeaderAt);
        put(to, 0, kInitialControlWord);
        put(to, kMxcsrAt, kInitialMxcsr);
    } else {
        const std::size_t bytes = std::min(image.size(), xsave_bytes_);
        std::memcpy(to, image.data(), bytes);
        components = get<std::uint64_t>(image.data(), kHeaderAt) & components_;
    }
    // Components that are left out are not read; but the program may read what was there.
    if (image.empty()) std::memset(to + kXsaveHeaderEnd, 0, xsave_bytes_ - kXsaveHeaderEnd);
    std::memset(to + kHeaderAt, 0, kXsaveHeaderEnd - kHeaderAt);
    put(to, kHeaderAt, components);
    std::memcpy(to + kSoftwareAt, software_.data(), software_.size());
}

void SignalFrame::forget(bool in_use) {
    std::byte* const end = page_ + DIVISI_FRAMES_BYTES;
    if (!in_use) {
        std::memset(page_, 0, DIVISI_FRAMES_BYTES);
        return;
    }
    std::memcpy(page_ + ucontext_, first_.data(), first_.size());
    set_registers({});
    set_xsave({});
    const std::size_t behind = ucontext_ + sizeof(Context);
    // What stands between the two is the signal's description; on some kernels the state comes first.
    const auto [low, high] = std::minmax({ucontext_, xsave_});
    const std::size_t low_end = low == ucontext_ ? behind : xsave_ + xsave_bytes_;
    const std::size_t high_end = high == ucontext_ ? behind : xsave_ + xsave_bytes_;
    std::memset(page_, 0, low);
    if (low_end < high) std::memset(page_ + low_end, 0, high - low_end);
    // The word behind the state says that it is complete.
    const std::size_t rest = high_end + sizeof(std::uint32_t);
    if (page_ + rest < end) std::memset(page_ + rest, 0, static_cast<std::size_t>(end - (page_ + rest)));
}

std::uint64_t SignalFrame::fs_base() const {
    return get<std::uint64_t>(page_, kBasesAt);
}
std::uint64_t SignalFrame::gs_base() const {
    return get<std::uint64_t>(page_, kBasesAt + sizeof(std::uint64_t));
}
void SignalFrame::set_fs_base(std::uint64_t base) {
    put(page_, kBasesAt, base);
}
void SignalFrame::set_gs_base(std::uint64_t base) {
    put(page_, kBasesAt + sizeof(std::uint64_t), base);
}

}  // namespace divisi::hv
