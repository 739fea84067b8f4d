#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

#include "dataplane/shard/limits.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

[[nodiscard]] bool SetLoopbackMtu(int bytes) {
  const OwnedFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_mtu = bytes;
  return fd.valid() && ::ioctl(fd.get(), SIOCSIFMTU, &request) == 0;
}

class SilentHandler final : public PacketHandler {
 public:
  void OnPackets(PortId /*port*/, std::span<Packet> /*packets*/, Instant /*now*/) override {}
};

TEST_P(DriverTest, SendsFromItsOwnBuffers) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  const auto data = Pattern(1000, 1);
  const MutableByteSpan buffer = driver->AllocateTx();
  ASSERT_EQ(buffer.size(), kTxBufferBytes);
  std::copy(data.begin(), data.end(), buffer.begin());
  Outgoing out;
  out.data = buffer.first(data.size());
  out.destination = client.end().address;
  out.destination_port = client.end().port;
  ASSERT_TRUE(driver->Send(port, out));
  Turns(*driver, 1);
  EXPECT_EQ(client.Receive().data, data);
  EXPECT_EQ(driver->counters().packets_sent.value(), 1U);
}

TEST_P(DriverTest, GathersPartsAndCutsThemIntoDatagrams) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  // As a TFTP window: header and block, eight times, the last block short.
  constexpr std::size_t kBlock = 508;
  std::array<std::array<std::byte, 4>, 8> headers{};
  const auto file = Pattern(kBlock * 7 + 100, 1);
  std::vector<ByteSpan> parts;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    headers[i] = {std::byte{0}, std::byte{3}, std::byte{0}, static_cast<std::byte>(i + 1)};
    if (i > 0) {
      parts.push_back(headers[i]);
    }
    parts.push_back(ByteSpan(file).subspan(i * kBlock, std::min(kBlock, file.size() - i * kBlock)));
  }
  Outgoing out;
  out.data = headers[0];
  out.parts = parts;
  out.destination = client.end().address;
  out.destination_port = client.end().port;
  out.segment_bytes = kBlock + 4;
  ASSERT_TRUE(driver->Send(port, out));
  Turns(*driver, 1);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto received = client.Receive();
    ASSERT_TRUE(received.ok);
    ASSERT_EQ(received.data.size(), i < 7 ? kBlock + 4 : 104);
    EXPECT_EQ(received.data[3], headers[i][3]);
    EXPECT_TRUE(std::equal(received.data.begin() + 4, received.data.end(),
                           file.begin() + static_cast<std::ptrdiff_t>(i * kBlock)));
  }
  EXPECT_EQ(driver->counters().send_errors.value(), 0U);
}

TEST_P(DriverTest, JoinedDatagramsArriveOneByOne) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  // Two runs of one size, one of which is longer than a joint may be.
  std::vector<std::vector<std::byte>> sent;
  for (std::uint32_t i = 0; i < kTxJoinMax + 8; ++i) {
    sent.push_back(Pattern(300, i));
  }
  for (std::uint8_t i = 0; i < 5; ++i) {
    sent.push_back(Pattern(301, i));
  }
  for (const auto& data : sent) {
    Outgoing out;
    out.data = data;
    out.destination = client.end().address;
    out.destination_port = client.end().port;
    out.join = true;
    ASSERT_TRUE(driver->Send(port, out));
  }
  Turns(*driver, 2);
  for (const auto& data : sent) {
    EXPECT_EQ(client.Receive().data, data);
  }
  EXPECT_FALSE(client.TryReceive().ok);
  EXPECT_EQ(driver->counters().packets_sent.value(), sent.size());
  EXPECT_EQ(driver->counters().sends_joined.value(), sent.size() - 3);
  EXPECT_EQ(driver->counters().sends_apart.value(), 0U);
}

