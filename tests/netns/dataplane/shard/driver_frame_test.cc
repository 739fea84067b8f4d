#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "dataplane/base/cursor.h"
#include "tests/netns/dataplane/shard/driver_fixture.h"

namespace slipway::shard {

namespace {

std::uint16_t InternetChecksum(ByteSpan bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum >> 16 != 0) {
    sum = (sum & 0xFFFF) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

// Ethernet, IPv4 (RFC 791 3.1) and UDP (RFC 768, checksum 0: none) around `payload`.
std::vector<std::byte> UdpFrame(MacAddress to, Ipv4Address source, const LocalEnd& destination,
                                ByteSpan payload) {
  std::vector<std::byte> frame(14 + 20 + 8 + payload.size());
  WireWriter writer(frame);
  for (const std::uint8_t octet : to.octets) {
    writer.U8(octet);
  }
  writer.Fill(6, std::byte{2});
  writer.U16(ETHERTYPE_IP);
  writer.U16(0x4500);
  writer.U16(static_cast<std::uint16_t>(20 + 8 + payload.size()));
  writer.U32(0);
  writer.U16(0x4011);
  writer.U16(0);
  writer.U32(source.value);
  writer.U32(destination.address.v4().value);
  writer.U16(67);
  writer.U16(destination.port);
  writer.U16(static_cast<std::uint16_t>(8 + payload.size()));
  writer.U16(0);
  writer.Bytes(payload);
  EXPECT_TRUE(writer.ok());
  writer.PatchU16(24, InternetChecksum(ByteSpan(frame).subspan(14, 20)));
  return frame;
}

// A router solicitation from the unspecified address (RFC 4861 4.1).
std::vector<std::byte> SolicitationFrame(std::uint8_t hop_limit) {
  std::vector<std::byte> frame(14 + 40 + 8);
  WireWriter writer(frame);
  for (const int octet : {0x33, 0x33, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2}) {
    writer.U8(static_cast<std::uint8_t>(octet));
  }
  writer.U16(ETHERTYPE_IPV6);
  writer.U32(0x6000'0000);
  writer.U16(8);
  writer.U8(58);
  writer.U8(hop_limit);
  writer.Fill(16);
  writer.U16(0xFF02);
  writer.Fill(13);
  writer.U8(2);
  writer.U8(133);
  writer.Fill(7);
  EXPECT_TRUE(writer.ok());
  // The pseudo-header: addresses, length 8, next header 58 (RFC 8200 8.1).
  writer.PatchU16(14 + 40 + 2, InternetChecksum(ByteSpan(frame).subspan(14 + 8), 8 + 58));
  return frame;
}

class Veth {
 public:
  Veth() {
    up = RunProgram({"ip", "link", "add", "sw-a", "type", "veth", "peer", "name", "sw-b"}) == 0 &&
         RunProgram({"ip", "link", "set", "sw-a", "up"}) == 0 &&
         RunProgram({"ip", "link", "set", "sw-b", "up"}) == 0 &&
         RunProgram({"ip", "addr", "add", "192.0.2.1/24", "dev", "sw-b"}) == 0;
  }

  ~Veth() { (void)RunProgram({"ip", "link", "del", "sw-a"}); }

  bool up = false;
};

TEST_P(DriverTest, SendsRawFramesOnLoopback) {
  auto raw = OpenRawTransmit();
  if (!raw) {
    SLIP_SKIP_OR_FAIL("no packet socket: CAP_NET_RAW is missing");
  }
  const auto driver = MakeDriver();
  const auto port = driver->AddRaw(raw->Release());
  ASSERT_TRUE(port);
  const Client client{Ipv4Address{}};
  const auto payload = Pattern(300, 1);
  // A frame from 127.0.0.1 would be a martian: it did not come by the kernel's own loopback route.
  const LocalEnd everybody{.address = Ipv4Address{0xFFFF'FFFF}, .port = client.end().port};
  const auto frame = UdpFrame(kBroadcastMac, Ipv4Address{}, everybody, payload);
  Outgoing out;
  out.data = frame;
  out.ifindex = ::if_nametoindex("lo");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(driver->Send(*port, out));
  }
  Turns(*driver, 1);
  for (int i = 0; i < 100; ++i) {
    const auto received = client.Receive();
    ASSERT_TRUE(received.ok);
    EXPECT_EQ(received.data, payload);
    EXPECT_EQ(received.from.port, 67);
  }
  EXPECT_EQ(driver->counters().packets_sent.value(), 100U);
  Outgoing runt = out;
  runt.data = out.data.first(13);
  EXPECT_FALSE(driver->Send(*port, runt));
  Outgoing nowhere = out;
  nowhere.ifindex = 0;
  EXPECT_FALSE(driver->Send(*port, nowhere));
}

TEST_P(DriverTest, VethCarriesRawFramesAndBroadcasts) {
  if (!HasOwnNamespace()) {
    SLIP_SKIP_OR_FAIL("no network namespace of its own");
  }
  const Veth veth;
  if (!veth.up) {
    SLIP_SKIP_OR_FAIL("no veth, or no ip program");
  }
  const auto driver = MakeDriver();
  auto raw = OpenRawTransmit();
  ASSERT_TRUE(raw);
  const auto port = driver->AddRaw(raw->Release());
  ASSERT_TRUE(port);
  RecordingHandler handler;
  LocalEnd server;
  (void)AddUdp(*driver, &handler, server,
               {.bind = Ipv4Address{}, .device = "sw-b", .broadcast = true});
  // As a DHCP client without an address does it.
  const auto payload = Pattern(300, 1);
  const LocalEnd everybody{.address = Ipv4Address{0xFFFF'FFFF}, .port = server.port};
  const auto frame = UdpFrame(kBroadcastMac, Ipv4Address{}, everybody, payload);
  Outgoing out;
  out.data = frame;
  out.ifindex = ::if_nametoindex("sw-a");
  ASSERT_TRUE(driver->Send(*port, out));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return !handler.packets.empty(); }));
  EXPECT_EQ(handler.packets[0].data, payload);
  EXPECT_EQ(handler.packets[0].destination, everybody.address);
  EXPECT_EQ(handler.packets[0].source, IpAddress(Ipv4Address{}));
  EXPECT_EQ(handler.packets[0].source_port, 67);
  EXPECT_EQ(handler.packets[0].ifindex, ::if_nametoindex("sw-b"));
}

TEST_P(DriverTest, VethCarriesRouterSolicitations) {
  if (!HasOwnNamespace()) {
    SLIP_SKIP_OR_FAIL("no network namespace of its own");
  }
  const Veth veth;
  auto icmp = OpenRawIcmpv6();
  if (!veth.up || !icmp) {
    SLIP_SKIP_OR_FAIL("no veth, no ip program, or no IPv6");
  }
  const std::uint32_t receiver = ::if_nametoindex("sw-b");
  ASSERT_TRUE(JoinAllRouters(icmp->get(), receiver));
  ASSERT_TRUE(JoinAllRouters(icmp->get(), receiver));
  const auto driver = MakeDriver();
  RecordingHandler handler;
  ASSERT_TRUE(driver->AddUdp(icmp->Release(), &handler));
  auto raw = OpenRawTransmit();
  ASSERT_TRUE(raw);
  const auto port = driver->AddRaw(raw->Release());
  ASSERT_TRUE(port);
  const auto forwarded = SolicitationFrame(64);
  const auto direct = SolicitationFrame(255);
  Outgoing out;
  out.ifindex = ::if_nametoindex("sw-a");
  out.data = forwarded;
  ASSERT_TRUE(driver->Send(*port, out));
  out.data = direct;
  ASSERT_TRUE(driver->Send(*port, out));
  ASSERT_TRUE(TurnUntil(*driver, [&] { return !handler.packets.empty(); }));
  Turns(*driver, 3);
  // The kernel of the namespace may solicit too: what counts is that each is one.
  std::size_t ours = 0;
  for (const SeenPacket& packet : handler.packets) {
    ASSERT_GE(packet.data.size(), 8U);
    EXPECT_EQ(packet.data[0], std::byte{133});
    ours += packet.source == IpAddress(Ipv6Address{}) ? 1U : 0U;
    EXPECT_EQ(packet.ifindex, receiver);
  }
  EXPECT_EQ(ours, 1U);
}

}  // namespace
}  // namespace slipway::shard
