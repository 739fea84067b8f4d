#include "dataplane/launcher/dhcp_client.h"

#include <algorithm>

namespace slipway::launcher {
namespace {

using dhcp::MessageType;

// RFC 2131 4.1 wants 4 s doubled up to 64 s, with a random second either way. The link is local and
// a person waits: start at 2 s, stop at 16 s.
std::int64_t RetryAfterMs(std::uint32_t tries, std::uint32_t xid) noexcept {
  const std::int64_t base_ms = std::int64_t{2000} << std::min(tries, 3U);
  return base_ms + static_cast<std::int64_t>((xid * (tries + 1)) % 1000) - 500;
}

}  // namespace

Ipv4Address DhcpClient::destination() const noexcept {
  return state_ == State::kRenewing ? binding_.server : Ipv4Address{0xFFFF'FFFF};
}

std::size_t DhcpClient::Send(std::int64_t now_ms, MutableByteSpan out) {
  const bool bound = state_ == State::kRenewing || state_ == State::kRebinding;
  const std::int64_t waited_s = (now_ms - started_ms_) / 1000;
  dhcp::ClientRequest request;
  request.type = state_ == State::kSelecting ? MessageType::kDiscover : MessageType::kRequest;
  request.xid = xid_;
  request.secs = static_cast<std::uint16_t>(std::clamp<std::int64_t>(waited_s, 0, 0xFFFF));
  request.mac = mac_;
  // Without an address the kernel would drop a unicast reply before any socket sees it.
  request.broadcast = !bound;
  if (bound) {
    request.ciaddr = binding_.address;
  }
  if (state_ == State::kRequesting) {
    request.requested = binding_.address;
    request.server = binding_.server;
  }
  return dhcp::EncodeRequest(out, request).value_or(0);
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

Result<std::size_t> DhcpClient::OnOffer(const dhcp::ClientLease& reply, std::int64_t now_ms,
                                        MutableByteSpan out) {
  if (state_ != State::kSelecting) {
    return Fail(ErrorCode::kUnsupported);
  }
  binding_.address = reply.address;
  binding_.server = reply.server;
  state_ = State::kRequesting;
  tries_ = 1;
  deadline_ms_ = now_ms + RetryAfterMs(0, xid_);
  return Send(now_ms, out);
}

Result<std::size_t> DhcpClient::OnAck(const dhcp::ClientLease& reply, std::int64_t now_ms) {
  const std::int64_t lease_ms = std::int64_t{reply.lease_seconds} * 1000;
  const std::int64_t renew_ms = std::int64_t{reply.renewal_seconds} * 1000;
  const std::int64_t rebind_ms = std::int64_t{reply.rebinding_seconds} * 1000;
  if (lease_ms == 0 || reply.address != binding_.address) {
    return Fail(ErrorCode::kMalformed);
  }
  binding_.server = reply.server;
  binding_.router = reply.router;
  binding_.prefix_bits = reply.prefix_bits;
  // RFC 2131 4.4.5: half and seven eighths, where the server's own times make no sense.
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
  const dhcp::ClientLease reply = SLIP_TRY(dhcp::DecodeReply(packet, xid_, mac_));
  if (reply.type == MessageType::kOffer) {
    return OnOffer(reply, now_ms, out);
  }
  if (state_ == State::kSelecting || state_ == State::kBound) {
    return Fail(ErrorCode::kUnsupported);
  }
  if (reply.type == MessageType::kAck) {
    return OnAck(reply, now_ms);
  }
  Restart(now_ms);
  // Not at once: a server that says no to all would be asked without end.
  deadline_ms_ = now_ms + 1000;
  return std::size_t{0};
}

}  // namespace slipway::launcher
