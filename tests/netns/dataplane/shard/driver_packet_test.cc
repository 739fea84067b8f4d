#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "dataplane/shard/limits.h"
#include "dataplane/shard/seal.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

TEST_P(DriverTest, EchoesTenThousandPacketsUnchanged) {
  const auto driver = MakeDriver();
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server);
  const Client client;
  constexpr std::uint32_t kPackets = 10'000;
  constexpr std::uint32_t kWindow = 100;
  for (std::uint32_t first = 0; first < kPackets; first += kWindow) {
    for (std::uint32_t i = first; i < first + kWindow; ++i) {
      client.Send(server, Pattern(4 + i % 1400, i));
    }
    std::uint32_t received = 0;
    ASSERT_TRUE(TurnUntil(*driver,
                          [&] {
                            for (auto reply = client.TryReceive(); reply.ok;
                                 reply = client.TryReceive()) {
                              const std::uint32_t index = first + received;
                              EXPECT_EQ(reply.data, Pattern(4 + index % 1400, index)) << index;
                              EXPECT_EQ(reply.from.port, server.port);
                              ++received;
                            }
                            return received == kWindow;
                          }))
        << "after " << first + received;
  }
  EXPECT_EQ(driver->counters().packets_received.value(), kPackets);
  EXPECT_EQ(driver->counters().packets_sent.value(), kPackets);
  EXPECT_EQ(driver->counters().bytes_received.value(), driver->counters().bytes_sent.value());
  EXPECT_EQ(driver->counters().send_errors.value(), 0U);
  EXPECT_EQ(driver->counters().send_dropped.value(), 0U);
  EXPECT_EQ(driver->counters().kernel_drops.value(), 0U);
}

TEST_P(DriverTest, ReportsBothEndsOfAnIpv4Packet) {
  const auto driver = MakeDriver();
  RecordingHandler handler;
  LocalEnd server;
  const PortId port = AddUdp(*driver, &handler, server, {.bind = Ipv4Address{}});
  const Ipv4Address to{0x7F00'0002};
  const Client client(Ipv4Address{0x7F00'0003});
  client.Send({.address = to, .port = server.port}, Pattern(64, 1));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return !handler.packets.empty(); }));
  const SeenPacket& packet = handler.packets[0];
  EXPECT_EQ(packet.port, port);
  EXPECT_EQ(packet.source, IpAddress(Ipv4Address{0x7F00'0003}));
  EXPECT_EQ(packet.source_port, client.end().port);
  EXPECT_EQ(packet.destination, IpAddress(to));
  EXPECT_EQ(packet.ifindex, 1U);
  EXPECT_FALSE(packet.truncated);
}

TEST_P(DriverTest, ReportsBothEndsOfAnIpv6Packet) {
  const auto driver = MakeDriver();
  EchoHandler echo(*driver);
  RecordingHandler handler;
  const auto any = Ipv6Address::Parse("::");
  const auto loopback = Ipv6Address::Parse("::1");
  ASSERT_TRUE(any && loopback);
  if (!OpenUdp({.bind = *loopback})) {
    SLIP_SKIP_OR_FAIL("no IPv6 here");
  }
  LocalEnd server;
  LocalEnd echo_server;
  (void)AddUdp(*driver, &handler, server, {.bind = *any});
  (void)AddUdp(*driver, &echo, echo_server, {.bind = *any});
  const Client client(*loopback);
  client.Send({.address = *loopback, .port = server.port}, Pattern(64, 1));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return !handler.packets.empty(); }));
  EXPECT_EQ(handler.packets[0].source, IpAddress(*loopback));
  EXPECT_EQ(handler.packets[0].source_port, client.end().port);
  EXPECT_EQ(handler.packets[0].destination, IpAddress(*loopback));
  EXPECT_EQ(handler.packets[0].ifindex, 1U);
  client.Send({.address = *loopback, .port = echo_server.port}, Pattern(64, 2));
  Client::Received reply;
  ASSERT_TRUE(TurnUntil(*driver, [&] { return (reply = client.TryReceive()).ok; }));
  EXPECT_EQ(reply.data, Pattern(64, 2));
  EXPECT_EQ(reply.from.address, IpAddress(*loopback));
}

