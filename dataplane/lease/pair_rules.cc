#include "dataplane/lease/pair_rules.h"

#include <algorithm>
#include <span>

#include "dataplane/base/check.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"

namespace slipway::lease {
namespace {

// The same on both racks, so without a seed: clients choose who answers them, and nothing else.
std::uint64_t HashOf(const ClientKey& client) noexcept {
  return Mix64(Mix64(client.low) ^ client.high);
}

bool IsAlone(PairState state) {
  return state == PairState::kInterrupted || state == PairState::kPartnerDown;
}

}  // namespace

std::string_view ToString(PairState state) noexcept {
  switch (state) {
    case PairState::kOff:
      return "off";
    case PairState::kRecover:
      return "recover";
    case PairState::kRecoverWait:
      return "recover-wait";
    case PairState::kNormal:
      return "normal";
    case PairState::kInterrupted:
      return "communications-interrupted";
    case PairState::kPartnerDown:
      return "partner-down";
  }
  return "unknown";
}

PairRules::PairRules(std::uint32_t leases_max) : known_(leases_max), passed_over_(kPassedOverMax) {}

void PairRules::Update(Instant now) noexcept {
  partner_over_ = state_ == PairState::kPartnerDown && now >= partner_over_at();
}

bool PairRules::MayServe(Instant now) const noexcept {
  switch (state_) {
    case PairState::kRecover:
    case PairState::kRecoverWait:
      return false;
    case PairState::kOff:
    case PairState::kNormal:
      return true;
    case PairState::kInterrupted:
    case PairState::kPartnerDown:
      return serves_until_ - now >= kPromiseMin;
  }
  return false;
}

// An own address that the partner never heard of as this client's cannot have been renewed there.
bool PairRules::MayReassign(std::uint32_t slot, const Lease& lease) const noexcept {
  return MayGiveAll() || (IsOwn(lease.address) && (IsAgreed(slot, lease) || !IsTold(slot, lease)));
}

// What is over may be another client's by now, if the partner is the one who gives it.
bool PairRules::MayKeep(const Lease& lease) const noexcept {
  return MayGive(lease.address) || lease.state == State::kBound;
}

bool PairRules::MayRefuse(const IpAddress& address, const Lease* there,
                          const ClientKey& client) const noexcept {
  return MayGiveAll() || (IsOwn(address) && (there == nullptr || there->client != client));
}

bool PairRules::WouldAnswer(const ClientKey& client, const Lease* known,
                            Instant now) const noexcept {
  if (state_ != PairState::kNormal || !partner_serves_) {
    return MayServe(now);
  }
  const std::uint64_t hash = HashOf(client);
  const unsigned turn = known != nullptr ? ShareOf(known->address) : (hash >> 32) & 1U;
  if (turn == side_) {
    return true;
  }
  const PassedOver& place = passed_over_[hash & (kPassedOverMax - 1)];
  const Duration ago = now - place.first;
  return place.client == hash && ago >= kSecondAnswerAfter && ago < kSecondAnswerWithin;
}

bool PairRules::MayAnswer(const ClientKey& client, const Lease* known, Instant now) noexcept {
  if (WouldAnswer(client, known, now)) {
    return true;
  }
  const std::uint64_t hash = HashOf(client);
  PassedOver& place = passed_over_[hash & (kPassedOverMax - 1)];
  if (place.client != hash || now - place.first >= kSecondAnswerWithin) {
    place = {.client = hash, .first = now};
  }
  return false;
}

Duration PairRules::LeaseMax(Instant now) const noexcept {
  return IsAlone(state_) ? std::min(mclt_, serves_until_ - now) : Duration{INT64_MAX};
}

void PairRules::SetPair(unsigned side, Duration mclt) noexcept {
  SLIP_CHECK(side <= 1);
  SLIP_CHECK(mclt > Duration{});
  side_ = side;
  mclt_ = mclt;
}

void PairRules::SetState(PairState state, Instant since) noexcept {
  state_ = state;
  since_ = since;
  partner_over_ = false;
}

std::uint64_t PairRules::HolderOf(const Lease& lease) noexcept {
  const std::uint64_t address =
      LoadBig<std::uint64_t>(std::as_bytes(std::span(lease.address.v6().octets)).data() + 8);
  const std::uint64_t network =
      LoadBig<std::uint64_t>(std::as_bytes(std::span(lease.address.v6().octets)).data());
  std::uint64_t hash = Mix64(Mix64(address) ^ network);
  hash = Mix64(Mix64(hash ^ lease.client.low) ^ lease.client.high);
  return Mix64(hash ^ lease.vlan) | 1;
}

void PairRules::SetMayTell(std::uint32_t slot, const Lease& lease) noexcept {
  if (!MayTell(slot, lease)) {
    known_[slot].holder = HolderOf(lease);
    known_[slot].told = false;
  }
}

void PairRules::SetTold(std::uint32_t slot, const Lease& lease) noexcept {
  known_[slot].holder = HolderOf(lease);
  known_[slot].told = true;
}

void PairRules::SetAgreed(std::uint32_t slot, std::uint64_t version) noexcept {
  known_[slot].agreed = version;
}

void PairRules::SetRefused(std::uint32_t slot, std::uint64_t version) noexcept {
  known_[slot].agreed = version | kRefusedBit;
}

void PairRules::ForgetAgreed() noexcept {
  for (Known& known : known_) {
    known.agreed = 0;
  }
}

bool PairRules::TakeQueued(std::uint32_t slot, bool queued) noexcept {
  return std::exchange(known_[slot].queued, queued);
}

}  // namespace slipway::lease
