#include "dataplane/launcher/dhcp_client.h"

#include <algorithm>
#include <array>
#include <bit>

namespace slipway::launcher {
namespace {

enum Option : std::uint8_t {
  kPad = 0,
  kSubnetMask = 1,
  kRouter = 3,
  kRequestedAddress = 50,
  kLeaseTime = 51,
  kMessageType = 53,
  kServerIdentifier = 54,
  kParameterRequestList = 55,
  kMaximumMessageSize = 57,
  kRenewalTime = 58,
  kRebindingTime = 59,
  kVendorClass = 60,
  kEnd = 255,
};

enum MessageType : std::uint8_t { kDiscover = 1, kOffer = 2, kRequest = 3, kAck = 5, kNak = 6 };

constexpr std::uint32_t kMagicCookie = 0x63825363;
constexpr std::uint16_t kBroadcastFlag = 0x8000;
constexpr std::uint8_t kBootReply = 2;
constexpr std::size_t kHeaderBytes = 236;
constexpr std::size_t kMessageBytesMin = 300;  // RFC 1542 2.1

// RFC 2131 4.1 wants 4 s doubled up to 64 s, with a random second either way. The link is local and
// a person waits: start at 2 s, stop at 16 s.
std::int64_t RetryAfterMs(std::uint32_t tries, std::uint32_t xid) noexcept {
  const std::int64_t base_ms = std::int64_t{2000} << std::min(tries, 3U);
  return base_ms + static_cast<std::int64_t>((xid * (tries + 1)) % 1000) - 500;
}

std::uint32_t NumberOf(ByteSpan value) noexcept {
  return value.size() == 4 ? LoadBig<std::uint32_t>(value.data()) : 0;
}

void AddressOption(WireWriter& writer, Option option, Ipv4Address address) noexcept {
  writer.U8(option);
  writer.U8(4);
  writer.U32(address.value);
}

}  // namespace

struct DhcpClient::Reply {
  std::uint32_t xid = 0;
  MacAddress chaddr;
  Ipv4Address yiaddr;
  std::uint8_t type = 0;
  Ipv4Address server;
  Ipv4Address router;
  std::uint32_t mask = 0xFFFF'FF00;
  std::uint32_t lease_seconds = 0;
  std::uint32_t renewal_seconds = 0;
  std::uint32_t rebinding_seconds = 0;

  // One option; those that we did not ask for are left alone.
  void Take(std::uint8_t option, ByteSpan value) noexcept {
    const std::uint32_t number = NumberOf(value);
    switch (option) {
      case kMessageType:
        type = value.size() == 1 ? std::to_integer<std::uint8_t>(value[0]) : std::uint8_t{0};
        break;
      case kServerIdentifier:
        server.value = number;
        break;
      case kRouter:  // a list: the first is the preferred one
        router.value = value.size() >= 4 ? NumberOf(value.first(4)) : 0;
        break;
      case kSubnetMask:
        mask = number;
        break;
      case kLeaseTime:
        lease_seconds = number;
        break;
      case kRenewalTime:
        renewal_seconds = number;
        break;
      case kRebindingTime:
        rebinding_seconds = number;
        break;
      default:
        break;
    }
  }
};

Result<DhcpClient::Reply> DhcpClient::Decode(ByteSpan packet) {
  WireReader reader(packet);
  Reply reply;
  const std::uint8_t op = reader.U8();
  const std::uint8_t htype = reader.U8();
  const std::uint8_t hlen = reader.U8();
  reader.Skip(1);
  reply.xid = reader.U32();
  reader.Skip(8);  // secs, flags, ciaddr
  reply.yiaddr.value = reader.U32();
  reader.Skip(8);  // siaddr, giaddr
  reader.Copy(std::as_writable_bytes(std::span(reply.chaddr.octets)));
  reader.Skip(kHeaderBytes - 34);
  const std::uint32_t cookie = reader.U32();
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated);
  }
  if (op != kBootReply || htype != 1 || hlen != 6 || cookie != kMagicCookie) {
    return Fail(ErrorCode::kMalformed);
  }
  while (reader.left() > 0) {
    const std::uint8_t option = reader.U8();
    if (option == kEnd) {
      break;
    }
    if (option != kPad) {
      const std::uint8_t length = reader.U8();
      reply.Take(option, reader.Bytes(length));
    }
  }
  if (!reader.ok()) {
    return Fail(ErrorCode::kTruncated);
  }
  return reply;
}