TEST_P(DriverTest, RepliesFromTheAddressThatWasAsked) {
  const auto driver = MakeDriver();
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server, {.bind = Ipv4Address{}});
  const Client client;
  const IpAddress asked = Ipv4Address{0x7F01'0203};
  client.Send({.address = asked, .port = server.port}, Pattern(10, 1));
  Client::Received reply;
  ASSERT_TRUE(TurnUntil(*driver, [&] { return (reply = client.TryReceive()).ok; }));
  EXPECT_EQ(reply.from.address, asked);
}

TEST_P(DriverTest, FlagsDatagramsThatDoNotFit) {
  const auto driver = MakeDriver();
  RecordingHandler handler;
  LocalEnd server;
  (void)AddUdp(*driver, &handler, server);
  const Client client;
  client.Send(server, Pattern(limits::kPacketBytesMax, 1));
  client.Send(server, Pattern(limits::kPacketBytesMax + 1, 2));
  client.Send(server, Pattern(20'000, 3));
  client.Send(server, Pattern(100, 4));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.packets.size() == 4; }));
  EXPECT_FALSE(handler.packets[0].truncated);
  EXPECT_TRUE(handler.packets[1].truncated);
  EXPECT_TRUE(handler.packets[2].truncated);
  EXPECT_FALSE(handler.packets[3].truncated);
  auto cut = Pattern(20'000, 3);
  cut.resize(limits::kPacketBytesMax);
  EXPECT_EQ(handler.packets[0].data, Pattern(limits::kPacketBytesMax, 1));
  EXPECT_EQ(handler.packets[2].data, cut);
  EXPECT_EQ(driver->counters().truncated.value(), 2U);
}

TEST_P(DriverTest, DeliversEmptyDatagrams) {
  const auto driver = MakeDriver();
  RecordingHandler handler;
  LocalEnd server;
  (void)AddUdp(*driver, &handler, server);
  const Client client;
  for (std::uint32_t i = 0; i < 10; ++i) {
    client.Send(server, {});
    client.Send(server, Pattern(8, i));
  }
  ASSERT_TRUE(TurnUntil(*driver, [&] { return handler.packets.size() == 20; }));
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(handler.packets[2 * i].data.empty());
    EXPECT_EQ(handler.packets[2 * i + 1].data, Pattern(8, i));
  }
}

TEST_P(DriverTest, BurstBeyondTheBuffersWaitsInTheSocket) {
  const auto driver = MakeDriver(64);
  RecordingHandler handler;
  LocalEnd server;
  (void)AddUdp(*driver, &handler, server);
  const Client client;
  constexpr std::uint32_t kBurst = 3000;
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    client.Send(server, Pattern(16, i));
  }
  std::size_t before = 0;
  ASSERT_TRUE(TurnUntil(*driver, [&] {
    EXPECT_LE(handler.packets.size() - before, limits::kCompletionsPerTurnMax);
    before = handler.packets.size();
    return before == kBurst;
  })) << handler.packets.size();
  EXPECT_LE(handler.batch_max, limits::kPacketBatchMax);
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    ASSERT_EQ(handler.packets[i].data, Pattern(16, i)) << i;
  }
  EXPECT_EQ(driver->counters().kernel_drops.value(), 0U);
}

TEST_P(DriverTest, EchoesABurstBeyondTheBuffers) {
  const auto driver = MakeDriver(64);
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server);
  const Client client;
  constexpr std::uint32_t kBurst = 2000;
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    client.Send(server, Pattern(16, i));
  }
  std::uint32_t received = 0;
  ASSERT_TRUE(TurnUntil(*driver, [&] {
    for (auto reply = client.TryReceive(); reply.ok; reply = client.TryReceive()) {
      EXPECT_EQ(reply.data, Pattern(16, received)) << received;
      ++received;
    }
    return received == kBurst;
  })) << received;
  EXPECT_EQ(echo.refused, 0U);
  EXPECT_LT(driver->counters().turns.value(), 3 * kBurst / 64 + 20) << "it spun";
}

TEST_P(DriverTest, FloodedPortDoesNotStarveAnother) {
  const auto driver = MakeDriver(64);
  RecordingHandler flooded;
  RecordingHandler quiet;
  LocalEnd flooded_end;
  LocalEnd quiet_end;
  (void)AddUdp(*driver, &flooded, flooded_end);
  (void)AddUdp(*driver, &quiet, quiet_end);
  Turns(*driver, 1);
  const Client client;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    client.Send(flooded_end, Pattern(16, i));
  }
  client.Send(quiet_end, Pattern(16, 1));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return !quiet.packets.empty(); }));
  EXPECT_LT(flooded.packets.size(), 2000U);
  ASSERT_TRUE(TurnUntil(*driver, [&] { return flooded.packets.size() == 4000; }));
}

