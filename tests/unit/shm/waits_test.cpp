#include "shm/waits.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "shm/abi/node_page.h"

namespace divisi::shm {
namespace {

divisi_wait record(std::uint32_t kind, std::uint32_t peer, std::int32_t tag, const char* call, const char* comm) {
    divisi_wait wait{};
    wait.kind = kind;
    wait.peer = wait.job_peer = peer;
    wait.tag = tag;
    std::strncpy(static_cast<char*>(wait.call), call, sizeof wait.call);
    std::strncpy(static_cast<char*>(wait.communicator), comm, sizeof wait.communicator);
    return wait;
}

std::string told(const divisi_wait& wait) {
    return to_string(read_wait(wait, 8));
}

TEST(Waits, AreToldInASentence) {
    divisi_wait wait = record(DIVISI_WAIT_MESSAGE, 2, 7, "MPI_Recv", "MPI_COMM_WORLD");
    EXPECT_EQ(told(wait), "waits in MPI_Recv for rank 2, tag 7, MPI_COMM_WORLD");
    wait.job_peer = 5;
    EXPECT_EQ(told(wait), "waits in MPI_Recv for rank 2 (5 of the job), tag 7, MPI_COMM_WORLD");
    wait.others = 3;
    wait.peer = DIVISI_NO_RANK;
    wait.tag = DIVISI_WAIT_ANY_TAG;
    EXPECT_EQ(told(wait), "waits in MPI_Recv for any rank, any tag, MPI_COMM_WORLD (and for 3 more)");
    EXPECT_EQ(told(record(DIVISI_WAIT_RECEIVER, 1, DIVISI_WAIT_NO_TAG, "divisi_send", "")),
              "waits in divisi_send for rank 1 to receive");
    EXPECT_EQ(told(record(DIVISI_WAIT_ALL, DIVISI_NO_RANK, DIVISI_WAIT_NO_TAG, "MPI_Ibarrier", "rows")),
              "waits in MPI_Ibarrier for the others, rows");
}

TEST(Waits, ShowNothingThatARankMayNotMean) {
    EXPECT_EQ(told(divisi_wait{}), "waits, and does not say for what");
    EXPECT_EQ(told(record(77, 2, 7, "MPI_Recv", "")), "waits, and does not say for what");
    EXPECT_EQ(told(record(DIVISI_WAIT_MESSAGE, 8, -7, "MPI_Recv\n", "")), "waits for any rank");
    divisi_wait wait{};
    std::memset(&wait, 0xff, sizeof wait);
    wait.kind = DIVISI_WAIT_MESSAGE;
    wait.others = 0;
    EXPECT_EQ(told(wait), "waits for any rank, any tag, " + std::string(64, '?')) << "no zero ends the texts";
    EXPECT_EQ(told(record(DIVISI_WAIT_MESSAGE, 1, 0, "f", "\033[31mred\n")), "waits in f for rank 1, tag 0, ?[31mred?");
}

}  // namespace
}  // namespace divisi::shm
