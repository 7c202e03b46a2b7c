#include "shm/loans.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "shm/abi/node_page.h"

namespace divisi::shm {
namespace {

divisi_loan lent_to(std::uint32_t borrower, std::uint32_t rights) {
    divisi_loan loan{};
    loan.address = 0x10000;
    loan.bytes = 5000;
    loan.borrower = borrower;
    loan.rights = rights;
    return loan;
}

TEST(Loans, AreForTheBorrowerAlone) {
    divisi_loan loan = lent_to(3, DIVISI_LOAN_READ);
    const auto borrowed = Borrowed::take(loan, 3);
    ASSERT_TRUE(borrowed);
    EXPECT_EQ(borrowed->address(), 0x10000U);
    EXPECT_EQ(borrowed->size_bytes(), 5000U);
    EXPECT_FALSE(borrowed->writable());
    EXPECT_FALSE(Borrowed::take(loan, 2));
}

TEST(Loans, GiveTheRightThatIsNamed) {
    divisi_loan writable = lent_to(0, DIVISI_LOAN_WRITE);
    EXPECT_TRUE(Borrowed::take(writable, 0)->writable());
    for (const std::uint32_t nonsense : {DIVISI_LOAN_NONE, 3U, 0xffffffffU}) {
        divisi_loan loan = lent_to(0, nonsense);
        EXPECT_FALSE(Borrowed::take(loan, 0)) << nonsense;
    }
}

TEST(Loans, CountTheirUsersWhileTheyAreUsed) {
    divisi_loan loan = lent_to(1, DIVISI_LOAN_READ);
    EXPECT_FALSE(Borrowed::take(loan, 0));
    EXPECT_EQ(loan.users, 0U);
    {
        auto first = Borrowed::take(loan, 1);
        const auto second = Borrowed::take(loan, 1);
        EXPECT_EQ(loan.users, 2U);
        const Borrowed moved = std::move(*first);
        first.reset();
        EXPECT_EQ(loan.users, 2U);
    }
    EXPECT_EQ(loan.users, 0U);
}

}  // namespace
}  // namespace divisi::shm