TEST_P(DriverTest, BuffersAreBackWhenItIsQuiet) {
  const auto driver = MakeDriver(128);
  const std::uint64_t all = driver->counters().rx_buffers_free.value();
  EXPECT_GE(all, 64U);
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server);
  const Client client;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    client.Send(server, Pattern(i % 7 == 0 ? 0 : 3000 % (i + 1), i));
  }
  ASSERT_TRUE(TurnUntil(*driver, [&] { return driver->counters().packets_sent.value() == 1000; }));
  Turns(*driver, 3);
  EXPECT_EQ(driver->counters().rx_buffers_free.value(), all);
}

TEST_P(DriverTest, CountsWhatTheKernelDropped) {
  const auto driver = MakeDriver();
  RecordingHandler handler;
  LocalEnd server;
  (void)AddUdp(*driver, &handler, server, {.bind = kLoopback, .receive_buffer_bytes = 8192});
  const Client client;
  constexpr std::uint64_t kSent = 200;
  for (std::uint32_t i = 0; i < kSent; ++i) {
    client.Send(server, Pattern(500, i));
  }
  const auto& counters = driver->counters();
  // A datagram carries the count of those lost before it: one more tells of the last.
  ASSERT_TRUE(TurnUntil(*driver, [&] { return counters.packets_received.value() > 0; }));
  Turns(*driver, 3);
  client.Send(server, Pattern(500, 0));
  ASSERT_TRUE(TurnUntil(
      *driver,
      [&] {
        return counters.packets_received.value() + counters.kernel_drops.value() == kSent + 1;
      }))
      << counters.packets_received.value() << " + " << counters.kernel_drops.value();
  EXPECT_GT(counters.kernel_drops.value(), 0U);
}

TEST_P(DriverTest, TakesNoMemoryOnceItRuns) {
  ASSERT_TRUE(SealIsHooked());
  const auto driver = MakeDriver(128);
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server);
  const Client client;
  const auto data = Pattern(300, 1);
  std::uint64_t allocations = 0;
  std::uint64_t turns = 0;
  for (std::uint32_t round = 0; round < 20; ++round) {
    for (std::uint32_t i = 0; i < 200; ++i) {
      client.Send(server, data);
    }
    const std::uint64_t before = AllocationsOnThisThread();
    Seal();
    while (driver->counters().packets_sent.value() < (round + 1) * 200 && turns < 10'000) {
      (void)driver->Turn(clock.Now() + Duration::Millis(5));
      ++turns;
    }
    Unseal();
    allocations += AllocationsOnThisThread() - before;
    while (client.TryReceive().ok) {
    }
  }
  EXPECT_EQ(driver->counters().packets_sent.value(), 4000U);
  EXPECT_EQ(allocations, 0U);
  EXPECT_EQ(AllocationsOnSealedShards(), 0U);
}

// Ports are added where the program starts, and the loop runs in another thread.
TEST_P(DriverTest, MayBeSetUpOnAnotherThread) {
  const auto driver = MakeDriver();
  EchoHandler echo(*driver);
  LocalEnd server;
  (void)AddUdp(*driver, &echo, server);
  const Client client;
  std::thread shard([&] {
    EXPECT_TRUE(TurnUntil(*driver, [&] { return driver->counters().packets_sent.value() == 10; }));
  });
  for (std::uint32_t i = 0; i < 10; ++i) {
    client.Send(server, Pattern(50, i));
    EXPECT_EQ(client.Receive().data, Pattern(50, i));
  }
  shard.join();
}

TEST_P(DriverTest, MayEndWithTrafficUnderWay) {
  const Client client;
  for (int i = 0; i < 20; ++i) {
    const auto driver = MakeDriver(64);
    EchoHandler echo(*driver);
    LocalEnd server;
    (void)AddUdp(*driver, &echo, server);
    for (std::uint32_t j = 0; j < 100; ++j) {
      client.Send(server, Pattern(50, j));
    }
    Turns(*driver, i % 4);
  }
}

}  // namespace
}  // namespace slipway::shard
