#include "dataplane/net/icmpv6.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "dataplane/net/checksum.h"

namespace slipway::net {
namespace {

constexpr MacAddress kRackMac{{2, 0, 0, 0, 0, 1}};
constexpr Ipv6Address kRack{{0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFE, 0, 0, 1}};

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(Icmpv6Test, ReadsTheSolicitationOfIpxe) {
  // As in bios-ipxe.pcap: type 133 with the source link-layer address.
  const auto message = Bytes({133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0xE2, 0xFF, 1});
  const Result<RouterSolicitation> solicitation = ParseRouterSolicitation(message, 255);
  ASSERT_TRUE(solicitation.has_value());
  EXPECT_EQ(ToText(*solicitation->source_mac).view(), "52:54:00:e2:ff:01");
}

TEST(Icmpv6Test, RefusesWhatCameFromOffTheLink) {
  const auto message = Bytes({133, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(ParseRouterSolicitation(message, 255).has_value());
  EXPECT_EQ(ParseRouterSolicitation(message, 254).error().code, ErrorCode::kMalformed);
}

TEST(Icmpv6Test, RefusesBrokenSolicitations) {
  EXPECT_EQ(ParseRouterSolicitation(Bytes({133, 0, 0}), 255).error().code, ErrorCode::kTruncated);
  EXPECT_EQ(ParseRouterSolicitation(Bytes({133, 0, 0, 0, 0}), 255).error().code,
            ErrorCode::kTruncated);
  EXPECT_EQ(ParseRouterSolicitation(Bytes({133, 1, 0, 0, 0, 0, 0, 0}), 255).error().code,
            ErrorCode::kMalformed);
  EXPECT_EQ(ParseRouterSolicitation(Bytes({135, 0, 0, 0, 0, 0, 0, 0}), 255).error().code,
            ErrorCode::kUnsupported);
  // An option of length 0 (RFC 4861 6.1.1) and one that is longer than the message.
  EXPECT_FALSE(ParseRouterSolicitation(Bytes({133, 0, 0, 0, 0, 0, 0, 0, 1, 0}), 255).has_value());
  EXPECT_FALSE(
      ParseRouterSolicitation(Bytes({133, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0}), 255).has_value());
}

TEST(Icmpv6Test, AdvertisesThatNoRouterIsHere) {
  std::array<std::byte, kNoRouterBytes> out{};
  ASSERT_EQ(BuildNoRouter(out, kRackMac).value_or(0), out.size());
  const Result<RouterAdvertisement> read = ParseRouterAdvertisement(out, 255);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->router_lifetime_s, 0);
  EXPECT_FALSE(read->managed);
  EXPECT_FALSE(read->other);
  EXPECT_FALSE(read->has_prefix);
  EXPECT_EQ(BuildNoRouter(std::span(out).first(20), kRackMac).error().code, ErrorCode::kTooLarge);
}

TEST(Icmpv6Test, FramesTheAdvertisementWithAChecksum) {
  std::array<std::byte, kNoRouterFrameBytes> out{};
  ASSERT_EQ(
      BuildNoRouterFrame(out, kRackMac, kRack, MulticastMac(kAllNodes), kAllNodes).value_or(0),
      out.size());
  Checksum sum;
  sum.Add(std::span(out).subspan(14 + 8, 32));
  sum.AddU32(kNoRouterBytes);
  sum.AddU32(58);
  sum.Add(std::span(out).subspan(14 + kIpv6HeaderBytes));
  EXPECT_EQ(sum.Finish(), 0);
  EXPECT_EQ(out[14 + 7], std::byte{255});
  EXPECT_EQ(out[0], std::byte{0x33});
  EXPECT_EQ(out[5], std::byte{0x01});
}

// RFC 4861 4.2, 4.6.2, 4.6.4; RFC 8106 5.1.
TEST(Icmpv6Test, AdvertisesInFull) {
  const std::array prefixes{*IpPrefix::Parse("2001:db8:77::5/64")};
  const std::array<IpAddress, 2> servers{*IpAddress::Parse("10.0.0.1"),
                                         *IpAddress::Parse("2001:db8:77::1")};
  const FullAdvertisement advertisement{.source_mac = kRackMac,
                                        .router_lifetime_s = 1800,
                                        .mtu = 9000,
                                        .prefixes = prefixes,
                                        .dns_servers = servers};
  std::array<std::byte, 256> out{};
  const Result<std::size_t> size =
      BuildFullFrame(out, advertisement, kRack, MulticastMac(kAllNodes), kAllNodes);
  constexpr std::size_t kMessage = 16 + 8 + 8 + 32 + 24;
  ASSERT_EQ(size.value_or(0), 14 + kIpv6HeaderBytes + kMessage);
  const ByteSpan message = ByteSpan(out).subspan(14 + kIpv6HeaderBytes, kMessage);
  Checksum sum;
  sum.Add(ByteSpan(out).subspan(14 + 8, 32));
  sum.AddU32(kMessage);
  sum.AddU32(58);
  sum.Add(message);
  EXPECT_EQ(sum.Finish(), 0);
  const Result<RouterAdvertisement> read = ParseRouterAdvertisement(message, 255);
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->managed);
  EXPECT_TRUE(read->other);
  EXPECT_TRUE(read->has_prefix);
  EXPECT_EQ(read->router_lifetime_s, 1800);
  const auto options = Bytes({5, 1, 0, 0, 0, 0, 0x23, 0x28, 3, 4, 64, 0x80});
  EXPECT_TRUE(std::ranges::equal(message.subspan(24, options.size()), options));
  const auto prefix = Bytes({0x20, 1, 0x0D, 0xB8, 0, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(std::ranges::equal(message.subspan(48, 16), prefix));
  const auto dns = Bytes({25, 3, 0, 0, 0, 0, 7, 8, 0x20, 1, 0x0D, 0xB8, 0, 0x77});
  EXPECT_TRUE(std::ranges::equal(message.subspan(64, dns.size()), dns));
  for (std::size_t room = 0; room < *size; ++room) {
    EXPECT_FALSE(BuildFullFrame(std::span(out).first(room), advertisement, kRack,
                                MulticastMac(kAllNodes), kAllNodes)
                     .has_value());
  }
}

TEST(Icmpv6Test, AsksANeighbour) {
  const Ipv6Address target = Ipv6Address::Parse("2001:db8:77::1:cafe").value();
  std::array<std::byte, 128> out{};
  constexpr std::size_t kMessage = 24 + 8;
  const Result<std::size_t> size = BuildNeighbourSolicitation(out, kRackMac, kRack, target);
  ASSERT_EQ(size.value_or(0), 14 + kIpv6HeaderBytes + kMessage);
  // To ff02::1:ff01:cafe and its Ethernet group.
  EXPECT_TRUE(std::ranges::equal(ByteSpan(out).first(6), Bytes({0x33, 0x33, 0xFF, 1, 0xCA, 0xFE})));
  EXPECT_TRUE(
      std::ranges::equal(ByteSpan(out).subspan(14 + 24, 16),
                         Bytes({0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 1, 0xCA, 0xFE})));
  const ByteSpan message = ByteSpan(out).subspan(14 + kIpv6HeaderBytes, kMessage);
  EXPECT_EQ(message[0], std::byte{135});
  EXPECT_TRUE(std::ranges::equal(message.subspan(8, 16), std::as_bytes(std::span(target.octets))));
  Checksum sum;
  sum.Add(ByteSpan(out).subspan(14 + 8, 32));
  sum.AddU32(kMessage);
  sum.AddU32(58);
  sum.Add(message);
  EXPECT_EQ(sum.Finish(), 0);
  for (std::size_t room = 0; room < *size; ++room) {
    EXPECT_FALSE(BuildNeighbourSolicitation(std::span(out).first(room), kRackMac, kRack, target)
                     .has_value());
  }
}

TEST(Icmpv6Test, ReadsANeighboursAnswer) {
  auto message = Bytes({136, 0, 0, 0, 0x60, 0, 0, 0, 0x20, 1, 0x0D, 0xB8, 0, 0x77, 0, 0,
                        0,   0, 0, 0, 0,    0, 0, 5, 2,    1, 0x52, 0x54, 0, 0,    0, 9});
  const Result<NeighbourAdvertisement> read = ParseNeighbourAdvertisement(message, 255);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->target, Ipv6Address::Parse("2001:db8:77::5").value());
  EXPECT_EQ(read->target_mac, (MacAddress{{0x52, 0x54, 0, 0, 0, 9}}));
  EXPECT_FALSE(ParseNeighbourAdvertisement(message, 64).has_value());
  for (std::size_t size = 0; size < message.size(); ++size) {
    const auto cut = ParseNeighbourAdvertisement(ByteSpan(message).first(size), 255);
    EXPECT_TRUE(!cut || (size == 24 && !cut->target_mac)) << size;
  }
  message[8] = std::byte{0xFF};
  EXPECT_FALSE(ParseNeighbourAdvertisement(message, 255).has_value());
}

TEST(Icmpv6Test, ReadsAForeignRouter) {
  const auto message =
      Bytes({134, 0, 0, 0, 64, 0xC0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0});
  const Result<RouterAdvertisement> read = ParseRouterAdvertisement(message, 255);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->router_lifetime_s, 1800);
  EXPECT_TRUE(read->managed);
  EXPECT_TRUE(read->other);
  EXPECT_TRUE(read->has_prefix);
}

}  // namespace
}  // namespace slipway::net