TEST_P(DriverTest, JoinedDatagramsThatCannotPassTogetherGoApart) {
  ASSERT_TRUE(SetLoopbackMtu(1280));
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  // Larger than the MTU: fragments are allowed, segments are not.
  const auto data = Pattern(1500, 1);
  Outgoing out;
  out.data = data;
  out.destination = client.end().address;
  out.destination_port = client.end().port;
  out.join = true;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(driver->Send(port, out));
    }
    Turns(*driver, 2);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(client.Receive().data, data);
    }
  }
  EXPECT_FALSE(client.TryReceive().ok);
  EXPECT_EQ(driver->counters().packets_sent.value(), 8U);
  EXPECT_EQ(driver->counters().send_errors.value(), 0U);
  // Tried once, and then left.
  EXPECT_EQ(driver->counters().sends_apart.value(), 4U);
  ASSERT_TRUE(SetLoopbackMtu(65'536));
}

TEST_P(DriverTest, RefusesMorePartsThanItCanGather) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const auto data = Pattern(10, 1);
  const std::vector<ByteSpan> parts(kGatherPartsMax + 1, ByteSpan(data));
  Outgoing out;
  out.data = data;
  out.parts = parts;
  out.destination = kLoopback;
  out.destination_port = 9;
  EXPECT_FALSE(driver->Send(port, out));
  out.parts = std::span(parts).first(kGatherPartsMax);
  EXPECT_TRUE(driver->Send(port, out));
  Turns(*driver, 1);
  EXPECT_EQ(driver->counters().send_errors.value(), 1U);
}

TEST_P(DriverTest, SurvivesSendsThatTheKernelRefuses) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  const auto data = Pattern(10, 1);
  Outgoing good;
  good.data = data;
  good.destination = client.end().address;
  good.destination_port = client.end().port;
  Outgoing bad = good;
  bad.destination = Ipv4Address{0xFFFF'FFFF};  // no SO_BROADCAST
  Outgoing wrong_family = good;
  wrong_family.destination = Ipv6Address{};
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(driver->Send(port, good));
    EXPECT_TRUE(driver->Send(port, bad));
    EXPECT_FALSE(driver->Send(port, wrong_family));
  }
  Turns(*driver, 2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(client.Receive().data, data);
  }
  EXPECT_FALSE(client.TryReceive().ok);
  EXPECT_EQ(driver->counters().packets_sent.value(), 10U);
  EXPECT_EQ(driver->counters().send_errors.value(), 20U);
}

TEST_P(DriverTest, GoesOnAfterSendingToAClosedPort) {
  const auto driver = MakeDriver();
  EchoHandler echo(*driver);
  LocalEnd server;
  const PortId port = AddUdp(*driver, &echo, server);
  const Client client;
  LocalEnd gone;
  {
    const Client short_lived;
    gone = short_lived.end();
  }
  const auto data = Pattern(10, 1);
  Outgoing out;
  out.data = data;
  out.destination = gone.address;
  out.destination_port = gone.port;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(driver->Send(port, out));
  }
  Turns(*driver, 3);
  client.Send(server, data);
  Client::Received reply;
  ASSERT_TRUE(TurnUntil(*driver, [&] { return (reply = client.TryReceive()).ok; }));
  EXPECT_EQ(reply.data, data);
}

TEST_P(DriverTest, FullQueueRefusesAndCounts) {
  const auto driver = MakeDriver();
  SilentHandler silent;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &silent, server);
  const Client client;
  const auto data = Pattern(10, 1);
  Outgoing out;
  out.data = data;
  out.destination = client.end().address;
  out.destination_port = client.end().port;
  std::uint32_t accepted = 0;
  for (std::uint32_t i = 0; i < kTxQueueMax + 10; ++i) {
    accepted += driver->Send(port, out) ? 1U : 0U;
  }
  EXPECT_EQ(accepted, kTxQueueMax);
  EXPECT_EQ(driver->counters().send_dropped.value(), 10U);
  std::uint32_t buffers = 0;
  while (!driver->AllocateTx().empty()) {
    ++buffers;
  }
  EXPECT_EQ(buffers, kTxBuffersMax);
  Turns(*driver, 2);
  EXPECT_EQ(driver->counters().packets_sent.value(), kTxQueueMax);
  std::uint32_t received = 0;
  while (client.TryReceive().ok) {
    ++received;
  }
  EXPECT_EQ(received, kTxQueueMax);
  EXPECT_TRUE(driver->Send(port, out));
  EXPECT_FALSE(driver->AllocateTx().empty());
}

}  // namespace
}  // namespace slipway::shard
