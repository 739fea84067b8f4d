#include "dataplane/dhcp/rules.h"

#include <algorithm>
#include <span>

#include "dataplane/base/random.h"

namespace slipway::dhcp {

Duration LeaseFor(const config::SubnetRecord& subnet, const boot::Firmware& firmware) noexcept {
  return Duration::Seconds(std::max(
      kLeaseSecondsMin, firmware.boots() ? subnet.boot_lease_seconds : subnet.lease_seconds));
}

std::uint32_t RenewalSeconds(const lease::ClientKey& key, std::uint32_t lease_seconds) noexcept {
  const std::uint64_t spread = std::uint64_t{lease_seconds / 20} + 1;
  return lease_seconds / 2 - static_cast<std::uint32_t>(Mix64(key.low ^ key.high) % spread);
}

bool IsAnothers(const config::Snapshot& snapshot, const IpAddress& address,
                MacAddress mac) noexcept {
  const config::InterfaceRecord* owner = snapshot.InterfaceByAddress(address);
  return owner != nullptr && owner->mac != mac;
}

bool MustMove(const lease::LeaseTable& leases, const lease::ClientKey& client,
              const IpAddress& reserved, const IpAddress& address) noexcept {
  if (!reserved.is_set() || reserved == address) {
    return false;
  }
  const lease::Lease* there = leases.ByAddress(reserved);
  return there == nullptr || there->client == client ||
         (there->state != lease::State::kBound && there->state != lease::State::kDeclined);
}

bool IsLeaving(const lease::Lease* lease, const IpAddress& reserved) noexcept {
  return lease != nullptr && lease->pool == lease::kNoPool && lease->address != reserved;
}

bool IsRevoked(const config::Snapshot& snapshot, config::RecordId subnet,
               const IpAddress& address) noexcept {
  return std::ranges::any_of(snapshot.RangesOf(subnet), [&](const config::RangeRecord& range) {
    return range.kind == config::RangeKind::kDynamic &&
           range.state == config::RangeState::kRevoked && range.first <= address &&
           address <= range.last;
  });
}

boot::LoopVerdict GuardLoop(boot::LoopGuard& loops, MacAddress mac, const boot::Firmware& firmware,
                            const boot::BootPlan& plan, std::uint32_t xid, Instant now,
                            bool preview) noexcept {
  if (mac.is_zero() || !firmware.boots()) {
    return boot::LoopVerdict::kFine;
  }
  if (plan.kind != boot::PlanKind::kLoader) {
    if (!preview) {
      loops.Progress(mac);
    }
    return boot::LoopVerdict::kFine;
  }
  const boot::LoopStage stage{boot::StageKey(plan.file), boot::kLoaderWindow};
  return preview ? loops.Preview(mac, stage, xid, now) : loops.Observe(mac, stage, xid, now);
}

const config::PartnerVlan* FindPartner(const config::Snapshot& snapshot,
                                       config::RecordId vlan) noexcept {
  const config::RackPairRecord* pair = snapshot.rack_pair();
  if (pair == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(pair->shared_vlans, vlan, &config::PartnerVlan::vlan);
  return found == pair->shared_vlans.end() ? nullptr : &*found;
}

PairSays AskPair(lease::PairRules& pair, const PairQuestion& question) noexcept {
  if (!pair.MayServe(question.now)) {
    return PairSays::kRecovering;
  }
  const lease::Client& client = question.client;
  if (!question.to_both || FindPartner(question.snapshot, client.vlan) == nullptr) {
    return PairSays::kAnswer;
  }
  const lease::Lease* known = question.leases.ByClient(client.key, client.vlan);
  const bool ours = question.preview ? pair.WouldAnswer(client.key, known, question.now)
                                     : pair.MayAnswer(client.key, known, question.now);
  return ours ? PairSays::kAnswer : PairSays::kPartnersTurn;
}

bool MayRefuse(const lease::PairRules* pair, const lease::LeaseTable& leases,
               const IpAddress& address, const lease::ClientKey& client) noexcept {
  return !IsPaired(pair) || pair->MayRefuse(address, leases.ByAddress(address), client);
}

void GiveNoBootFile(boot::BootPlan& plan) noexcept {
  plan.kind = boot::PlanKind::kNothing;
  plan.reason = boot::kLoopReason;
  plan.file.clear();
}

const config::VlanRecord* FindListedVlan(const config::Snapshot& snapshot,
                                         const IpAddress& relay) noexcept {
  const std::span<const config::VlanRecord> vlans = snapshot.vlans();
  const auto found = std::ranges::find_if(vlans, [&](const config::VlanRecord& vlan) {
    return std::ranges::find(vlan.relays, relay) != vlan.relays.end();
  });
  return found == vlans.end() ? nullptr : &*found;
}

}  // namespace slipway::dhcp
