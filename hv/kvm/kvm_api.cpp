#include "hv/kvm/kvm_api.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace divisi::hv {
namespace {

constexpr std::size_t kMaxCpuidEntries = 256;

// Structures that end in an array whose size the caller knows: a buffer of 8-byte words, header first.
struct ArrayHeader {
    std::uint32_t count;
    std::uint32_t padding;
};
static_assert(sizeof(ArrayHeader) == 8);

template <typename Entry>
std::vector<std::uint64_t> make_array(std::size_t count) {
    return std::vector<std::uint64_t>(1 + (count * sizeof(Entry) + 7) / 8, 0);
}

void set_count(std::vector<std::uint64_t>& buffer, std::size_t count) {
    const ArrayHeader header{static_cast<std::uint32_t>(count), 0};
    std::memcpy(buffer.data(), &header, sizeof header);
}

Error why_no_kvm(int error) {
    if (error == ENOENT)
        return make_error(Errc::kUnreachable, "this machine offers no virtualization", "/dev/kvm",
                          "load kvm_intel or kvm_amd, or enable nested virtualization; the direct backend needs none");
    if (error == EACCES || error == EPERM)
        return make_error(Errc::kUnreachable, "not permitted", "/dev/kvm",
                          "join the group that owns it: sudo usermod -aG kvm $USER, then log in again");
    return make_error(Errc::kUnreachable, std::string("cannot open: ") + std::strerror(error), "/dev/kvm");
}

}  // namespace

Result<int> kvm_ioctl(int fd, unsigned long request, const char* what, std::uintptr_t argument) {
    const int value = ::ioctl(fd, request, argument);
    if (value < 0) return system_error(errno, what, "kvm");
    return value;
}

Result<Fd> open_kvm() {
    Fd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (!kvm.valid()) return why_no_kvm(errno);
    DIVISI_TRY_ASSIGN(const int version, kvm_ioctl(kvm.get(), KVM_GET_API_VERSION, "KVM_GET_API_VERSION"));
    if (version != KVM_API_VERSION)
        return make_error(Errc::kUnreachable, fmt::format("KVM API version {} instead of 12", version), "/dev/kvm");
    for (const auto& [capability, name] : {std::pair{KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS"},
                                           {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
                                           {KVM_CAP_XSAVE, "KVM_CAP_XSAVE"},
                                           {KVM_CAP_XCRS, "KVM_CAP_XCRS"}}) {
        if (::ioctl(kvm.get(), KVM_CHECK_EXTENSION, capability) <= 0)
            return make_error(Errc::kUnreachable, std::string("the kernel's KVM lacks ") + name, "/dev/kvm",
                              "a kernel of 4.17 or newer has it");
    }
    return kvm;
}

Result<std::vector<kvm_cpuid_entry2>> supported_cpuid(int kvm) {
    std::vector<std::uint64_t> buffer = make_array<kvm_cpuid_entry2>(kMaxCpuidEntries);
    set_count(buffer, kMaxCpuidEntries);
    DIVISI_TRY(kvm_ioctl(kvm, kKvmGetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", buffer.data()));
    ArrayHeader header{};
    std::memcpy(&header, buffer.data(), sizeof header);
    std::vector<kvm_cpuid_entry2> entries(header.count);
    std::memcpy(entries.data(), buffer.data() + 1, entries.size() * sizeof entries[0]);
    return entries;
}

Result<void> set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& entries) {
    std::vector<std::uint64_t> buffer = make_array<kvm_cpuid_entry2>(entries.size());
    set_count(buffer, entries.size());
    std::memcpy(buffer.data() + 1, entries.data(), entries.size() * sizeof entries[0]);
    DIVISI_TRY(kvm_ioctl(vcpu, kKvmSetCpuid2, "KVM_SET_CPUID2", buffer.data()));
    return {};
}

Result<void> set_msrs(int vcpu, const std::vector<Msr>& msrs) {
    std::vector<std::uint64_t> buffer = make_array<kvm_msr_entry>(msrs.size());
    set_count(buffer, msrs.size());
    auto* bytes = reinterpret_cast<std::byte*>(buffer.data() + 1);
    for (const Msr& msr : msrs) {
        kvm_msr_entry entry{};
        entry.index = msr.index;
        entry.data = msr.value;
        std::memcpy(bytes, &entry, sizeof entry);
        bytes += sizeof entry;
    }
    DIVISI_TRY_ASSIGN(const int done, kvm_ioctl(vcpu, kKvmSetMsrs, "KVM_SET_MSRS", buffer.data()));
    if (static_cast<std::size_t>(done) != msrs.size())
        return make_error(Errc::kUnreachable, fmt::format("KVM refused model-specific register {:#x}",
                                                          msrs[static_cast<std::size_t>(done)].index));
    return {};
}

}  // namespace divisi::hv
