#include "dataplane/main/pair_link.h"

#include <algorithm>
#include <string>

namespace slipway::rack {
namespace {

// The partner's messages are small; more in a row would keep it waiting for ours.
constexpr std::size_t kOutgoingPerTurnMax = 64;

std::string EndpointOf(const IpAddress& address, std::uint16_t port) {
  const std::string host(ToText(address).view());
  return "tcp://" + (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace

std::optional<link::PairPeer> PairPeerOf(const config::Snapshot& snapshot) {
  const config::RackPairRecord* const pair = snapshot.rack_pair();
  if (pair == nullptr) {
    return std::nullopt;
  }
  const Result<link::PublicKey> key = link::PublicKey::FromText(pair->partner_key.view());
  if (!key) {
    return std::nullopt;
  }
  const bool listens = pair->side == 0;
  return link::PairPeer{.listens = listens,
                        .endpoint = listens ? EndpointOf(pair->own_address, pair->own_port)
                                            : EndpointOf(pair->partner_address, pair->partner_port),
                        .key = *key};
}

void PairMail::TakeOutgoing(link::MessageOutput& out) {
  (void)box_->to_partner->DrainInPlace(kOutgoingPerTurnMax,
                                       [&out](const service::PairParcel& parcel) {
                                         (void)out.Send(ByteSpan(parcel.bytes).first(parcel.size));
                                       });
}

bool PairMail::OnMessage(ByteSpan message) {
  const bool put = box_->from_partner->Emplace([&](service::PairParcel& parcel) {
    parcel.size = static_cast<std::uint32_t>(message.size());
    std::copy(message.begin(), message.end(), parcel.bytes.begin());
  });
  box_->from_partner->Notify();
  return put;
}

// A full box loses it: the partner is then found silent after kPairDead.
void PairMail::OnDown() {
  (void)box_->from_partner->Emplace([](service::PairParcel& parcel) { parcel.size = 0; });
  box_->from_partner->Notify();
}

}  // namespace slipway::rack
