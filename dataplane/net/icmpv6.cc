#include "dataplane/net/icmpv6.h"

#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"

namespace slipway::net {
namespace {

constexpr std::uint8_t kNextHeaderIcmp6 = 58;
constexpr std::uint8_t kHopLimit = 255;       // RFC 4861 6.1: anything less came from off the link.
constexpr std::uint8_t kClientHopLimit = 64;  // what we advertise: RFC 4861 6.2.1's common default
constexpr std::uint8_t kOptionSourceMac = 1;
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

void WriteNoRouter(WireWriter& writer, MacAddress source_mac) noexcept {
  writer.U8(kIcmp6RouterAdvertisement);
  writer.U8(0);
  writer.U16(0);  // checksum
  writer.U8(kClientHopLimit);
  writer.U8(0);   // M = O = 0
  writer.U16(0);  // router lifetime: not a default router
  writer.U32(0);  // reachable time: unspecified
  writer.U32(0);  // retransmission timer: unspecified
  writer.U8(kOptionSourceMac);
  writer.U8(1);
  writer.Bytes(std::as_bytes(std::span(source_mac.octets)));
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
      MacAddress mac;
      WireReader(value).Copy(std::as_writable_bytes(std::span(mac.octets)));
      solicitation.source_mac = mac;
    }
  }));
  return solicitation;
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
  WriteNoRouter(writer, source_mac);
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, kNoRouterBytes);
  }
  return writer.size();
}

Result<std::size_t> BuildNoRouterFrame(MutableByteSpan out, MacAddress source_mac,
                                       const Ipv6Address& source, MacAddress destination_mac,
                                       const Ipv6Address& destination) noexcept {
  WireWriter writer(out);
  writer.Bytes(std::as_bytes(std::span(destination_mac.octets)));
  writer.Bytes(std::as_bytes(std::span(source_mac.octets)));
  writer.U16(kEtherTypeIpv6);
  writer.U32(0x6000'0000);
  writer.U16(kNoRouterBytes);
  writer.U8(kNextHeaderIcmp6);
  writer.U8(kHopLimit);
  writer.Bytes(std::as_bytes(std::span(source.octets)));
  writer.Bytes(std::as_bytes(std::span(destination.octets)));
  const std::size_t at = writer.size();
  WriteNoRouter(writer, source_mac);
  if (!writer.ok()) {
    return Fail(ErrorCode::kTooLarge, kNoRouterFrameBytes);
  }
  // RFC 8200 8.1: the pseudo-header is part of the sum.
  Checksum sum;
  sum.Add(std::as_bytes(std::span(source.octets)));
  sum.Add(std::as_bytes(std::span(destination.octets)));
  sum.AddU32(kNoRouterBytes);
  sum.AddU32(kNextHeaderIcmp6);
  sum.Add(writer.written().subspan(at));
  writer.PatchU16(at + 2, sum.Finish());
  return writer.size();
}

MacAddress MulticastMac(const Ipv6Address& group) noexcept {
  return {{0x33, 0x33, group.octets[12], group.octets[13], group.octets[14], group.octets[15]}};
}

}  // namespace slipway::net
