#include "dataplane/shard/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <vector>

namespace slipway::shard {

namespace {

bool IsRaised(int fd) {
  pollfd state{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&state, 1, 0) == 1;
}

template <typename T>
std::vector<T> DrainAll(Mailbox<T>& mailbox, std::size_t messages_max = 1000) {
  std::vector<T> out;
  (void)mailbox.Drain(messages_max, [&](T& message) { out.push_back(std::move(message)); });
  return out;
}

TEST(MailboxTest, DeliversInOrder) {
  const auto mailbox = Mailbox<int>::Create(4);
  ASSERT_TRUE(mailbox);
  for (int round = 0; round < 10; ++round) {
    EXPECT_TRUE((*mailbox)->Push(round));
    EXPECT_TRUE((*mailbox)->Push(round + 1));
    EXPECT_TRUE((*mailbox)->Push(round + 2));
    EXPECT_EQ(DrainAll(**mailbox), (std::vector<int>{round, round + 1, round + 2}));
  }
}

TEST(MailboxTest, FullRefusesAndCounts) {
  const auto mailbox = Mailbox<int>::Create(2);
  ASSERT_TRUE(mailbox);
  EXPECT_EQ((*mailbox)->room(), 2U);
  EXPECT_TRUE((*mailbox)->Push(1));
  EXPECT_TRUE((*mailbox)->Push(2));
  EXPECT_FALSE((*mailbox)->Push(3));
  EXPECT_EQ((*mailbox)->refused(), 1U);
  EXPECT_EQ((*mailbox)->room(), 0U);
  EXPECT_EQ(DrainAll(**mailbox, 1), std::vector<int>{1});
  EXPECT_TRUE((*mailbox)->Push(4));
  EXPECT_EQ(DrainAll(**mailbox), (std::vector<int>{2, 4}));
}

TEST(MailboxTest, RefusedMessageStaysWithItsSender) {
  const auto mailbox = Mailbox<std::unique_ptr<int>>::Create(1);
  ASSERT_TRUE(mailbox);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  EXPECT_TRUE((*mailbox)->Push(first));
  EXPECT_EQ(first, nullptr);
  EXPECT_FALSE((*mailbox)->Push(second));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(MailboxTest, NotifyRaisesTheWakeUpUntilDrained) {
  const auto mailbox = Mailbox<int>::Create(8);
  ASSERT_TRUE(mailbox);
  EXPECT_TRUE((*mailbox)->Push(1));
  EXPECT_FALSE(IsRaised((*mailbox)->wake_fd()));
  (*mailbox)->Notify();
  (*mailbox)->Notify();
  EXPECT_TRUE(IsRaised((*mailbox)->wake_fd()));
  EXPECT_EQ(DrainAll(**mailbox).size(), 1U);
  EXPECT_FALSE(IsRaised((*mailbox)->wake_fd()));
  (*mailbox)->Notify();
  EXPECT_TRUE(IsRaised((*mailbox)->wake_fd()));
}

TEST(MailboxTest, PartialDrainLeavesTheWakeUpRaised) {
  const auto mailbox = Mailbox<int>::Create(8);
  ASSERT_TRUE(mailbox);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE((*mailbox)->Push(i));
  }
  (*mailbox)->Notify();
  EXPECT_EQ(DrainAll(**mailbox, 2), (std::vector<int>{0, 1}));
  EXPECT_TRUE(IsRaised((*mailbox)->wake_fd()));
  EXPECT_EQ(DrainAll(**mailbox, 2), std::vector<int>{2});
  EXPECT_FALSE(IsRaised((*mailbox)->wake_fd()));
}

TEST(MailboxTest, HandlerMayMakeTheProducerPushAgain) {
  const auto mailbox = Mailbox<int>::Create(1);
  ASSERT_TRUE(mailbox);
  EXPECT_TRUE((*mailbox)->Push(0));
  EXPECT_EQ((*mailbox)->Drain(10, [&](int& value) { EXPECT_TRUE((*mailbox)->Push(value + 1)); }),
            1U);
  EXPECT_EQ(DrainAll(**mailbox), std::vector<int>{1});
}

TEST(MailboxTest, RefusesOddCapacities) {
  EXPECT_FALSE(Mailbox<int>::Create(0));
  EXPECT_FALSE(Mailbox<int>::Create(3));
  EXPECT_FALSE(Mailbox<int>::Create(std::uint32_t{1} << 31));
  EXPECT_TRUE(Mailbox<int>::Create(1));
}

}  // namespace
}  // namespace slipway::shard
