#include "hv/rousing.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace divisi::hv {
namespace {

class RousingTest : public ::testing::Test {
protected:
    std::shared_ptr<Bell> near_ = std::make_shared<Bell>();
    std::shared_ptr<Bell> far_ = std::make_shared<Bell>();
};

TEST_F(RousingTest, RingsWhenItGoesAndNotBefore) {
    const std::uint32_t before = near_->heard();
    {
        Rousing rousing;
        rousing.add(near_, 1, 0);
        rousing.add(near_, 2, 0);
        EXPECT_EQ(near_->heard(), before);
    }
    EXPECT_EQ(near_->heard(), before + 1);
}

TEST_F(RousingTest, RingsElsewhereFirst) {
    Rousing rousing;
    rousing.add(near_, 1, 0);
    rousing.add(far_, 1, 1);
    rousing.ring_elsewhere(0);
    EXPECT_EQ(near_->heard(), 0U);
    EXPECT_EQ(far_->heard(), 1U);
    rousing.ring();
    EXPECT_EQ(near_->heard(), 1U);
    EXPECT_EQ(far_->heard(), 1U);
}

TEST_F(RousingTest, WhatIsMovedIsRungOnceAndWhatItReplacesIsNotLost) {
    Rousing first;
    Rousing second;
    first.add(near_, 1, 0);
    second.add(far_, 1, 0);
    first = std::move(second);
    EXPECT_EQ(near_->heard(), 1U);
    EXPECT_EQ(far_->heard(), 0U);
    first.ring();
    EXPECT_EQ(far_->heard(), 1U);
}

TEST_F(RousingTest, KeepsTheBell) {
    Rousing rousing;
    const std::weak_ptr<Bell> bell = near_;
    rousing.add(std::exchange(near_, nullptr), 1, 0);
    EXPECT_FALSE(bell.expired());
    rousing.ring();
    EXPECT_TRUE(bell.expired());
}

}  // namespace
}  // namespace divisi::hv
