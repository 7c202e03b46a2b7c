// A node with a little memory on a backend, for tests that run a few instructions in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <span>
#include <string>

#include "hv/address_space.hpp"
#include "hv/backend.hpp"
#include "hv/kick_signal.hpp"
#include "hv/vcpu.hpp"

// NOLINTBEGIN(modernize-avoid-c-arrays): symbols of an assembly file.
#define DIVISI_GUEST_CODE(name)        \
    extern "C" const std::byte name[]; \
    extern "C" const std::byte name##_end[]
// NOLINTEND(modernize-avoid-c-arrays)

namespace divisi::hv {

inline constexpr Gva kCodeAt = 0x40'0000;
inline constexpr Gva kDataAt = 0x50'0000;

inline std::span<const std::byte> code(const std::byte* begin, const std::byte* end) {
    return {begin, end};
}

class TestNode {
public:
    TestNode(Backend& backend, Ram& ram, PageTables& tables, AddressSpace& memory)
        : vcpu(*backend.create_vcpu(NodeId{0}, 1)), ram_(ram), tables_(tables), memory_(memory) {
        bind();
    }

    void bind() { ASSERT_TRUE(vcpu->bind(ram_, tables_)) << vcpu->bind(ram_, tables_).error().message(); }

    // Puts code into the node's memory, and the node before it.
    void start(std::span<const std::byte> bytes, Gva at = kCodeAt) {
        ASSERT_TRUE(memory_.copy_out(at, bytes.data(), bytes.size()));
        context.regs.rip = at;
        ASSERT_TRUE(vcpu->load(context));
    }

    // Runs until an exit that is more than a first touch.
    Exit run() {
        for (;;) {
            Exit exit = vcpu->run(context.regs);
            if (exit.kind != Exit::Kind::kException || exit.vector != 14) return exit;
            const Access access = (exit.error_code & 16U) != 0  ? Access::kExecute
                                  : (exit.error_code & 2U) != 0 ? Access::kWrite
                                                                : Access::kRead;
            if (memory_.fault(exit.address, access) != FaultOutcome::kResolved) return exit;
        }
    }

    std::unique_ptr<Vcpu> vcpu;
    ThreadContext context;

private:
    Ram& ram_;
    PageTables& tables_;
    AddressSpace& memory_;
};

// The memory of a test's nodes, and the backend that its parameter names.
class OnBackend : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        ASSERT_TRUE(install_kick_handler());
        auto chosen = choose_backend(GetParam());
        if (!chosen) GTEST_SKIP() << "SKIP: " << chosen.error().message();
        if (auto works = try_backend(*chosen->backend); !works) GTEST_SKIP() << "SKIP: " << works.error().message();
        backend = std::move(chosen->backend);
        ram = *Ram::create("test", 1024 * kPageBytes, -1);
        tables = *PageTables::create(0);
        memory = std::make_unique<AddressSpace>(*ram, *tables);
        map(kCodeAt, 1, PROT_READ | PROT_WRITE | PROT_EXEC);
        map(kDataAt, 16, PROT_READ | PROT_WRITE);
    }

    void map(Gva at, std::size_t pages, int prot) {
        ASSERT_EQ(memory->map(at, pages * kPageBytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, std::nullopt),
                  static_cast<SysResult>(at));
    }
    std::unique_ptr<TestNode> make_node() { return std::make_unique<TestNode>(*backend, *ram, *tables, *memory); }

    std::unique_ptr<Backend> backend;
    std::unique_ptr<Ram> ram;
    std::unique_ptr<PageTables> tables;
    std::unique_ptr<AddressSpace> memory;
};

}  // namespace divisi::hv
