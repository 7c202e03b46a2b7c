// The backend that needs no virtualization: guest code runs directly, in confined stub processes.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.hpp"
#include "hv/backend.hpp"
#include "hv/direct/midwife.hpp"
#include "hv/direct/stub_space.hpp"
#include "hv/direct/watch.hpp"

namespace divisi::hv {

class DirectBackend final : public Backend {
public:
    // Errors: kUnsupported: what the kernel or the processor lacks.
    static Result<std::unique_ptr<DirectBackend>> create();

    [[nodiscard]] std::string_view name() const override { return "direct"; }
    Result<std::unique_ptr<Vcpu>> create_vcpu(NodeId id, std::uint32_t count) override;

private:
    DirectBackend(Fd image, std::unique_ptr<Watch> watch, std::unique_ptr<Midwife> midwife)
        : image_(std::move(image)), watch_(std::move(watch)), midwife_(std::move(midwife)) {}
    Result<std::shared_ptr<StubSpace>> find_space(const Ram& ram, const PageTables& tables);

    Fd image_;
    std::unique_ptr<Watch> watch_;
    std::unique_ptr<Midwife> midwife_;
    std::mutex mutex_;
    std::vector<std::weak_ptr<StubSpace>> spaces_;
};

}  // namespace divisi::hv
