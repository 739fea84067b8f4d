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

TEST(TxQueueTest, JoinsEqualDatagramsToOnePeer) {
  TxQueue queue;
  const std::array<std::byte, 300> data{};
  Outgoing out;
  out.data = data;
  out.destination = Ipv4Address{1};
  out.destination_port = 67;
  out.join = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
  }
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.datagrams(), 3U);
  EXPECT_TRUE(queue.IsJoint(0));
  EXPECT_EQ(queue.messages()[0].msg_hdr.msg_iovlen, 3U);
  EXPECT_EQ(queue.bytes(), 900U);
  queue.Clear();
  EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
  EXPECT_FALSE(queue.IsJoint(0));
}

TEST(TxQueueTest, JoinsNothingThatDiffersOrDidNotAskForIt) {
  TxQueue queue;
  const std::array<std::byte, 300> data{};
  Outgoing first;
  first.data = data;
  first.destination = Ipv4Address{1};
  first.destination_port = 67;
  first.join = true;
  std::vector<Outgoing> others(6, first);
  others[0].data = ByteSpan(data).first(299);
  others[1].destination = Ipv4Address{2};
  others[2].destination_port = 68;
  others[3].source = Ipv4Address{9};
  others[4].ifindex = 5;
  others[5].join = false;
  for (const Outgoing& other : others) {
    EXPECT_EQ(queue.Push(3, AF_INET, first), TxQueue::Pushed::kQueued);
    EXPECT_EQ(queue.Push(3, AF_INET, other), TxQueue::Pushed::kQueued);
  }
  EXPECT_EQ(queue.Push(4, AF_INET, first), TxQueue::Pushed::kQueued);  // another socket
  EXPECT_EQ(queue.size(), 2 * others.size() + 1);
  EXPECT_EQ(queue.joined(), 0U);
}

TEST(TxQueueTest, JointsAreBoundedInNumberAndBytes) {
  TxQueue queue;
  const std::vector<std::byte> data(2000);
  Outgoing out;
  out.destination = Ipv4Address{1};
  out.join = true;
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{2000}}) {
    out.data = ByteSpan(data).first(bytes);
    for (std::uint32_t i = 0; i < 2 * kTxJoinMax; ++i) {
      EXPECT_EQ(queue.Push(3, AF_INET, out), TxQueue::Pushed::kQueued);
    }
  }
  for (std::uint32_t i = 0; i < queue.size(); ++i) {
    const msghdr& header = queue.messages()[i].msg_hdr;
    EXPECT_LE(header.msg_iovlen, kTxJoinMax);
    EXPECT_LE(header.msg_iovlen * header.msg_iov[0].iov_len, kTxJoinBytesMax);
  }
  EXPECT_EQ(queue.datagrams(), 4 * kTxJoinMax);
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
