#include "dataplane/net/icmpv6.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"

namespace slipway::net {
namespace {

constexpr std::uint8_t kNextHeaderIcmp6 = 58;
constexpr std::uint8_t kHopLimit = 255;       // RFC 4861 6.1: anything less came from off the link.
constexpr std::uint8_t kClientHopLimit = 64;  // what we advertise: RFC 4861 6.2.1's common default
constexpr std::uint8_t kOptionSourceMac = 1;
constexpr std::uint8_t kOptionTargetMac = 2;
constexpr std::uint8_t kOptionPrefix = 3;
constexpr std::size_t kOptionsMax = 32;

// Header checks that both messages share. Leaves the reader after type, code and checksum.
Result<void> ReadHeader(WireReader& reader, std::uint8_t type, std::uint8_t hop_limit) noexcept {
  const std::uint8_t seen = reader.U8();
  const std::uint8_t code = reader.U8();
  (void)reader.U16();
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, 0);
  }
  if (seen != type) {
    return Fail(ErrorCode::kUnsupported, seen);
  }
  if (code != 0 || hop_limit != kHopLimit) {
    return Fail(ErrorCode::kMalformed, 1);
  }
  return {};
}

// Calls `visit(type, value)` for each option. RFC 4861 6.1: a length of 0 spoils the message.
template <typename Visit>
Result<void> ReadOptions(WireReader& reader, Visit visit) noexcept {
  for (std::size_t i = 0; i < kOptionsMax && reader.left() > 0; ++i) {
    const std::uint8_t type = reader.U8();
    const std::uint8_t words = reader.U8();
    if (!reader.ok() || words == 0) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(reader.offset()));
    }
    const ByteSpan value = reader.Bytes(std::size_t{words} * 8 - 2);
    if (!reader.ok()) {
      return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(reader.offset()));
    }
    visit(type, value);
  }
  return {};
}

constexpr std::uint8_t kOptionMtu = 5;
constexpr std::uint8_t kOptionDnsServers = 25;  // RFC 8106 5.1
constexpr std::uint8_t kFlagManaged = 0x80;
constexpr std::uint8_t kFlagOther = 0x40;
constexpr std::uint8_t kPrefixOnLink = 0x80;

// RFC 4861 4.6.2.
void WritePrefix(WireWriter& writer, const IpPrefix& prefix) noexcept {
  const IpPrefix network = prefix.Network();
  writer.U8(kOptionPrefix);
  writer.U8(4);
  writer.U8(network.bits);
  writer.U8(kPrefixOnLink);
  writer.U32(kPrefixValidSeconds);
  writer.U32(kPrefixPreferredSeconds);
  writer.U32(0);
  writer.Bytes(std::as_bytes(std::span(network.address.v6().octets)));
}

void WriteDnsServers(WireWriter& writer, std::span<const IpAddress> servers) noexcept {
  std::uint8_t count = 0;
  for (const IpAddress& server : servers) {
    count = static_cast<std::uint8_t>(count + (server.is_v4() ? 0 : 1));
  }
  if (count == 0) {
    return;
  }
  writer.U8(kOptionDnsServers);
  writer.U8(static_cast<std::uint8_t>(1 + 2 * count));
  writer.U16(0);
  writer.U32(kDnsLifetimeSeconds);
  for (const IpAddress& server : servers) {
    if (!server.is_v4()) {
      writer.Bytes(std::as_bytes(std::span(server.v6().octets)));
    }
  }
}

void WriteSourceMac(WireWriter& writer, MacAddress mac) noexcept {
  writer.U8(kOptionSourceMac);
  writer.U8(1);
  writer.Bytes(std::as_bytes(std::span(mac.octets)));
}

void WriteAdvertisement(WireWriter& writer, const FullAdvertisement& advertisement) noexcept {
  const int flags =
      (advertisement.managed ? kFlagManaged : 0) | (advertisement.other ? kFlagOther : 0);
  writer.U8(kIcmp6RouterAdvertisement);
  writer.U8(0);
  writer.U16(0);  // checksum
  writer.U8(kClientHopLimit);
  writer.U8(static_cast<std::uint8_t>(flags));
  writer.U16(advertisement.router_lifetime_s);
  writer.U32(0);  // reachable time: unspecified
  writer.U32(0);  // retransmission timer: unspecified
  WriteSourceMac(writer, advertisement.source_mac);
  if (advertisement.mtu != 0) {
    writer.U8(kOptionMtu);
    writer.U8(1);
    writer.U16(0);
    writer.U32(advertisement.mtu);
  }
  for (const IpPrefix& prefix : advertisement.prefixes) {
    WritePrefix(writer, prefix);
  }
  WriteDnsServers(writer, advertisement.dns_servers);
}

// REQUIRES: six bytes.
MacAddress ReadMac(ByteSpan value) noexcept {
  MacAddress mac;
  WireReader(value).Copy(std::as_writable_bytes(std::span(mac.octets)));
  return mac;
}

struct FrameFrom {
  MacAddress source_mac;
  const Ipv6Address& source;
};

struct FrameTo {
  MacAddress mac;
  const Ipv6Address& address;
};

