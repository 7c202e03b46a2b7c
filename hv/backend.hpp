// A backend makes processors for nodes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "hv/layout.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

class Backend {
public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    [[nodiscard]] virtual std::string_view name() const = 0;
    // `count` is how many nodes the topology has. The calling thread is the one that will run the node.
    virtual Result<std::unique_ptr<Vcpu>> create_vcpu(NodeId id, std::uint32_t count) = 0;
    // One of its processors has run the trial program, and no other: what that has shown of this host.
    virtual void learn(const Vcpu& /*tried*/) {}
    // Where programs may jump to make a system call that would cost more by SYSCALL (kvm/fast_calls.hpp); 0: nowhere.
    [[nodiscard]] virtual Gva call_address() const { return 0; }
};

// A backend that was asked for, or the best that works here, and why it was taken.
struct ChosenBackend {
    std::unique_ptr<Backend> backend;
    std::string reason;
};

// `wanted` is "auto", "kvm" or "direct". "auto" is kvm where a node starts on it, else direct. Takes some milliseconds.
// Errors: kUnreachable or kUnsupported with the reason and the way out; kUsage for another name.
Result<ChosenBackend> choose_backend(std::string_view wanted);

// Whether a node really starts: runs a few instructions and a system call on one.
// Errors: what it met.
Result<void> try_backend(Backend& backend);

}  // namespace divisi::hv
