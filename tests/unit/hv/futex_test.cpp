#include "hv/futex.hpp"

#include <gtest/gtest.h>
#include <linux/futex.h>

#include <cerrno>

namespace divisi::hv {
namespace {

// What needs no thread that waits; tests/guest waits for real.
class FutexTest : public ::testing::Test {
protected:
    FutexTable::Key key(std::uint64_t address) { return {this, address, false}; }

    Timers timers_;
    FutexTable futexes_{timers_};
};

TEST_F(FutexTest, NobodyWaitsNobodyIsWoken) {
    EXPECT_EQ(futexes_.wake(key(4), 10, ~0U), 0);
    EXPECT_EQ(futexes_.requeue(key(4), key(8), 1, 10, std::nullopt), 0);
}

TEST_F(FutexTest, RequeueChecksTheWordFirst) {
    const std::uint32_t word = 5;
    EXPECT_EQ(futexes_.requeue(key(4), key(8), 1, 1, FutexTable::Word{key(4), &word, 6}), -EAGAIN);
    EXPECT_EQ(futexes_.requeue(key(4), key(8), 1, 1, FutexTable::Word{key(4), &word, 5}), 0);
}

struct OperationCase {
    int operation;
    std::uint32_t argument, before, after;
};

class FutexOperation : public FutexTest, public ::testing::WithParamInterface<OperationCase> {};

TEST_P(FutexOperation, ChangesTheWord) {
    const OperationCase& item = GetParam();
    std::uint32_t word = item.before;
    const std::uint32_t encoded = (static_cast<std::uint32_t>(item.operation) << 28U) | (item.argument << 12U);
    EXPECT_EQ(futexes_.wake_op(key(4), 1, key(8), 1, &word, encoded), 0);
    EXPECT_EQ(word, item.after);
}

INSTANTIATE_TEST_SUITE_P(All, FutexOperation,
                         ::testing::Values(OperationCase{FUTEX_OP_SET, 7, 1, 7},
                                           OperationCase{FUTEX_OP_ADD, 0xfff, 1, 0},
                                           OperationCase{FUTEX_OP_OR, 6, 1, 7}, OperationCase{FUTEX_OP_ANDN, 1, 3, 2},
                                           OperationCase{FUTEX_OP_XOR, 3, 1, 2},
                                           OperationCase{FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, 0, 16}));

TEST_F(FutexTest, UnknownOperationsAreRefused) {
    std::uint32_t word = 1;
    EXPECT_EQ(futexes_.wake_op(key(4), 1, key(8), 1, &word, 0x50000000), -ENOSYS);
    EXPECT_EQ(word, 1U);
}

}  // namespace
}  // namespace divisi::hv
