// DHCPv4: messages through a relay, or frames of clients on the wire.
#include "bench/load/load_codec4.h"

#include <algorithm>
#include <array>

#include "dataplane/dhcp/message.h"
#include "dataplane/net/frame.h"

namespace slipway::bench {

namespace {

// Where the fields are that differ: in the message, and of options in the order they are written.
constexpr std::size_t kXidAt = 4;
constexpr std::size_t kCiaddrAt = 12;
constexpr std::size_t kYiaddrAt = 16;
constexpr std::size_t kGiaddrAt = 24;
constexpr std::size_t kChaddrAt = 28;
constexpr std::size_t kAddressAt = dhcp::kHeaderBytes + 3 + 2;  // after option 53
constexpr std::array<std::uint8_t, 7> kWanted = {1, 3, 6, 12, 15, 28, 42};
// The UDP checksum of a frame may be 0, none (RFC 768), so that it need not be computed anew.
constexpr std::size_t kFrameSourceMacAt = 6;
constexpr std::size_t kFrameUdpChecksumAt = 14 + 20 + 6;

[[nodiscard]] LoadAnswer AnswerOf(ByteSpan value) {
  if (value.size() != 1) {
    return LoadAnswer::kNone;
  }
  switch (static_cast<dhcp::MessageType>(value[0])) {
    case dhcp::MessageType::kOffer:
      return LoadAnswer::kOffer;
    case dhcp::MessageType::kAck:
      return LoadAnswer::kAck;
    case dhcp::MessageType::kNak:
      return LoadAnswer::kNak;
    default:
      return LoadAnswer::kNone;
  }
}

}  // namespace

LoadCodec4::LoadCodec4(bool frames) noexcept
    : frames_(frames), head_bytes_(frames ? net::kUdp4FrameHeaderBytes : 0) {}

std::size_t LoadCodec4::Make(LoadPacket kind, ByteSpan server, MutableByteSpan out) const {
  const MutableByteSpan message = out.subspan(head_bytes_, dhcp::kMessageBytesMin);
  dhcp::Writer writer(message, message.size());
  writer.RequestHeader(0, 0, false, {}, LoadMac(0));
  writer.U8(dhcp::Option::kMessageType,
            static_cast<std::uint8_t>(kind == LoadPacket::kDiscover ? dhcp::MessageType::kDiscover
                                                                    : dhcp::MessageType::kRequest));
  if (kind == LoadPacket::kRequest) {
    writer.Address(dhcp::Option::kRequestedAddress, {1});
    writer.Bytes(dhcp::Option::kServerIdentifier, server);
  }
  writer.Bytes(dhcp::Option::kParameterRequestList, std::as_bytes(std::span(kWanted)));
  writer.U16(dhcp::Option::kMaxMessageSize, 1500);
  const std::size_t bytes = writer.Finish().value_or(0);
  if (!frames_) {
    message[3] = std::byte{1};  // hops
    StoreBig(&message[kGiaddrAt], kRelayAddress.value);
    return bytes;
  }
  const auto frame = net::BuildUdp4Frame(
      out, {.mac = LoadMac(0), .address = {}, .port = dhcp::kClientPort},
      {.mac = kBroadcastMac, .address = {0xFFFF'FFFF}, .port = dhcp::kServerPort},
      message.first(bytes));
  StoreBig<std::uint16_t>(&out[kFrameUdpChecksumAt], 0);
  return frame.value_or(0);
}

void LoadCodec4::Patch(LoadPacket kind, std::byte* packet, std::uint32_t client,
                       const IpAddress& address) const {
  std::byte* const message = packet + head_bytes_;
  const auto mac = static_cast<std::uint32_t>(LoadMac(client).ToU64());
  StoreBig(message + kXidAt, client);
  StoreBig(message + kChaddrAt + 2, mac);
  if (frames_) {
    StoreBig(packet + kFrameSourceMacAt + 2, mac);
  }
  if (kind == LoadPacket::kRequest) {
    StoreBig(message + kAddressAt, address.v4().value);
  } else if (kind == LoadPacket::kRenew) {
    StoreBig(message + kCiaddrAt, address.v4().value);
  }
}

bool LoadCodec4::Read(ByteSpan packet, LoadReply& reply) const {
  if (packet.size() < head_bytes_ + dhcp::kHeaderBytes ||
      std::to_integer<std::uint8_t>(packet[head_bytes_]) != dhcp::kBootReply) {
    return false;
  }
  const ByteSpan message = packet.subspan(head_bytes_);
  reply.client = LoadBig<std::uint32_t>(&message[kXidAt]);
  reply.address = Ipv4Address{LoadBig<std::uint32_t>(&message[kYiaddrAt])};
  std::ranges::copy(message.subspan(kChaddrAt, 6),
                    std::as_writable_bytes(std::span(reply.mac.octets)).begin());
  reply.answer = LoadAnswer::kNone;
  reply.server = {};
  WireReader options(message.subspan(dhcp::kHeaderBytes));
  while (options.left() > 1 && (reply.answer == LoadAnswer::kNone || reply.server.empty())) {
    const std::uint8_t code = options.U8();
    if (code == static_cast<std::uint8_t>(dhcp::Option::kEnd)) {
      break;
    }
    const ByteSpan value = options.Bytes(options.U8());
    if (code == static_cast<std::uint8_t>(dhcp::Option::kMessageType)) {
      reply.answer = AnswerOf(value);
    } else if (code == static_cast<std::uint8_t>(dhcp::Option::kServerIdentifier)) {
      reply.server = value;
    }
  }
  return options.ok() && reply.answer != LoadAnswer::kNone;
}

}  // namespace slipway::bench
