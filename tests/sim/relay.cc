#include "tests/sim/relay.h"

#include <algorithm>
#include <utility>

#include "tests/sim/dhcp_bytes.h"

namespace slipway::sim {
namespace {

constexpr std::uint8_t kRelayInformation = 82;
constexpr std::uint8_t kHopsMax = 16;

}  // namespace

RelayAgent::RelayAgent(Judge* judge, const Side& near, const Side& far,
                       std::vector<Ipv4Address> servers)
    : judge_(judge),
      near_(near),
      far_(far),
      servers_(std::move(servers)),
      near_port_(this, false),
      far_port_(this, true) {
  near_.segment->Attach(near_.mac, &near_port_);
  far_.segment->Attach(far_.mac, &far_port_);
  near_.segment->SetAddress(far_.address, near_.mac);
  near_.segment->SetRouter(near_.mac);
  far_.segment->SetRouter(far_.mac);
}

RelayAgent::~RelayAgent() {
  near_.segment->Detach(near_.mac);
  far_.segment->Detach(far_.mac);
}

void RelayAgent::Port::OnFrame(const Frame& frame) {
  const auto packet = net::ParseUdp4Frame(frame);
  if (!packet) {
    return;
  }
  const Ipv4Address to = packet->destination.address;
  if (is_far_ && to.is_broadcast() && packet->destination.port == kServerPort) {
    relay_->ToServers(packet->payload);
  } else if (!is_far_ && to == relay_->far_.address && packet->destination.port == kServerPort) {
    relay_->ToClient(packet->payload);
  } else if (!to.is_broadcast()) {
    Route(*packet, is_far_ ? relay_->near_ : relay_->far_);
  }
}

void RelayAgent::Emit(const Side& out, const net::Udp4Endpoint& source,
                      const net::Udp4Endpoint& destination, ByteSpan payload) {
  Frame frame(payload.size() + net::kUdp4FrameHeaderBytes);
  const auto built = net::BuildUdp4Frame(frame, source, destination, payload);
  SLIP_CHECK(built.has_value());
  out.segment->Send(out.mac, std::move(frame));
}

void RelayAgent::Route(const net::Udp4View& packet, const Side& out) {
  net::Udp4Endpoint source = packet.source;
  net::Udp4Endpoint destination = packet.destination;
  source.mac = out.mac;
  destination.mac = out.segment->MacOf(destination.address);
  if (destination.mac != out.mac) {
    Emit(out, source, destination, packet.payload);
  }
}

std::vector<std::byte> RelayAgent::Information() const {
  // Circuit id, and a sub-option that nobody knows.
  return {
      std::byte{1},   std::byte{2}, std::byte{0},   static_cast<std::byte>(far_.mac.octets.back()),
      std::byte{200}, std::byte{1}, std::byte{0x5A}};
}

void RelayAgent::ToServers(ByteSpan message) {
  if (message.size() < kOptionsAt || message[kOpAt] != std::byte{1} ||
      std::to_integer<std::uint8_t>(message[kHopsAt]) >= kHopsMax) {
    return;
  }
  std::vector<std::byte> out(message.begin(), message.end());
  out[kHopsAt] = static_cast<std::byte>(std::to_integer<std::uint8_t>(out[kHopsAt]) + 1);
  PutAddress(out, kGiaddrAt, far_.address);
  AddOption(out, kRelayInformation, Information());
  for (const Ipv4Address server : servers_) {
    Emit(near_, {.mac = near_.mac, .address = near_.address, .port = kServerPort},
         {.mac = near_.segment->MacOf(server), .address = server, .port = kServerPort}, out);
  }
}

void RelayAgent::ToClient(ByteSpan message) {
  if (message.size() < kOptionsAt || message[kOpAt] != std::byte{2}) {
    return;
  }
  judge_->Require(OptionOf(message, kRelayInformation) == Information(),
                  "a relay's option 82 came back changed");
  MacAddress client;
  std::copy_n(message.begin() + kChaddrAt, client.octets.size(),
              std::as_writable_bytes(std::span(client.octets)).begin());
  Emit(far_, {.mac = far_.mac, .address = far_.address, .port = kServerPort},
       {.mac = client, .address = Ipv4Address{0xFFFF'FFFF}, .port = kClientPort}, message);
}

}  // namespace slipway::sim
