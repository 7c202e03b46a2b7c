#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "ctl/doctor/checks.hpp"

namespace divisi::ctl::doctor {
namespace {

const BackendProbe* probed(const Facts& facts, std::string_view name) {
    if (!facts.probe || !*facts.probe) return nullptr;
    const std::vector<BackendProbe>& probes = **facts.probe;
    const auto found =
        std::find_if(probes.begin(), probes.end(), [name](const auto& each) { return each.name == name; });
    return found == probes.end() ? nullptr : &*found;
}

std::string behind(const Processor& processor) {
    const std::string_view nested = processor.hypervisor ? ", in a virtual machine" : "";
    if (processor.vmx) return fmt::format("on VT-x{}", nested);
    if (processor.svm) return fmt::format("on AMD-V{}", nested);
    return "with neither VT-x nor AMD-V to see: based on page tables, where an exit costs tens of microseconds";
}

std::string mend_missing(const Facts& facts) {
    if (facts.processor.vmx || facts.processor.svm)
        return fmt::format("as root: modprobe {}; in a container: start it with --device /dev/kvm",
                           facts.processor.vmx ? "kvm_intel" : "kvm_amd");
    if (facts.processor.hypervisor)
        return "turn on nested virtualization for this virtual machine; in a container: start it with --device "
               "/dev/kvm";
    return "turn on VT-x or AMD-V (SVM) in the firmware's settings; in a container: start it with --device /dev/kvm";
}

std::string mend_permission(const Facts& facts) {
    const KvmDevice& kvm = facts.kvm;
    if (kvm.open_error == EPERM || facts.is_root)
        return "the container's device rules forbid it: start it with --device /dev/kvm";
    if (!kvm.group_may_open || kvm.group == "root")
        return fmt::format("sudo setfacl -m u:{}:rw /dev/kvm, or install the udev rule that gives it to the group kvm",
                           facts.user);
    if (kvm.user_listed && !kvm.user_in_group)
        return fmt::format("you are in the group {0} since your last login: log in again, or run newgrp {0}",
                           kvm.group);
    return fmt::format("sudo usermod -aG {} {}, then log in again", kvm.group, facts.user);
}

std::string fallback(const Facts& facts) {
    const BackendProbe* direct = probed(facts, "direct");
    return direct != nullptr && direct->ok ? "; nodes run on the direct backend instead" : "";
}

}  // namespace

Check judge_kvm(const Facts& facts) {
    const BackendProbe* direct = probed(facts, "direct");
    const Verdict without = direct != nullptr && direct->ok ? Verdict::kWarning : Verdict::kProblem;
    const KvmDevice& kvm = facts.kvm;
    if (!kvm.exists) return {"kvm", without, "no /dev/kvm" + fallback(facts), mend_missing(facts)};
    if (kvm.open_error == EACCES || kvm.open_error == EPERM)
        return {"kvm", without,
                fmt::format("/dev/kvm may not be opened by {} (group {}){}", facts.user, kvm.group, fallback(facts)),
                mend_permission(facts)};
    if (kvm.open_error != 0)
        return {"kvm", without,
                "/dev/kvm does not open: " + std::generic_category().message(kvm.open_error) + fallback(facts),
                mend_missing(facts)};
    const BackendProbe* probe = probed(facts, "kvm");
    if (probe != nullptr && !probe->ok)
        return {"kvm", without, "/dev/kvm opens, and no node starts on it: " + probe->reason + fallback(facts),
                probe->detail};
    std::string text = "/dev/kvm opens, " + behind(facts.processor);
    if (probe != nullptr) text += probe->detail.empty() ? "; tried, and works" : "; tried, and works: " + probe->detail;
    return {"kvm", Verdict::kOk, std::move(text), {}};
}

}  // namespace divisi::ctl::doctor
