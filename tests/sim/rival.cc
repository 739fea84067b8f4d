#include "tests/sim/rival.h"

#include <utility>

#include "tests/sim/dhcp_bytes.h"

namespace slipway::sim {
namespace {

constexpr std::uint8_t kMaskOption = 1;
constexpr std::uint8_t kRequestedOption = 50;
constexpr std::uint8_t kLeaseOption = 51;
constexpr std::uint8_t kTypeOption = 53;
constexpr std::uint8_t kServerOption = 54;
constexpr std::uint8_t kDiscover = 1;
constexpr std::uint8_t kOffer = 2;
constexpr std::uint8_t kRequest = 3;
constexpr std::uint8_t kAck = 5;
constexpr std::uint8_t kNak = 6;
constexpr std::uint32_t kClientsMax = 254;

[[nodiscard]] std::vector<std::byte> BytesOf(std::uint32_t value) {
  return {static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16),
          static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
}

}  // namespace

void RivalServer::SetOn(bool on) {
  if (std::exchange(on_, on) == on) {
    return;
  }
  if (on) {
    segment_->Attach(kMac, this);
    segment_->SetAddress(address_, kMac);
  } else {
    segment_->Detach(kMac);
  }
}

Ipv4Address RivalServer::AddressOf(ByteSpan request) {
  const ByteSpan mac = request.subspan(kChaddrAt, 6);
  const auto next = static_cast<std::uint32_t>(given_.size());
  const auto [at, is_new] =
      given_.try_emplace({mac.begin(), mac.end()}, Ipv4Address{kFirst + 1 + next});
  return at->second;
}

void RivalServer::OnFrame(const Frame& frame) {
  const auto packet = net::ParseUdp4Frame(frame);
  if (!packet || packet->destination.port != kServerPort || packet->payload.size() < kOptionsAt ||
      packet->payload[kOpAt] != std::byte{1} || given_.size() == kClientsMax) {
    return;
  }
  const ByteSpan request = packet->payload;
  const std::vector<std::byte> type = OptionOf(request, kTypeOption);
  if (type == std::vector{std::byte{kDiscover}}) {
    Answer(request, kOffer, AddressOf(request));
    return;
  }
  const std::vector<std::byte> server = OptionOf(request, kServerOption);
  if (type != std::vector{std::byte{kRequest}} ||
      (!server.empty() && server != BytesOf(address_.value))) {
    return;
  }
  const std::vector<std::byte> requested = OptionOf(request, kRequestedOption);
  const Ipv4Address asked =
      requested.size() == 4 ? AddressIn(requested, 0) : AddressIn(request, kCiaddrAt);
  const Ipv4Address own = AddressOf(request);
  Answer(request, asked == own ? kAck : kNak, asked == own ? own : Ipv4Address{});
}

void RivalServer::Answer(ByteSpan request, std::uint8_t type, Ipv4Address address) {
  ++answers_;
  std::vector<std::byte> reply(request.begin(), request.begin() + kOptionsAt);
  reply[kOpAt] = std::byte{2};
  PutAddress(reply, kCiaddrAt, {});
  PutAddress(reply, kYiaddrAt, address);
  AddOption(reply, kTypeOption, {static_cast<std::byte>(type)});
  AddOption(reply, kServerOption, BytesOf(address_.value));
  AddOption(reply, kLeaseOption, BytesOf(kLeaseSeconds));
  AddOption(reply, kMaskOption, BytesOf(0xFFFF'0000));
  MacAddress client;
  std::copy_n(request.begin() + kChaddrAt, client.octets.size(),
              std::as_writable_bytes(std::span(client.octets)).begin());
  Frame frame(reply.size() + net::kUdp4FrameHeaderBytes);
  const auto built = net::BuildUdp4Frame(
      frame, {.mac = kMac, .address = address_, .port = kServerPort},
      {.mac = client, .address = Ipv4Address{0xFFFF'FFFF}, .port = kClientPort}, reply);
  SLIP_CHECK(built.has_value());
  segment_->Send(kMac, std::move(frame));
}

}  // namespace slipway::sim
