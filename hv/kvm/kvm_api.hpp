// The KVM calls that this backend uses, as Results.
//
// Source: Documentation/virt/kvm/api.rst of the Linux kernel.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::hv {

// Debian 12's <linux/kvm.h> gives flexible arrays size 1 in C++, so that these come out as numbers no kernel
// knows. The kernel's structures end before the array.
inline constexpr unsigned long kKvmGetSupportedCpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8);
inline constexpr unsigned long kKvmSetCpuid2 = _IOC(_IOC_WRITE, KVMIO, 0x90, 8);
inline constexpr unsigned long kKvmSetMsrs = _IOC(_IOC_WRITE, KVMIO, 0x89, 8);
inline constexpr std::size_t kKvmXsaveBytes = 4096;
inline constexpr unsigned long kKvmGetXsave = _IOC(_IOC_READ, KVMIO, 0xa4, kKvmXsaveBytes);
inline constexpr unsigned long kKvmSetXsave = _IOC(_IOC_WRITE, KVMIO, 0xa5, kKvmXsaveBytes);

struct Msr {
    std::uint32_t index;
    std::uint64_t value;
};

// An ioctl whose failure is an error named `what`.
Result<int> kvm_ioctl(int fd, unsigned long request, const char* what, std::uintptr_t argument = 0);
template <typename T>
Result<int> kvm_ioctl(int fd, unsigned long request, const char* what, T* argument) {
    return kvm_ioctl(fd, request, what, reinterpret_cast<std::uintptr_t>(argument));
}

// /dev/kvm, checked for the API version. Errors: kUnreachable with the way to mend it.
Result<Fd> open_kvm();
Result<std::vector<kvm_cpuid_entry2>> supported_cpuid(int kvm);
Result<void> set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& entries);
// Sets them in order. Errors: the first that was refused, by number.
Result<void> set_msrs(int vcpu, const std::vector<Msr>& msrs);

}  // namespace divisi::hv
