// The mailbox against a queue in one thread, and under two threads: nothing is lost, doubled or out
// of order, and a reader that sleeps until it is woken sees everything.
#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <thread>

#include "dataplane/base/random.h"
#include "dataplane/shard/mailbox.h"
#include "tests/property/dataplane/shard/seed.h"

namespace slipway::shard {

namespace {

TEST(MailboxPropertyTest, AgreesWithAQueue) {
  SeededRandom random(Seed());
  const auto mailbox = Mailbox<std::uint64_t>::Create(8);
  ASSERT_TRUE(mailbox);
  std::deque<std::uint64_t> model;
  std::uint64_t refused = 0;
  for (int step = 0; step < 100'000; ++step) {
    if (random.Below(3) != 0) {
      std::uint64_t value = random.U64();
      const std::uint64_t copy = value;
      if ((*mailbox)->Push(value)) {
        model.push_back(copy);
      } else {
        ++refused;
      }
      ASSERT_LE(model.size(), 8U);
    } else {
      const std::size_t wanted = random.Below(10);
      std::size_t got = 0;
      (void)(*mailbox)->Drain(wanted, [&](std::uint64_t& value) {
        ++got;
        ASSERT_FALSE(model.empty());
        ASSERT_EQ(value, model.front());
        model.pop_front();
      });
      ASSERT_TRUE(got == wanted || model.empty());
    }
    ASSERT_EQ((*mailbox)->room(), 8 - model.size());
  }
  EXPECT_EQ((*mailbox)->refused(), refused);
  EXPECT_GT(refused, 0U);
}

TEST(MailboxPropertyTest, SleepingReaderMissesNothing) {
  const std::uint64_t seed = Seed();
  const auto mailbox = Mailbox<std::uint64_t>::Create(16);
  ASSERT_TRUE(mailbox);
  constexpr std::uint64_t kMessages = 200'000;
  std::thread producer([&] {
    SeededRandom random(seed);
    std::uint64_t next = 0;
    while (next < kMessages) {
      const std::uint64_t batch = 1 + random.Below(20);
      for (std::uint64_t i = 0; i < batch && next < kMessages; ++i) {
        std::uint64_t value = next;
        if (!(*mailbox)->Push(value)) {
          break;
        }
        ++next;
      }
      (*mailbox)->Notify();
    }
  });
  SeededRandom random(seed + 1);
  std::uint64_t expected = 0;
  while (expected < kMessages) {
    pollfd state{.fd = (*mailbox)->wake_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&state, 1, 10'000), 1) << "a wake-up was lost at " << expected;
    (void)(*mailbox)->Drain(1 + random.Below(20), [&](std::uint64_t& value) {
      ASSERT_EQ(value, expected);
      ++expected;
    });
  }
  producer.join();
}

}  // namespace
}  // namespace slipway::shard
