#include "dataplane/shard/tx_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace slipway::shard {

namespace {

TEST(TxQueueTest, KeepsOrderAndCountsBytes) {
  TxQueue queue;
  const std::array<std::byte, 5> data{};
  const std::array<ByteSpan, 2> parts{ByteSpan(data), ByteSpan(data).first(2)};
  Outgoing out;
  out.data = data;
  out.destination = Ipv4Address{1};
  EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
  out.parts = parts;
  EXPECT_EQ(queue.Push(4, AF_INET, out), TxQueue::Pushed::kQueued);
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.fd(0), 3);
  EXPECT_EQ(queue.fd(1), 4);
  EXPECT_EQ(queue.bytes(), 5U + 5 + 5 + 2);
  EXPECT_EQ(queue.messages()[1].msg_hdr.msg_iovlen, 3U);
  queue.Clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(TxQueueTest, RefusesWhatDoesNotEncodeWithoutTakingAPlace) {
  TxQueue queue;
  Outgoing out;
  out.destination = Ipv6Address{};
  EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kInvalid);
  EXPECT_TRUE(queue.empty());
}

TEST(TxQueueTest, BuffersAreFreeAgainAfterClear) {
  TxQueue queue;
  const MutableByteSpan first = queue.AllocateBuffer();
  EXPECT_EQ(first.size(), kTxBufferBytes);
  for (std::uint32_t i = 1; i < kTxBuffersMax; ++i) {
    EXPECT_FALSE(queue.AllocateBuffer().empty());
  }
  EXPECT_TRUE(queue.AllocateBuffer().empty());
  queue.Clear();
  EXPECT_EQ(queue.AllocateBuffer().data(), first.data());
}

TEST(TxQueueTest, GathersAreBounded) {
  TxQueue queue;
  const std::array<std::byte, 5> data{};
  const std::array<ByteSpan, 1> parts{ByteSpan(data)};
  Outgoing out;
  out.data = data;
  out.parts = parts;
  out.destination = Ipv4Address{1};
  for (std::uint32_t i = 0; i < kTxGathersMax; ++i) {
    EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
  }
  EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kFull);
  out.parts = {};
  EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
}

}  // namespace
}  // namespace slipway::shard