// A whole frame around the message that `write` writes with a checksum of 0.
template <typename Write>
Result<std::size_t> BuildFrame(MutableByteSpan out, const FrameFrom& from, const FrameTo& to,
                               Write write) noexcept {
  WireWriter writer(out);
  writer.Bytes(std::as_bytes(std::span(to.mac.octets)));
  writer.Bytes(std::as_bytes(std::span(from.source_mac.octets)));
  writer.U16(kEtherTypeIpv6);
  writer.U32(0x6000'0000);
  const std::size_t length_at = writer.size();
  writer.U16(0);
  writer.U8(kNextHeaderIcmp6);
  writer.U8(kHopLimit);
  writer.Bytes(std::as_bytes(std::span(from.source.octets)));
  writer.Bytes(std::as_bytes(std::span(to.address.octets)));
  const std::size_t at = writer.size();
  write(writer);
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(out.size()));
  }
  const auto bytes = static_cast<std::uint16_t>(writer.size() - at);
  writer.PatchU16(length_at, bytes);
  // RFC 8200 8.1: the pseudo-header is part of the sum.
  Checksum sum;
  sum.Add(std::as_bytes(std::span(from.source.octets)));
  sum.Add(std::as_bytes(std::span(to.address.octets)));
  sum.AddU32(bytes);
  sum.AddU32(kNextHeaderIcmp6);
  sum.Add(writer.written().subspan(at));
  writer.PatchU16(at + 2, sum.Finish());
  return writer.size();
}

// Not a default router, nothing by DHCPv6, no prefix.
FullAdvertisement NoRouter(MacAddress source_mac) noexcept {
  return {.source_mac = source_mac,
          .managed = false,
          .other = false,
          .prefixes = {},
          .dns_servers = {}};
}

}  // namespace

Result<RouterSolicitation> ParseRouterSolicitation(ByteSpan message,
                                                   std::uint8_t hop_limit) noexcept {
  WireReader reader(message);
  SLIP_TRY(ReadHeader(reader, kIcmp6RouterSolicitation, hop_limit));
  reader.Skip(4);
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(message.size()));
  }
  RouterSolicitation solicitation;
  SLIP_TRY(ReadOptions(reader, [&](std::uint8_t type, ByteSpan value) {
    if (type == kOptionSourceMac && value.size() == 6) {
      solicitation.source_mac = ReadMac(value);
    }
  }));
  return solicitation;
}

// RFC 4861 7.1.2.
Result<NeighbourAdvertisement> ParseNeighbourAdvertisement(ByteSpan message,
                                                           std::uint8_t hop_limit) noexcept {
  WireReader reader(message);
  SLIP_TRY(ReadHeader(reader, kIcmp6NeighbourAdvertisement, hop_limit));
  reader.Skip(4);  // flags
  NeighbourAdvertisement advertisement;
  reader.Copy(std::as_writable_bytes(std::span(advertisement.target.octets)));
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(message.size()));
  }
  if (advertisement.target.is_multicast()) {
    return Fail(ErrorCode::kMalformed, 8);
  }
  SLIP_TRY(ReadOptions(reader, [&](std::uint8_t type, ByteSpan value) {
    if (type == kOptionTargetMac && value.size() == 6) {
      advertisement.target_mac = ReadMac(value);
    }
  }));
  return advertisement;
}

Result<std::size_t> BuildNeighbourSolicitation(MutableByteSpan out, MacAddress source_mac,
                                               const Ipv6Address& source,
                                               const Ipv6Address& target) noexcept {
  // RFC 4291 2.7.1: the solicited-node group.
  const auto& t = target.octets;
  const Ipv6Address group{{0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, t[13], t[14], t[15]}};
  return BuildFrame(out, {.source_mac = source_mac, .source = source},
                    {.mac = MulticastMac(group), .address = group}, [&](WireWriter& writer) {
                      writer.U8(kIcmp6NeighbourSolicitation);
                      writer.U8(0);
                      writer.U16(0);  // checksum
                      writer.U32(0);
                      writer.Bytes(std::as_bytes(std::span(target.octets)));
                      WriteSourceMac(writer, source_mac);
                    });
}

Result<RouterAdvertisement> ParseRouterAdvertisement(ByteSpan message,
                                                     std::uint8_t hop_limit) noexcept {
  WireReader reader(message);
  SLIP_TRY(ReadHeader(reader, kIcmp6RouterAdvertisement, hop_limit));
  RouterAdvertisement advertisement;
  advertisement.hop_limit = reader.U8();
  const std::uint8_t flags = reader.U8();
  advertisement.managed = (flags & 0x80) != 0;
  advertisement.other = (flags & 0x40) != 0;
  advertisement.router_lifetime_s = reader.U16();
  reader.Skip(8);
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated, static_cast<std::uint32_t>(message.size()));
  }
  SLIP_TRY(ReadOptions(reader, [&](std::uint8_t type, ByteSpan) {
    advertisement.has_prefix = advertisement.has_prefix || type == kOptionPrefix;
  }));
  return advertisement;
}

Result<std::size_t> BuildNoRouter(MutableByteSpan out, MacAddress source_mac) noexcept {
  WireWriter writer(out);
  WriteAdvertisement(writer, NoRouter(source_mac));
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, kNoRouterBytes);
  }
  return writer.size();
}

Result<std::size_t> BuildNoRouterFrame(MutableByteSpan out, MacAddress source_mac,
                                       const Ipv6Address& source, MacAddress destination_mac,
                                       const Ipv6Address& destination) noexcept {
  return BuildFullFrame(out, NoRouter(source_mac), source, destination_mac, destination);
}

Result<std::size_t> BuildFullFrame(MutableByteSpan out, const FullAdvertisement& advertisement,
                                   const Ipv6Address& source, MacAddress destination_mac,
                                   const Ipv6Address& destination) noexcept {
  return BuildFrame(out, {.source_mac = advertisement.source_mac, .source = source},
                    {.mac = destination_mac, .address = destination},
                    [&](WireWriter& writer) { WriteAdvertisement(writer, advertisement); });
}

MacAddress MulticastMac(const Ipv6Address& group) noexcept {
  return {{0x33, 0x33, group.octets[12], group.octets[13], group.octets[14], group.octets[15]}};
}

}  // namespace slipway::net
