#include "shm/stats.hpp"

#include <gtest/gtest.h>

namespace divisi::shm {
namespace {

TEST(StatsBoard, IsReadWhereItWasNotWritten) {
    auto board = StatsBoard::create(3);
    ASSERT_TRUE(board);
    board->node(NodeId{2}).exits = 5;
    board->node(NodeId{2}).state = NodeState::kRunning;
    const auto view = StatsBoard::attach(board->fd(), 3);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->node(NodeId{2}).exits, 5U);
    EXPECT_EQ(view->node(NodeId{2}).state, NodeState::kRunning);
    EXPECT_EQ(view->node(NodeId{0}).state, NodeState::kIdle);
}

TEST(StatsBoard, RefusesAFileThatIsTooSmall) {
    const auto board = StatsBoard::create(3);
    ASSERT_TRUE(board);
    const auto view = StatsBoard::attach(board->fd(), 4);
    ASSERT_FALSE(view);
    EXPECT_TRUE(view.error().is(Errc::kProtocol));
}

}  // namespace
}  // namespace divisi::shm
