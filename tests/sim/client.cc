#include "tests/sim/client.h"

#include <algorithm>
#include <vector>

#include "tests/sim/dhcp_bytes.h"

namespace slipway::sim {
namespace {

constexpr int kRequestTries = 3;
constexpr Duration kFirstRetry = Duration::Seconds(1);
constexpr Duration kLastRetry = Duration::Seconds(8);
constexpr std::string_view kPxeClass = "PXEClient:Arch:00000:UNDI:002001";
constexpr std::string_view kIpxeClass = "iPXE";
constexpr std::uint8_t kUserClassOption = 77;

}  // namespace

ClientKind KindOf(MacAddress mac) noexcept {
  return static_cast<ClientKind>(mac.octets.back() % 3);
}

boot::Firmware FirmwareOf(MacAddress mac) noexcept {
  const ClientKind kind = KindOf(mac);
  const auto bytes = [](std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  };
  return boot::FirmwareFromOptions(
      {.vendor_class = kind == ClientKind::kPlain ? ByteSpan{} : bytes(kPxeClass),
       .user_class = kind == ClientKind::kIpxe ? bytes(kIpxeClass) : ByteSpan{}});
}

SimClient::SimClient(World* world, Segment* segment, Judge* judge, MacAddress mac)
    : world_(world), segment_(segment), judge_(judge), mac_(mac) {
  segment_->Attach(mac_, this, true);
}

SimClient::~SimClient() { segment_->Detach(mac_); }

void SimClient::Log(std::string_view what) const {
  world_->Log("client " + std::string(ToText(mac_).view()) + " " + std::string(what));
}

Duration SimClient::Jittered(Duration delay) {
  const auto span = static_cast<std::uint64_t>(delay.ns / 4);
  return delay + Duration::Nanos(static_cast<std::int64_t>(world_->random().Below(span + 1)));
}

void SimClient::Arm(Duration delay) {
  world_->After(delay, [this, timer = ++timer_] {
    if (timer == timer_) {
      OnTimer();
    }
  });
}

void SimClient::Enter(State state) {
  state_ = state;
  tries_ = 0;
  xid_ = static_cast<std::uint32_t>(world_->random().U64());
  sent_ = world_->now();
}

void SimClient::Boot(bool keeps_address) {
  told_ = false;
  if (keeps_address && !address_.is_any()) {
    Enter(State::kRebooting);
    SendRequest();
    return;
  }
  Discover();
}

void SimClient::Release() {
  if (!bound()) {
    PowerOff();
    return;
  }
  Log("releases " + std::string(ToText(address_).view()));
  judge_->OnReleased(mac_, address_);
  Enter(State::kOff);
  Send({.type = dhcp::MessageType::kRelease,
        .xid = xid_,
        .mac = mac_,
        .ciaddr = address_,
        .server = server_},
       true);
  address_ = {};
  PowerOff();
}

void SimClient::PowerOff() {
  state_ = State::kOff;
  ++timer_;
}

void SimClient::Discover() {
  Enter(State::kSelecting);
  Send({.type = dhcp::MessageType::kDiscover, .xid = xid_, .mac = mac_}, false);
  Arm(Jittered(kFirstRetry));
}

void SimClient::SendRequest() {
  dhcp::ClientRequest request{.type = dhcp::MessageType::kRequest, .xid = xid_, .mac = mac_};
  switch (state_) {
    case State::kRequesting:
      request.requested = offered_;
      request.server = server_;
      break;
    case State::kRebooting:
      request.requested = address_;
      break;
    default:
      request.ciaddr = address_;
      break;
  }
  judge_->OnRequest(mac_, xid_);
  Send(request, state_ == State::kRenewing);
  Arm(Jittered(kFirstRetry * (1 + tries_)));
}

void SimClient::OnTimer() {
  const Instant now = world_->now();
  ++tries_;
  switch (state_) {
    case State::kOff:
      return;
    case State::kSelecting:
      Send({.type = dhcp::MessageType::kDiscover, .xid = xid_, .mac = mac_}, false);
      Arm(Jittered(std::min(kLastRetry, kFirstRetry * (1LL << std::min(tries_, 3)))));
      return;
    case State::kRequesting:
    case State::kRebooting:
      if (tries_ > kRequestTries) {
        Discover();
      } else {
        SendRequest();
      }
      return;
    case State::kBound:
      Enter(State::kRenewing);
      SendRequest();
      return;
    case State::kRenewing:
    case State::kRebinding:
      if (now >= ends_) {
        Log("lost " + std::string(ToText(address_).view()));
        address_ = {};
        Discover();
        return;
      }
      if (now >= rebinds_ && state_ == State::kRenewing) {
        Enter(State::kRebinding);
      }
      SendRequest();
      return;
  }
}

void SimClient::Send(dhcp::ClientRequest request, bool unicast) {
  const ClientKind kind = KindOf(mac_);
  if (kind != ClientKind::kPlain) {
    request.vendor_class = kPxeClass;
  }
  std::vector<std::byte> message(1500);
  const auto encoded = dhcp::EncodeRequest(message, request);
  SLIP_CHECK(encoded.has_value());
  message.resize(*encoded);
  if (kind == ClientKind::kIpxe) {
    const ByteSpan text = AsBytes(kIpxeClass);
    AddOption(message, kUserClassOption, {text.begin(), text.end()});
  }
  const MacAddress to = unicast ? segment_->MacOf(server_) : MacAddress::FromU64(0xFFFF'FFFF'FFFF);
  const Ipv4Address address = unicast ? server_ : Ipv4Address{0xFFFF'FFFF};
  Frame frame(message.size() + net::kUdp4FrameHeaderBytes);
  const auto built =
      net::BuildUdp4Frame(frame, {.mac = mac_, .address = request.ciaddr, .port = kClientPort},
                          {.mac = to, .address = address, .port = kServerPort}, message);
  SLIP_CHECK(built.has_value());
  segment_->Send(mac_, std::move(frame));
}

void SimClient::OnFrame(const Frame& frame) {
  const auto view = net::ParseUdp4Frame(frame);
  if (!view || view->destination.port != kClientPort || state_ == State::kOff) {
    return;
  }
  const auto reply = dhcp::DecodeReply(view->payload, xid_, mac_);
  if (!reply) {
    return;
  }
  switch (reply->type) {
    case dhcp::MessageType::kOffer:
      OnOffer(*reply);
      break;
    case dhcp::MessageType::kAck:
      OnAck(*reply);
      break;
    case dhcp::MessageType::kNak:
      OnNak(reply->server);
      break;
    default:
      break;
  }
}

void SimClient::OnOffer(const dhcp::ClientLease& offer) {
  if (state_ != State::kSelecting) {
    return;
  }
  offered_ = offer.address;
  server_ = offer.server;
  const std::uint32_t xid = xid_;
  Enter(State::kRequesting);
  xid_ = xid;  // RFC 2131 4.4.1: the same as in the DHCPOFFER
  SendRequest();
}

void SimClient::OnAck(const dhcp::ClientLease& ack) {
  if (state_ == State::kBound || state_ == State::kSelecting) {
    return;
  }
  address_ = ack.address;
  server_ = ack.server;
  renews_ = sent_ + Duration::Seconds(ack.renewal_seconds);
  rebinds_ = sent_ + Duration::Seconds(ack.rebinding_seconds);
  ends_ = sent_ + Duration::Seconds(ack.lease_seconds);
  state_ = State::kBound;
  Log("has " + std::string(ToText(address_).view()));
  segment_->SetAddress(address_, mac_);
  judge_->OnBound(mac_, address_, ends_);
  Arm(std::max(Duration::Millis(1), renews_ - world_->now()));
  if (!told_ && on_bound_) {
    told_ = true;
    on_bound_(*this);
  }
}

void SimClient::OnNak(Ipv4Address server) {
  if (state_ == State::kBound || state_ == State::kSelecting) {
    return;
  }
  const Ipv4Address asked = state_ == State::kRequesting ? offered_ : address_;
  Log("is refused " + std::string(ToText(asked).view()));
  judge_->OnNak(server, mac_, asked);
  address_ = {};
  Enter(State::kSelecting);
  Arm(Jittered(kFirstRetry));
}

}  // namespace slipway::sim
