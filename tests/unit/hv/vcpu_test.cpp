// What every backend's processor does alike.
#include "hv/vcpu.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "test_node.hpp"

namespace divisi::hv {
namespace {

DIVISI_GUEST_CODE(guest_call);
DIVISI_GUEST_CODE(guest_loop);
DIVISI_GUEST_CODE(guest_state);
DIVISI_GUEST_CODE(guest_bases);
DIVISI_GUEST_CODE(guest_reader);
DIVISI_GUEST_CODE(guest_read);
DIVISI_GUEST_CODE(guest_write);
DIVISI_GUEST_CODE(guest_jump);
DIVISI_GUEST_CODE(guest_invalid);
DIVISI_GUEST_CODE(guest_breakpoint);
DIVISI_GUEST_CODE(guest_divide);
DIVISI_GUEST_CODE(guest_halt);
DIVISI_GUEST_CODE(guest_call_int80);
DIVISI_GUEST_CODE(guest_two_calls);

using Kind = Exit::Kind;
class VcpuTest : public OnBackend {};

TEST_P(VcpuTest, TellsACallWithItsNumberAndArguments) {
    const auto node = make_node();
    node->start(code(guest_call, guest_call_end));
    node->context.regs.rax = 39;
    node->context.regs.rdi = 1, node->context.regs.rsi = 2, node->context.regs.rdx = 3;
    node->context.regs.r10 = 4, node->context.regs.r8 = 5, node->context.regs.r9 = 6;
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    const Registers& regs = node->context.regs;
    EXPECT_EQ(regs.rax, 39U);
    EXPECT_EQ(regs.rdi, 1U);
    EXPECT_EQ(regs.rsi, 2U);
    EXPECT_EQ(regs.rdx, 3U);
    EXPECT_EQ(regs.r10, 4U);
    EXPECT_EQ(regs.r8, 5U);
    EXPECT_EQ(regs.r9, 6U);
    EXPECT_EQ(regs.rip, kCodeAt + 2);
}

TEST_P(VcpuTest, TellsEveryCallNumber) {
    const auto node = make_node();
    node->start(code(guest_call, guest_call_end));
    for (std::uint64_t number = 0; number < 1024; ++number) {
        // Linux lets it through every seccomp filter, and refuses it to all but its own trampoline.
        constexpr std::uint64_t kUprobe = 336;
        if (number == kUprobe && GetParam() == "direct") continue;
        for (const std::uint64_t x32 : {0ULL, 0x4000'0000ULL}) {
            node->context.regs.rip = kCodeAt;
            node->context.regs.rax = number | x32;
            ASSERT_EQ(node->run().kind, Kind::kSyscall) << number;
            ASSERT_EQ(node->context.regs.rax, number | x32);
            ASSERT_EQ(node->context.regs.rip, kCodeAt + 2);
        }
    }
    for (const std::uint64_t number : {0x7fff'ffffULL, 0x8000'0000ULL, 0xffff'ffffULL}) {
        node->context.regs.rip = kCodeAt;
        node->context.regs.rax = number;
        ASSERT_EQ(node->run().kind, Kind::kSyscall);
        EXPECT_EQ(node->context.regs.rax, number);
    }
}

TEST_P(VcpuTest, AnswersAWakeItselfWhenNobodyWaits) {
    constexpr std::uint64_t kFutex = 202;
    const auto node = make_node();
    node->start(code(guest_two_calls, guest_two_calls_end));
    const auto wake = [&](std::uint64_t operation, Gva word) {
        Registers& regs = node->context.regs;
        regs.rip = kCodeAt;
        regs.rax = kFutex, regs.rdi = word, regs.rsi = operation, regs.rdx = 1;
        EXPECT_EQ(node->run().kind, Kind::kSyscall);
        EXPECT_EQ(regs.rdi, word);
        return regs.rax == 1000 ? static_cast<std::int64_t>(regs.rbx) : -1;
    };
    if (wake(1, kDataAt) == -1) GTEST_SKIP() << "SKIP: SYSCALL leaves ring 3 on this backend or host";
    EXPECT_EQ(wake(1, kDataAt), 0);
    EXPECT_EQ(wake(129, kDataAt + 4), 0);
    tables->waiters(kDataAt) = 1;
    EXPECT_EQ(wake(1, kDataAt), -1);
    EXPECT_EQ(wake(1, kDataAt + kPageBytes), -1);  // ends alike: it may be the one that is waited for
    EXPECT_EQ(wake(1, kDataAt + 4), 0);
    // What only the VMM can say, or may be others' too.
    EXPECT_EQ(wake(129, kDataAt + 5), -1);
    EXPECT_EQ(wake(0, kDataAt + 4), -1);
    EXPECT_EQ(wake(3, kDataAt + 4), -1);
    EXPECT_EQ(wake(129, kWindowGva + 4), -1);
    EXPECT_EQ(wake(129, ~3ULL), -1);
}

TEST_P(VcpuTest, GivesACallItsResult) {
    const auto node = make_node();
    node->start(code(guest_loop, guest_loop_end));
    node->context.regs.rax = 0;
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    for (const std::int64_t result : {0L, -1L, -4095L, -512L, -516L, 1L << 62}) {
        node->context.regs.rip = kCodeAt + 7;  // behind the call
        node->context.regs.rax = static_cast<std::uint64_t>(result);
        node->vcpu->kick();
        // The kick may come before the first instruction or after many.
        ASSERT_EQ(node->run().kind, Kind::kInterrupted);
        EXPECT_EQ(node->context.regs.rax, static_cast<std::uint64_t>(result));
    }
}

TEST_P(VcpuTest, KnowsNoOldCallGate) {
    const auto node = make_node();
    node->start(code(guest_call_int80, guest_call_int80_end));
    node->context.regs.rax = 20;
    const Exit exit = node->run();
    ASSERT_EQ(exit.kind, Kind::kException);
    // Where KVM virtualizes by page tables alone, it takes the instruction for an invalid one.
    EXPECT_TRUE(exit.vector == 13 || (exit.vector == 6 && GetParam() == "kvm")) << int{exit.vector};
    EXPECT_EQ(node->context.regs.rip, kCodeAt);
    EXPECT_EQ(node->context.regs.rax, 20U);
}

TEST_P(VcpuTest, TellsExceptions) {
    struct Case {
        std::span<const std::byte> code;
        int vector;
        Gva rip;
    };
    const std::array cases{Case{code(guest_invalid, guest_invalid_end), 6, kCodeAt},
                           Case{code(guest_breakpoint, guest_breakpoint_end), 3, kCodeAt + 1},
                           Case{code(guest_divide, guest_divide_end), 0, kCodeAt + 2},
                           Case{code(guest_halt, guest_halt_end), 13, kCodeAt}};
    const auto node = make_node();
    for (const Case& one : cases) {
        node->start(one.code);
        const Exit exit = node->run();
        ASSERT_EQ(exit.kind, Kind::kException) << one.vector;
        EXPECT_EQ(exit.vector, one.vector);
        EXPECT_EQ(node->context.regs.rip, one.rip);
    }
}

TEST_P(VcpuTest, TellsWhereAndHowAPageFaulted) {
    const auto node = make_node();
    map(0x60'0000, 1, PROT_READ);
    const auto fault_of = [&](std::span<const std::byte> bytes, Gva address) {
        node->context.regs.rbx = address;
        node->start(bytes);
        const Exit exit = node->run();
        EXPECT_EQ(exit.kind, Kind::kException);
        EXPECT_EQ(exit.vector, 14);
        EXPECT_EQ(exit.address, address);
        return exit.error_code;
    };
    EXPECT_EQ(fault_of(code(guest_read, guest_read_end), 0x70'0123) & 0x12U, 0U);
    EXPECT_EQ(fault_of(code(guest_write, guest_write_end), 0x70'0123) & 0x12U, 2U);
    EXPECT_EQ(fault_of(code(guest_write, guest_write_end), 0x60'0008) & 0x12U, 2U);
    EXPECT_EQ(fault_of(code(guest_jump, guest_jump_end), 0x70'0000) & 0x12U, 0x10U);
    EXPECT_EQ(fault_of(code(guest_jump, guest_jump_end), kDataAt) & 0x12U, 0x10U);
    EXPECT_EQ(fault_of(code(guest_read, guest_read_end), kUserBytes) & 0x12U, 0U);
}

TEST_P(VcpuTest, KeepsRegistersAndVectorsOverSaveAndLoad) {
    const auto node = make_node();
    ThreadContext& context = node->context;
    node->start(code(guest_state, guest_state_end));
    ASSERT_TRUE(node->vcpu->save(context));
    ASSERT_EQ(context.xsave.size(), 4096U);
    // x87 and SSE in their places, AVX where CPUID leaf 13 puts it: 576 on all processors there are.
    const std::array<double, 2> low{1.5, -2.5};
    const std::array<double, 2> high{3.25, 1e300};
    std::memcpy(context.xsave.data() + 160 + 15 * 16, low.data(), sizeof low);
    std::memcpy(context.xsave.data() + 576 + 15 * 16, high.data(), sizeof high);
    const std::uint64_t components = 7;
    std::memcpy(context.xsave.data() + 512, &components, sizeof components);
    Registers& regs = context.regs;
    std::uint64_t value = 0x1111'2222'3333'4444;
    for (std::uint64_t* reg : {&regs.rbx, &regs.rcx, &regs.rdx, &regs.rsi, &regs.rdi, &regs.rsp, &regs.rbp, &regs.r8,
                               &regs.r9, &regs.r10, &regs.r11, &regs.r12, &regs.r13, &regs.r14, &regs.r15})
        *reg = value += 0x0101'0101'0101'0101;
    regs.rsp = 0x7654'3210;  // an address the processor can have
    const Registers before = regs;
    ASSERT_TRUE(node->vcpu->load(context));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    ASSERT_TRUE(node->vcpu->save(context));
    EXPECT_EQ(regs.rbx, before.rbp);
    EXPECT_EQ(regs.rbp, before.rbx);
    EXPECT_EQ(regs.r12, before.r15);
    EXPECT_EQ(regs.r15, before.r12);
    EXPECT_EQ(regs.r13, before.r14);
    EXPECT_EQ(regs.r14, before.r13);
    EXPECT_EQ(regs.rdi, before.rsi);
    EXPECT_EQ(regs.r10, before.rdx);
    EXPECT_EQ(regs.r8, before.r9);
    EXPECT_EQ(regs.rsp, before.rsp);
    EXPECT_NE(regs.rflags & 0x400U, 0U);
    std::array<double, 2> out{};
    std::memcpy(out.data(), context.xsave.data() + 160 + 15 * 16, sizeof out);
    EXPECT_EQ(out, (std::array<double, 2>{3.0, -5.0}));
    std::memcpy(out.data(), context.xsave.data() + 576 + 15 * 16, sizeof out);
    EXPECT_EQ(out, (std::array<double, 2>{6.5, 2e300}));
}

TEST_P(VcpuTest, BeginsWithTheInitialVectorState) {
    const auto node = make_node();
    node->start(code(guest_state, guest_state_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    ASSERT_TRUE(node->vcpu->save(node->context));
    std::uint16_t control = 0;
    std::uint32_t mxcsr = 0;
    std::memcpy(&control, node->context.xsave.data(), sizeof control);
    std::memcpy(&mxcsr, node->context.xsave.data() + 24, sizeof mxcsr);
    EXPECT_EQ(control, 0x37f);
    EXPECT_EQ(mxcsr, 0x1f80U);
}

TEST_P(VcpuTest, HasSegmentBases) {
    const auto node = make_node();
    ASSERT_TRUE(memory->write(kDataAt + 0x100, std::uint64_t{11}));
    ASSERT_TRUE(memory->write(kDataAt + 0x200, std::uint64_t{22}));
    node->context.fs_base = kDataAt + 0x100;
    node->context.gs_base = kDataAt + 0x200;
    node->start(code(guest_bases, guest_bases_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    EXPECT_EQ(node->context.regs.rdi, 11U);
    EXPECT_EQ(node->context.regs.rsi, 22U);
    ASSERT_TRUE(node->vcpu->set_fs_base(kDataAt + 0x200));
    ASSERT_TRUE(node->vcpu->set_gs_base(kDataAt + 0x100));
    node->context.regs.rip = kCodeAt;
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    EXPECT_EQ(node->context.regs.rdi, 22U);
    EXPECT_EQ(node->context.regs.rsi, 11U);
}

TEST_P(VcpuTest, ReturnsAtOnceWhenItWasKickedBefore) {
    const auto node = make_node();
    node->start(code(guest_loop, guest_loop_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    node->vcpu->kick();
    EXPECT_EQ(node->run().kind, Kind::kInterrupted);
    node->vcpu->kick();
    node->vcpu->kick();
    EXPECT_EQ(node->run().kind, Kind::kInterrupted);
}

TEST_P(VcpuTest, LosesNoKick) {
    const auto node = make_node();
    node->start(code(guest_loop, guest_loop_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    constexpr int kKicks = 300;
    std::atomic<int> taken{0};
    std::jthread kicker([&] {
        for (int sent = 0; sent < kKicks; ++sent) {
            // Every kick comes at another moment of the way into the guest.
            while (taken.load() < sent) std::this_thread::yield();
            for (volatile int i = 0; i < sent * 40;) i = i + 1;
            node->vcpu->kick();
        }
    });
    for (; taken < kKicks; ++taken) {
        const Exit exit = node->run();
        ASSERT_EQ(exit.kind, Kind::kInterrupted);
        ASSERT_GE(node->context.regs.rip, kCodeAt + 5);
    }
}

TEST_P(VcpuTest, LosesNoCallToAKick) {
    const auto node = make_node();
    node->start(code(guest_call, guest_call_end));
    std::atomic<bool> done{false};
    std::jthread kicker([&] {
        // With pauses: where kicks come faster than calls are made, no call is made at all.
        while (!done) {
            node->vcpu->kick();
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    });
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const std::uint64_t call = i % 300;  // numbers that all kernels leave to the filter
        node->context.regs.rip = kCodeAt;
        node->context.regs.rax = call;
        Exit exit;
        do {
            exit = node->run();
            if (exit.kind == Kind::kInterrupted && node->context.regs.rip != kCodeAt) break;
        } while (exit.kind == Kind::kInterrupted);
        ASSERT_EQ(exit.kind, Kind::kSyscall);
        ASSERT_EQ(node->context.regs.rax, call);
        ASSERT_EQ(node->context.regs.rip, kCodeAt + 2);
    }
    done = true;
}

TEST_P(VcpuTest, LooksAtAWordBeforeItLeavesToWaitForIt) {
    constexpr std::uint64_t kFutex = 202;
    constexpr std::int64_t kLeft = 1;  // the VMM was asked
    const auto node = make_node();
    node->start(code(guest_two_calls, guest_two_calls_end));
    const auto wait = [&](std::uint64_t operation, Gva word, std::uint32_t expected, std::uint64_t deadline = 0,
                          std::uint64_t bits = ~0U) {
        Registers& regs = node->context.regs;
        regs.rip = kCodeAt;
        regs.rax = kFutex, regs.rdi = word, regs.rsi = operation, regs.rdx = expected;
        regs.r10 = deadline, regs.r9 = bits;
        EXPECT_EQ(node->run().kind, Kind::kSyscall);
        if (regs.rax == 1000) return static_cast<std::int64_t>(regs.rbx);
        EXPECT_EQ(regs.rax, kFutex);
        EXPECT_EQ(regs.rip, kCodeAt + 2);
        return kLeft;
    };
    ASSERT_TRUE(memory->write(kDataAt, std::uint32_t{7}));
    EXPECT_EQ(wait(128, kDataAt, 6), kLeft);  // not told to look
    tables->set_looks(100);
    if (wait(128, kDataAt, 6) == kLeft) GTEST_SKIP() << "SKIP: SYSCALL leaves ring 3 on this backend or host";
    EXPECT_EQ(wait(128, kDataAt, 6), -EAGAIN);
    EXPECT_EQ(wait(0, kDataAt, 6), -EAGAIN);
    EXPECT_EQ(wait(9 | 128 | 256, kDataAt, 6), -EAGAIN);
    EXPECT_EQ(wait(128, kDataAt, 7), kLeft);
    // What only the VMM can say.
    EXPECT_EQ(wait(128, kDataAt + 1, 6), kLeft);
    EXPECT_EQ(wait(128, kDataAt, 6, kDataAt), kLeft);
    EXPECT_EQ(wait(9, kDataAt, 6, 0, 0), kLeft);
    EXPECT_EQ(wait(128, kWindowGva, 6), kLeft);
    EXPECT_EQ(wait(128, ~7ULL, 6), kLeft);
    EXPECT_EQ(wait(128, 0x8000, 6), kLeft);  // there is nothing
}

TEST_P(VcpuTest, SeesNothingOfAPageThatWasTakenAwayWhileItRan) {
    const auto node = make_node();
    node->context.regs.rbx = kDataAt;
    node->start(code(guest_reader, guest_reader_end));
    Exit exit;
    std::thread runner([&] { exit = node->run(); });
    // Long enough that it reads; taking away is right at any time.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(memory->unmap(kDataAt, 16 * kPageBytes), 0);
    runner.join();
    EXPECT_EQ(exit.kind, Kind::kException);
    EXPECT_EQ(exit.vector, 14);
    EXPECT_EQ(exit.address, kDataAt);
}

TEST_P(VcpuTest, ObeysProtectionThatBecameNarrower) {
    const auto node = make_node();
    node->context.regs.rbx = kDataAt;
    node->start(code(guest_write, guest_write_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    ASSERT_EQ(memory->protect(kDataAt, kPageBytes, PROT_READ), 0);
    node->context.regs.rip = kCodeAt;
    const Exit exit = node->run();
    ASSERT_EQ(exit.kind, Kind::kException);
    EXPECT_EQ(exit.vector, 14);
    EXPECT_EQ(exit.address, kDataAt);
    ASSERT_EQ(memory->protect(kDataAt, kPageBytes, PROT_READ | PROT_WRITE), 0);
    EXPECT_EQ(node->run().kind, Kind::kSyscall);
}

TEST_P(VcpuTest, SeesMemoryAtItsNewPlace) {
    const auto node = make_node();
    ASSERT_TRUE(memory->write(kDataAt, std::uint64_t{77}));
    node->context.regs.rbx = kDataAt;
    node->start(code(guest_read, guest_read_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    const SysResult moved = memory->remap(kDataAt, kPageBytes, kPageBytes, MREMAP_MAYMOVE | MREMAP_FIXED, 0x90'0000);
    ASSERT_EQ(moved, 0x90'0000);
    node->context.regs.rip = kCodeAt;
    EXPECT_EQ(node->run().kind, Kind::kException);
    node->context.regs.rip = kCodeAt;
    node->context.regs.rbx = 0x90'0000;
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    EXPECT_EQ(node->context.regs.rdi, 77U);
}

TEST_P(VcpuTest, SharesMemoryWithTheOtherNodesOfAProgram) {
    const auto one = make_node();
    const auto other = make_node();
    one->context.regs.rbx = other->context.regs.rbx = kDataAt + 8;
    one->start(code(guest_write, guest_write_end));
    ASSERT_EQ(one->run().kind, Kind::kSyscall);
    other->start(code(guest_read, guest_read_end));
    ASSERT_EQ(other->run().kind, Kind::kSyscall);
    EXPECT_EQ(other->context.regs.rdi, 7U);
}

TEST_P(VcpuTest, RunsOtherMemoryAfterItIsBoundToIt) {
    const auto node = make_node();
    node->context.regs.rbx = kDataAt;
    node->start(code(guest_write, guest_write_end));
    ASSERT_EQ(node->run().kind, Kind::kSyscall);
    const auto other_ram = *Ram::create("other", 64 * kPageBytes, -1);
    const auto other_tables = *PageTables::create(0);
    AddressSpace other(*other_ram, *other_tables);
    constexpr int kProt = PROT_READ | PROT_WRITE | PROT_EXEC;
    ASSERT_GT(other.map(kCodeAt, kPageBytes, kProt, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, std::nullopt), 0);
    ASSERT_GT(other.map(kDataAt, kPageBytes, kProt, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, std::nullopt), 0);
    ASSERT_TRUE(other.copy_out(kCodeAt, guest_read, static_cast<std::size_t>(guest_read_end - guest_read)));
    ASSERT_TRUE(node->vcpu->bind(*other_ram, *other_tables));
    node->context.regs.rip = kCodeAt;
    ASSERT_TRUE(node->vcpu->load(node->context));
    Exit exit = node->vcpu->run(node->context.regs);
    while (exit.kind == Kind::kException && other.fault(exit.address, Access::kRead) == FaultOutcome::kResolved)
        exit = node->vcpu->run(node->context.regs);
    ASSERT_EQ(exit.kind, Kind::kSyscall);
    EXPECT_EQ(node->context.regs.rdi, 0U);
    ASSERT_TRUE(node->vcpu->unbind());
}

INSTANTIATE_TEST_SUITE_P(Kvm, VcpuTest, testing::Values("kvm"));
INSTANTIATE_TEST_SUITE_P(Direct, VcpuTest, testing::Values("direct"));

}  // namespace
}  // namespace divisi::hv