Ipv4Address DhcpClient::destination() const noexcept {
  return state_ == State::kRenewing ? binding_.server : Ipv4Address{0xFFFF'FFFF};
}

std::size_t DhcpClient::Send(std::int64_t now_ms, MutableByteSpan out) {
  const bool bound = state_ == State::kRenewing || state_ == State::kRebinding;
  const std::int64_t waited_s = (now_ms - started_ms_) / 1000;
  WireWriter writer(out);
  writer.U8(1);  // BOOTREQUEST
  writer.U8(1);  // Ethernet
  writer.U8(6);
  writer.U8(0);
  writer.U32(xid_);
  writer.U16(static_cast<std::uint16_t>(std::clamp<std::int64_t>(waited_s, 0, 0xFFFF)));
  // Without an address the kernel would drop a unicast reply before any socket sees it.
  writer.U16(bound ? std::uint16_t{0} : kBroadcastFlag);
  writer.U32(bound ? binding_.address.value : 0);
  writer.Fill(12);  // yiaddr, siaddr, giaddr
  writer.Bytes(std::as_bytes(std::span(mac_.octets)));
  writer.Fill(kHeaderBytes - 34);
  writer.U32(kMagicCookie);
  writer.U8(kMessageType);
  writer.U8(1);
  writer.U8(state_ == State::kSelecting ? kDiscover : kRequest);
  if (state_ == State::kRequesting) {
    AddressOption(writer, kRequestedAddress, binding_.address);
    AddressOption(writer, kServerIdentifier, binding_.server);
  }
  writer.U8(kMaximumMessageSize);
  writer.U8(2);
  writer.U16(1472);
  constexpr std::array<std::uint8_t, 6> kWanted{kSubnetMask,       kRouter,      kLeaseTime,
                                                kServerIdentifier, kRenewalTime, kRebindingTime};
  writer.U8(kParameterRequestList);
  writer.U8(std::uint8_t{kWanted.size()});
  writer.Bytes(std::as_bytes(std::span(kWanted)));
  constexpr std::string_view kClass = "slipway-launcher";
  writer.U8(kVendorClass);
  writer.U8(std::uint8_t{kClass.size()});
  writer.Text(kClass);
  writer.U8(kEnd);
  writer.Fill(kMessageBytesMin - std::min(kMessageBytesMin, writer.size()));
  return writer.ok() ? writer.size() : 0;
}

void DhcpClient::Restart(std::int64_t now_ms) noexcept {
  state_ = State::kSelecting;
  binding_ = {};
  tries_ = 0;
  ++xid_;
  started_ms_ = now_ms;
  deadline_ms_ = now_ms;
}

std::size_t DhcpClient::OnTimer(std::int64_t now_ms, MutableByteSpan out) {
  if (now_ms < deadline_ms_) {
    return 0;
  }
  constexpr std::uint32_t kRequestTriesMax = 3;
  if (state_ == State::kRequesting && tries_ >= kRequestTriesMax) {
    Restart(now_ms);
  }
  if (state_ == State::kBound) {
    state_ = State::kRenewing;
    tries_ = 0;
    ++xid_;
  }
  if (state_ == State::kRenewing && now_ms >= binding_.rebind_at_ms) {
    state_ = State::kRebinding;
    tries_ = 0;
  }
  if (state_ == State::kRebinding && now_ms >= binding_.expires_at_ms) {
    Restart(now_ms);
  }
  const std::size_t size = Send(now_ms, out);
  deadline_ms_ = now_ms + RetryAfterMs(tries_++, xid_);
  return size;
}

Result<std::size_t> DhcpClient::OnOffer(const Reply& reply, std::int64_t now_ms,
                                        MutableByteSpan out) {
  if (state_ != State::kSelecting || reply.yiaddr.is_any() || reply.server.is_any()) {
    return Fail(ErrorCode::kUnsupported);
  }
  binding_.address = reply.yiaddr;
  binding_.server = reply.server;
  state_ = State::kRequesting;
  tries_ = 1;
  deadline_ms_ = now_ms + RetryAfterMs(0, xid_);
  return Send(now_ms, out);
}

Result<std::size_t> DhcpClient::OnAck(const Reply& reply, std::int64_t now_ms) {
  if (reply.lease_seconds == 0 || reply.yiaddr != binding_.address) {
    return Fail(ErrorCode::kMalformed);
  }
  if (!reply.server.is_any()) {
    binding_.server = reply.server;
  }
  binding_.router = reply.router;
  binding_.prefix_bits = static_cast<std::uint8_t>(std::countl_one(reply.mask));
  // RFC 2131 4.4.5: half and seven eighths, unless the server says otherwise.
  const std::int64_t lease_ms = std::int64_t{reply.lease_seconds} * 1000;
  const std::int64_t renew_ms = std::int64_t{reply.renewal_seconds} * 1000;
  const std::int64_t rebind_ms = std::int64_t{reply.rebinding_seconds} * 1000;
  binding_.expires_at_ms = now_ms + lease_ms;
  binding_.rebind_at_ms =
      now_ms + (rebind_ms > 0 && rebind_ms < lease_ms ? rebind_ms : lease_ms * 7 / 8);
  binding_.renew_at_ms = now_ms + (renew_ms > 0 && renew_ms < lease_ms ? renew_ms : lease_ms / 2);
  state_ = State::kBound;
  deadline_ms_ = binding_.renew_at_ms;
  return std::size_t{0};
}

Result<std::size_t> DhcpClient::OnPacket(ByteSpan packet, std::int64_t now_ms,
                                         MutableByteSpan out) {
  const Reply reply = SLIP_TRY(Decode(packet));
  const bool waiting = state_ != State::kBound;
  if (reply.xid != xid_ || reply.chaddr != mac_ || !waiting) {
    return Fail(ErrorCode::kUnsupported);
  }
  if (reply.type == kOffer) {
    return OnOffer(reply, now_ms, out);
  }
  if (state_ == State::kSelecting) {
    return Fail(ErrorCode::kUnsupported);
  }
  if (reply.type == kAck) {
    return OnAck(reply, now_ms);
  }
  if (reply.type == kNak) {
    Restart(now_ms);
    // Not at once: a server that says no to all would be asked without end.
    deadline_ms_ = now_ms + 1000;
    return std::size_t{0};
  }
  return Fail(ErrorCode::kUnsupported);
}

}  // namespace slipway::launcher
