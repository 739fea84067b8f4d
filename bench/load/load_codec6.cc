// DHCPv6 through a relay. Clients have a DUID-LL and a link-local address made of their MAC, as
// firmware has.
//
//   0  relay-forward: type, hops, link-address, peer-address   34  relay message option
//   38 type, transaction id   42 client id, a DUID-LL (4 + 10)   56 IA_NA (4 + 12, and 4 + 24 of an
//   address where one is asked for)   then option request, elapsed time, server id
#include "bench/load/load_codec6.h"

#include <algorithm>
#include <array>

#include "dataplane/dhcp/message6.h"

namespace slipway::bench {

namespace {

constexpr std::size_t kRelayHeaderBytes = 2 + 16 + 16;
constexpr std::size_t kPeerMacAt = 2 + 16 + 13;  // the last three octets
constexpr std::size_t kMessageAt = kRelayHeaderBytes + 4;
constexpr std::size_t kDuidAt = kMessageAt + 4 + 4;
constexpr std::size_t kDuidBytes = 2 + 2 + 6;
constexpr std::size_t kIaAt = kDuidAt + kDuidBytes;
constexpr std::size_t kIaFixedBytes = 4 + 4 + 4;
constexpr std::size_t kAddressAt = kIaAt + 4 + kIaFixedBytes + 4;
constexpr std::uint16_t kEthernet = 1;
constexpr std::uint32_t kXidMask = 0xFF'FFFF;

using dhcp::MessageType6;
using dhcp::Option6;

// RFC 4291 appendix A.
[[nodiscard]] Ipv6Address LinkLocalOf(MacAddress mac) {
  const auto& m = mac.octets;
  return {{0xFE, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xFF,
           0xFE, m[3], m[4], m[5]}};
}

[[nodiscard]] MessageType6 TypeOf(LoadPacket kind) {
  switch (kind) {
    case LoadPacket::kDiscover:
      return MessageType6::kSolicit;
    case LoadPacket::kRequest:
      return MessageType6::kRequest;
    case LoadPacket::kRenew:
      break;
  }
  return MessageType6::kRenew;
}

// The option of that code in a run of them; empty if it is not there.
[[nodiscard]] ByteSpan FindOption(ByteSpan options, Option6 wanted) {
  WireReader reader(options);
  while (reader.left() >= 4) {
    const auto code = static_cast<Option6>(reader.U16());
    const ByteSpan value = reader.Bytes(reader.U16());
    if (code == wanted) {
      return value;
    }
  }
  return {};
}

}  // namespace

std::size_t LoadCodec6::Make(LoadPacket kind, ByteSpan server, MutableByteSpan out) const {
  const MacAddress mac = LoadMac(0);
  dhcp::Writer6 writer(out, dhcp::kMessage6BytesMax);
  writer.RelayForward({.link = kRelayAddress6, .peer = LinkLocalOf(mac)});
  writer.Header(TypeOf(kind), 0);
  writer.Begin(Option6::kClientId);
  writer.RawU16(dhcp::kDuidLinkLayer);
  writer.RawU16(kEthernet);
  writer.Raw(std::as_bytes(std::span(mac.octets)));
  writer.End();
  writer.Begin(Option6::kIaNa);
  writer.RawU32(1);
  writer.RawU32(0);
  writer.RawU32(0);
  if (kind != LoadPacket::kDiscover) {
    writer.Begin(Option6::kIaAddress);
    writer.Raw(std::array<std::byte, 16 + 4 + 4>{});
    writer.End();
  }
  writer.End();
  writer.Begin(Option6::kOptionRequest);
  writer.RawU16(static_cast<std::uint16_t>(Option6::kDnsServers));
  writer.RawU16(static_cast<std::uint16_t>(Option6::kDomainList));
  writer.End();
  writer.U16(Option6::kElapsedTime, 0);
  if (kind != LoadPacket::kDiscover) {
    writer.Bytes(Option6::kServerId, server);
  }
  return writer.Finish().value_or(0);
}

void LoadCodec6::Patch(LoadPacket kind, std::byte* packet, std::uint32_t client,
                       const IpAddress& address) const {
  const auto mac = static_cast<std::uint32_t>(LoadMac(client).ToU64());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto octet = static_cast<std::byte>(mac >> (8 * (2 - i)));
    packet[kPeerMacAt + i] = octet;
    packet[kDuidAt + kDuidBytes - 3 + i] = octet;
  }
  const auto type = static_cast<std::uint32_t>(TypeOf(kind));
  StoreBig(packet + kMessageAt, type << 24 | (client & kXidMask));
  if (kind != LoadPacket::kDiscover) {
    std::ranges::copy(std::as_bytes(std::span(address.v6().octets)), packet + kAddressAt);
  }
}

bool LoadCodec6::Read(ByteSpan packet, LoadReply& reply) const {
  if (packet.size() < kRelayHeaderBytes ||
      static_cast<MessageType6>(packet[0]) != MessageType6::kRelayReply) {
    return false;
  }
  const ByteSpan message = FindOption(packet.subspan(kRelayHeaderBytes), Option6::kRelayMessage);
  if (message.size() < 4) {
    return false;
  }
  const auto type = static_cast<MessageType6>(message[0]);
  const ByteSpan options = message.subspan(4);
  const ByteSpan duid = FindOption(options, Option6::kClientId);
  const ByteSpan ia = FindOption(options, Option6::kIaNa);
  if (duid.size() != kDuidBytes || ia.size() < kIaFixedBytes ||
      (type != MessageType6::kAdvertise && type != MessageType6::kReply)) {
    return false;
  }
  reply.answer = type == MessageType6::kAdvertise ? LoadAnswer::kOffer : LoadAnswer::kAck;
  reply.client = LoadBig<std::uint32_t>(message.data()) & kXidMask;
  std::ranges::copy(duid.last(reply.mac.octets.size()),
                    std::as_writable_bytes(std::span(reply.mac.octets)).begin());
  reply.server = FindOption(options, Option6::kServerId);
  const ByteSpan address = FindOption(ia.subspan(kIaFixedBytes), Option6::kIaAddress);
  Ipv6Address given;
  if (address.size() >= given.octets.size() + 8 &&
      LoadBig<std::uint32_t>(&address[given.octets.size() + 4]) > 0) {
    WireReader(address).Copy(std::as_writable_bytes(std::span(given.octets)));
  } else {
    reply.answer = LoadAnswer::kNak;  // a status, or an address that is taken back
  }
  reply.address = given;
  return true;
}

}  // namespace slipway::bench
