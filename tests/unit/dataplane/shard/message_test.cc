#include "dataplane/shard/message.h"

#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <netinet/udp.h>

#include <cstring>
#include <vector>

namespace slipway::shard {

namespace {

// Control data as the kernel lays it out.
template <typename T>
void Append(std::vector<std::byte>& control, int level, int type, const T& value) {
  const std::size_t at = control.size();
  control.resize(at + CMSG_SPACE(sizeof(T)));
  cmsghdr item{};
  item.cmsg_len = CMSG_LEN(sizeof(T));
  item.cmsg_level = level;
  item.cmsg_type = type;
  std::memcpy(control.data() + at, &item, sizeof(item));
  std::memcpy(control.data() + at + CMSG_LEN(0), &value, sizeof(T));
}

Outgoing ToIpv4(ByteSpan data) {
  Outgoing out;
  out.data = data;
  out.destination = Ipv4Address{0xC000'0201};
  out.destination_port = 68;
  return out;
}

TEST(MessageTest, DecodesNamePacketInfoAndDrops) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_port = htons(68);
  from.sin_addr.s_addr = htonl(0xC000'0205);
  in_pktinfo info{};
  info.ipi_ifindex = 7;
  info.ipi_addr.s_addr = htonl(0xFFFF'FFFF);
  std::vector<std::byte> control;
  Append(control, SOL_SOCKET, SO_RXQ_OVFL, std::uint32_t{42});
  Append(control, IPPROTO_IP, IP_PKTINFO, info);
  Packet packet;
  std::uint32_t drops = 0;
  DecodeEnvelope(std::as_bytes(std::span(&from, 1)), control, packet, drops);
  EXPECT_EQ(packet.source, IpAddress(Ipv4Address{0xC000'0205}));
  EXPECT_EQ(packet.source_port, 68);
  EXPECT_EQ(packet.destination, IpAddress(Ipv4Address{0xFFFF'FFFF}));
  EXPECT_EQ(packet.ifindex, 7U);
  EXPECT_EQ(drops, 42U);
}

TEST(MessageTest, StopsAtBrokenControlData) {
  std::vector<std::byte> control;
  Append(control, SOL_SOCKET, SO_RXQ_OVFL, std::uint32_t{42});
  for (std::size_t bytes = 0; bytes <= control.size(); ++bytes) {
    Packet packet;
    std::uint32_t drops = 0;
    DecodeEnvelope({}, std::span(control).first(bytes), packet, drops);
    EXPECT_EQ(drops, bytes >= CMSG_LEN(sizeof(std::uint32_t)) ? 42U : 0U) << bytes;
  }
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{15}, std::size_t{1000}, SIZE_MAX, SIZE_MAX - 7}) {
    std::memcpy(control.data(), &length, sizeof(length));
    Packet packet;
    std::uint32_t drops = 0;
    DecodeEnvelope({}, control, packet, drops);
    EXPECT_EQ(drops, 0U);
  }
}

TEST(MessageTest, EncodesWhatItDecodes) {
  const std::vector<std::byte> data(10);
  for (const bool v4 : {true, false}) {
    Outgoing out = ToIpv4(data);
    out.ifindex = 5;
    out.source = Ipv4Address{0xC000'0202};
    if (!v4) {
      out.destination = *Ipv6Address::Parse("fe80::1");
      out.source = *Ipv6Address::Parse("fe80::2");
    }
    TxEnvelope envelope{};
    msghdr header{};
    ASSERT_TRUE(EncodeEnvelope(v4 ? AF_INET : AF_INET6, out, envelope, {}, header));
    EXPECT_EQ(header.msg_iovlen, 1U);
    EXPECT_EQ(header.msg_iov[0].iov_len, data.size());
    Packet packet;
    std::uint32_t drops = 0;
    DecodeEnvelope({static_cast<std::byte*>(header.msg_name), header.msg_namelen},
                   {static_cast<std::byte*>(header.msg_control), header.msg_controllen}, packet,
                   drops);
    EXPECT_EQ(packet.source, out.destination);
    EXPECT_EQ(packet.source_port, 68);
    EXPECT_EQ(packet.ifindex, 5U);
    if (!v4) {
      EXPECT_EQ(packet.destination, out.source);
    }
  }
}

TEST(MessageTest, LeavesControlDataOutWhereNoneIsNeeded) {
  const std::vector<std::byte> data(10);
  TxEnvelope envelope{};
  msghdr header{};
  ASSERT_TRUE(EncodeEnvelope(AF_INET, ToIpv4(data), envelope, {}, header));
  EXPECT_EQ(header.msg_controllen, 0U);
  Outgoing out = ToIpv4(data);
  out.segment_bytes = 512;
  out.ifindex = 1;
  ASSERT_TRUE(EncodeEnvelope(AF_INET, out, envelope, {}, header));
  EXPECT_EQ(header.msg_controllen, CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(2));
}

TEST(MessageTest, RefusesTheWrongFamily) {
  const std::vector<std::byte> data(10);
  TxEnvelope envelope{};
  msghdr header{};
  Outgoing out = ToIpv4(data);
  EXPECT_FALSE(EncodeEnvelope(AF_INET6, out, envelope, {}, header));
  EXPECT_FALSE(EncodeEnvelope(AF_UNIX, out, envelope, {}, header));
  out.source = *Ipv6Address::Parse("::1");
  EXPECT_FALSE(EncodeEnvelope(AF_INET, out, envelope, {}, header));
}

TEST(MessageTest, FramesNeedAnInterfaceAndAHeader) {
  const std::vector<std::byte> frame(14);
  TxEnvelope envelope{};
  msghdr header{};
  Outgoing out;
  out.data = frame;
  EXPECT_FALSE(EncodeEnvelope(AF_PACKET, out, envelope, {}, header));
  out.ifindex = 2;
  EXPECT_TRUE(EncodeEnvelope(AF_PACKET, out, envelope, {}, header));
  EXPECT_EQ(header.msg_namelen, sizeof(sockaddr_ll));
  out.data = ByteSpan(frame).first(13);
  EXPECT_FALSE(EncodeEnvelope(AF_PACKET, out, envelope, {}, header));
}

}  // namespace
}  // namespace slipway::shard
