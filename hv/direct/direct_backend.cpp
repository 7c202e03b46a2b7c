#include "hv/direct/direct_backend.hpp"

#include <linux/seccomp.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv/direct/direct_vcpu.hpp"
#include "hv/direct/stub_image.hpp"
#include "hv/kick_signal.hpp"

namespace divisi::hv {
namespace {

constexpr unsigned long kFsgsbase = 2;  // HWCAP2_FSGSBASE

Result<void> check_host() {
    if ((::getauxval(AT_HWCAP2) & kFsgsbase) == 0)
        return make_error(Errc::kUnsupported, "the processor or the kernel does not offer FSGSBASE", "direct",
                          "it takes Linux 5.9 and a processor of 2012 or later");
    const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
        return make_error(Errc::kUnsupported, "the kernel does not offer seccomp's user notification", "direct",
                          "it takes Linux 5.9, and a container that allows seccomp(2)");
    return {};
}

}  // namespace

Result<std::unique_ptr<DirectBackend>> DirectBackend::create() {
    DIVISI_TRY(check_host());
    DIVISI_TRY(install_kick_handler());
    DIVISI_TRY_ASSIGN(Fd image, create_stub_image());
    DIVISI_TRY_ASSIGN(std::unique_ptr<Watch> watch, Watch::create());
    DIVISI_TRY_ASSIGN(std::unique_ptr<Midwife> midwife, Midwife::create());
    return std::unique_ptr<DirectBackend>(new DirectBackend(std::move(image), std::move(watch), std::move(midwife)));
}

Result<std::unique_ptr<Vcpu>> DirectBackend::create_vcpu(NodeId /*id*/, std::uint32_t /*count*/) {
    return std::unique_ptr<Vcpu>(std::make_unique<DirectVcpu>(
        [this](const Ram& ram, const PageTables& tables) { return find_space(ram, tables); }, *watch_));
}

Result<std::shared_ptr<StubSpace>> DirectBackend::find_space(const Ram& ram, const PageTables& tables) {
    // Held while one is made: a program's nodes ask at the same time, and must get the same.
    const std::lock_guard lock(mutex_);
    std::erase_if(spaces_, [](const auto& space) { return space.expired(); });
    for (const auto& known : spaces_) {
        if (auto space = known.lock(); space && space->serves(ram, tables)) return space;
    }
    DIVISI_TRY_ASSIGN(auto space, StubSpace::create(*midwife_, image_.get(), ram, tables));
    spaces_.push_back(space);
    return space;
}

}  // namespace divisi::hv
