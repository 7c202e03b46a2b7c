#include "hv/direct/seccomp_filter.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cstddef>

#include "hv/direct/stub_image.hpp"

namespace divisi::hv {
namespace {

constexpr std::uint32_t kInstructionPointer = offsetof(seccomp_data, instruction_pointer);
constexpr std::uint32_t kArguments = offsetof(seccomp_data, args);

// A program in the making, in which every test that fails leads to the next rule.
class Filter {
public:
    void load(std::uint32_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
    void expect(std::uint32_t value) {
        pending_.push_back(code_.size());
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0));
    }
    void expect_at(std::uint32_t offset, std::uint64_t value) {
        load(offset);
        expect(static_cast<std::uint32_t>(value));
        load(offset + 4);
        expect(static_cast<std::uint32_t>(value >> 32U));
    }
    void decide(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
    void next_rule() {
        for (const std::size_t at : pending_) code_[at].jf = static_cast<std::uint8_t>(code_.size() - at - 1);
        pending_.clear();
    }
    std::vector<sock_filter> take() { return std::move(code_); }

private:
    std::vector<sock_filter> code_;
    std::vector<std::size_t> pending_;
};

void begin_rule(Filter& filter, std::uint32_t number, Gva after) {
    filter.load(offsetof(seccomp_data, arch));
    filter.expect(AUDIT_ARCH_X86_64);
    filter.load(offsetof(seccomp_data, nr));
    filter.expect(number);
    filter.expect_at(kInstructionPointer, after);
}

}  // namespace

std::vector<sock_filter> guest_filter(Gva message) {
    Filter filter;
    begin_rule(filter, SYS_rt_sigreturn, in_stub(divisi_stub_after_return));
    filter.decide(SECCOMP_RET_ALLOW);
    filter.next_rule();
    begin_rule(filter, SYS_sendmsg, in_stub(divisi_stub_after_call));
    filter.expect_at(kArguments, DIVISI_STUB_SOCKET_FD);
    filter.expect_at(kArguments + 8, message);
    filter.expect_at(kArguments + 16, 0);
    filter.decide(SECCOMP_RET_ALLOW);
    filter.next_rule();
    filter.decide(SECCOMP_RET_USER_NOTIF);
    return filter.take();
}

}  // namespace divisi::hv
