// The conversation of a pair: sessions, what comes from the partner, and who is right.
#include <algorithm>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"
#include "dataplane/lease/pair_core.h"

namespace slipway::lease {
namespace {

// Numbers grow by at most a few a packet: nothing real comes near it.
constexpr std::uint64_t kVersionMax = std::uint64_t{1} << 62;

bool IsOver(State state) { return state == State::kReleased || state == State::kExpired; }

}  // namespace

void PairCore::Reject(PairReject reason) noexcept {
  counters_.rejected[static_cast<std::size_t>(reason)].Add();
}

void PairCore::Reset(PairReject reason, Instant now) {
  Reject(reason);
  counters_.resets.Add();
  EndSession(now);
}

// ---- sessions ----

std::uint64_t PairCore::SessionId() const noexcept {
  const bool first = options_.side == 0;
  return Mix64(Mix64(first ? nonce_ : partner_nonce_) ^ (first ? partner_nonce_ : nonce_)) | 1;
}

void PairCore::SendHello(Instant now) {
  if (nonce_ == 0) {
    nonce_ = random_->U64() | 1;
  }
  const PairHeader header{
      .session = 0, .sequence = 0, .last_version = table_->last_version(), .state = state()};
  port_->SendToPartner(
      encoder_.Hello(header, {.pair = options_.pair,
                              .side = options_.side,
                              .nonce = nonce_,
                              .echo = partner_nonce_,
                              .store = identity_.store,
                              .partner_store = identity_.partner_store,
                              .incarnation = identity_.incarnation,
                              .restored = restored_,
                              .through = through_store_ == agreed_store_ ? through_ : 0}));
  next_send_ = now + kPairAlive;
}

// Each may be doubled on the way, and each may call for an answer: without a limit they breed.
void PairCore::ReplyHello(Instant now) {
  if (now >= next_reply_) {
    next_reply_ = now + kPairReplyMin;
    SendHello(now);
  }
}

void PairCore::SendAlive(Instant now) {
  const PairHeader header = NextHeader();
  port_->SendToPartner(encoder_.Alive(header));
  next_send_ = now + kPairAlive;
}

void PairCore::EndSession(Instant now) {
  nonce_ = 0;
  partner_nonce_ = 0;
  next_send_ = now;
  if (session_ == 0) {
    return;
  }
  session_ = 0;
  have_all_ = false;
  partner_has_all_ = false;
  end_told_ = false;
  partner_state_ = PairState::kOff;
  rules_->SetPartnerServes(false);
  while (!in_flight_.empty()) {
    (void)in_flight_.Pop();
  }
  while (!sent_batches_.empty()) {
    (void)sent_batches_.Pop();
  }
  while (!taken_batches_.empty()) {
    (void)taken_batches_.Pop();
  }
  if (state() == PairState::kNormal) {
    SetState(PairState::kInterrupted, now);
  }
  Advance(now);
}

void PairCore::OnLinkDown(const Now& now) {
  if (state() != PairState::kOff) {
    EndSession(now.instant);
  }
}

void PairCore::Open(Instant now) {
  SLIP_CHECK(session_ == 0);
  session_ = SessionId();
  sent_ = 0;
  received_ = 0;
  batch_ = 0;
  taken_ = 0;
  heard_ = now;
  told_state_ = false;
  asked_to_remember_ = false;
  refused_any_ = false;
  if (order_.down_side != options_.side) {
    spent_term_ = std::max(spent_term_, order_.term);  // The partner is not down.
  }
  Rescan();
  counters_.sessions.Add();
}

// What the partner says of itself, and of what it knows of us.
void PairCore::Learn(const schema::PairHello& hello) {
  const bool new_store = identity_.partner_store != hello.store();
  partner_lost_ = new_store && identity_.partner_store != 0;
  lost_ = lost_ || (hello.partner_store() != 0 && hello.partner_store() != identity_.store);
  if (agreed_store_ != hello.store()) {
    if (agreed_store_ != 0) {
      rules_->ForgetAgreed();
    }
    agreed_store_ = hello.store();
  }
  if (partner_incarnation_ != hello.incarnation()) {
    partner_incarnation_ = hello.incarnation();
    recheck_ = true;
  }
  partner_nonce_ = hello.nonce();
  partner_store_ = hello.store();
  partner_restored_ = hello.restored();
  partner_through_ = hello.partner_store() == identity_.store ? hello.through() : 0;
}

void PairCore::OnHello(const schema::PairHello& hello, Instant now) {
  if (hello.pair() != options_.pair || hello.side() != 1 - options_.side || hello.nonce() == 0 ||
      hello.store() == 0 || hello.store() == identity_.store) {
    return Reject(PairReject::kOtherPair);
  }
  if (session_ != 0) {
    if (hello.nonce() == partner_nonce_) {
      if (hello.echo() != nonce_) {
        ReplyHello(now);
      }
      return;
    }
    EndSession(now);  // It has begun anew.
  }
  Learn(hello);
  if (nonce_ != 0 && hello.echo() == nonce_) {
    return Open(now);
  }
  ReplyHello(now);
}

// True if the message may be handled.
bool PairCore::OnNumbered(const schema::PairMessage& message, Instant now) {
  if (session_ == 0 && nonce_ != 0 && partner_nonce_ != 0 && message.session() == SessionId()) {
    Open(now);  // It could not name the session without our nonce.
  }
  if (session_ == 0 || message.session() != session_) {
    Reject(PairReject::kStale);
    return false;
  }
  if (message.sequence() <= received_) {
    Reject(PairReject::kReplayed);
    return false;
  }
  if (message.sequence() != received_ + 1) {
    Reset(PairReject::kGap, now);
    return false;
  }
  ++received_;
  heard_ = now;
  const PairState before = std::exchange(partner_state_, StateFrom(message.state()));
  if (partner_state_ != before &&
      (before == PairState::kRecoverWait ||
       (partner_state_ != PairState::kRecoverWait && partner_state_ != PairState::kRecover))) {
    partner_lost_ = false;  // What it had promised and forgotten is over.
  }
  rules_->SetPartnerServes(partner_state_ == PairState::kNormal);
  return true;
}

void PairCore::OnMessage(ByteSpan bytes, const Now& now) {
  if (state() == PairState::kOff) {
    return;
  }
  const Result<const schema::PairMessage*> read = reader_.Read(bytes);
  if (!read || (*read)->last_version() > kVersionMax) {
    return Reject(PairReject::kMalformed);
  }
  const schema::PairMessage& message = **read;
  if (message.body_type() == schema::PairBody::PairHello) {
    OnHello(*message.body_as_PairHello(), now.instant);
    table_->ObserveVersion(message.last_version());
    return Advance(now.instant);
  }
  if (!OnNumbered(message, now.instant)) {
    return;
  }
  table_->ObserveVersion(message.last_version());
  bool well = true;
  if (const auto* updates = message.body_as_PairUpdates(); updates != nullptr) {
    well = OnUpdates(*updates, now);
  } else if (const auto* acked = message.body_as_PairAcked(); acked != nullptr) {
    well = OnAcked(*acked);
  }
  if (!well) {
    Reset(PairReject::kUnexpected, now.instant);
  }
  Advance(now.instant);
}

// ---- what the partner took ----

bool PairCore::OnAcked(const schema::PairAcked& acked) {
  if (sent_batches_.empty() || sent_batches_.front().batch != acked.batch()) {
    return false;
  }
  const SentBatch batch = sent_batches_.Pop();
  partner_has_all_ = partner_has_all_ || batch.through != 0;
  const auto* refused = acked.refused();
  std::uint32_t next = 0;
  for (std::uint16_t index = 0; !in_flight_.empty() && in_flight_.front().batch == batch.batch;
       ++index) {
    const InFlight sent = in_flight_.Pop();
    bool taken = true;
    if (refused != nullptr && next < refused->size() && refused->Get(next) == index) {
      ++next;
      taken = false;
    }
    const Lease* lease = table_->At(sent.slot);
    if (lease != nullptr && lease->version == sent.version) {
      taken ? rules_->SetAgreed(sent.slot, sent.version)
            : rules_->SetRefused(sent.slot, sent.version);
    }
  }
  return true;
}

void PairCore::Acknowledge(Instant now) {
  while (!taken_batches_.empty() && taken_batches_.front().position <= durable_) {
    const TakenBatch taken = taken_batches_.Pop();
    if (taken.through != 0) {
      have_all_ = true;
      if (!refused_any_) {
        through_ = taken.through;
        through_store_ = agreed_store_;
      }
    }
    const PairHeader header = NextHeader();
    port_->SendToPartner(
        encoder_.Acked(header, taken.batch, std::span(taken.refused.data(), taken.refused.size())));
    next_send_ = now + kPairAlive;
  }
}

// ---- what the partner tells ----

bool PairCore::OnUpdates(const schema::PairUpdates& updates, const Now& now) {
  if (updates.batch() != taken_ + 1 || taken_batches_.full() || updates.through() > kVersionMax) {
    return false;
  }
  ++taken_;
  TakenBatch batch{.batch = updates.batch(), .through = updates.through()};
  const auto* leases = updates.leases();
  const std::uint32_t count = leases == nullptr ? 0 : leases->size();
  if (count > kPairLeasesPerMessage) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const Result<RestoredLease> theirs = DecodePairLease(*leases->Get(i));
    if (!theirs || theirs->lease.version == 0 || theirs->lease.version > kVersionMax ||
        !TakeLease(*theirs, static_cast<std::uint16_t>(i), batch, now)) {
      return false;
    }
  }
  // Also what was known already may not be on disk yet.
  batch.position = last_position_;
  SLIP_CHECK(taken_batches_.Push(batch));
  return true;
}

bool PairCore::TakeLease(const RestoredLease& theirs, std::uint16_t index, TakenBatch& batch,
                         const Now& now) {
  table_->ObserveVersion(theirs.lease.version);
  const Lease* ours = table_->ByAddress(theirs.lease.address);
  const Verdict verdict = Judge(theirs, ours, now.instant);
  // A rack that forgot what it promised cannot say that a lease is over.
  const bool unlogged = verdict == Verdict::kSame && rules_->IsUnlogged(table_->SlotOf(*ours));
  const bool confirmed = !unlogged && !(lost_ && IsOver(theirs.lease.state));
  if (verdict == Verdict::kRefuse || !confirmed) {
    SLIP_CHECK(batch.refused.push_back(index));
    refused_any_ = true;
  }
  if (verdict == Verdict::kRefuse) {
    counters_.leases_refused.Add();
    return Refuse(theirs, *ours, now);
  }
  return verdict == Verdict::kSame || Take(theirs, ours, now);
}

// Numbers order what the racks decided, but two things: an address that is in use is given away
// only by him who may (and he says it anew, with a higher number); and what this rack promised to a
// client is not over before its end.
PairCore::Verdict PairCore::Judge(const RestoredLease& theirs, const Lease* ours,
                                  Instant now) const {
  if (ours == nullptr || ours->version == 0 ||
      (ours->state == State::kOffered && !IsOver(ours->before))) {
    return Verdict::kTake;  // An offer is no lease.
  }
  const bool same_client = theirs.lease.client == ours->client && theirs.lease.vlan == ours->vlan;
  if (theirs.lease.version == ours->version && same_client) {
    return Verdict::kSame;
  }
  if (theirs.lease.version < ours->version) {
    return Verdict::kRefuse;
  }
  if (same_client) {
    const bool promised = ours->state == State::kBound && !ours->foreign && ours->ends > now;
    return promised && theirs.lease.state != State::kBound ? Verdict::kRefuse : Verdict::kTake;
  }
  // The end of a quarantine makes no record, so one that a restart has brought back may be over: it
  // keeps an address from nobody who has it.
  const bool in_use = ours->state == State::kBound ||
                      (ours->state == State::kDeclined && theirs.lease.state != State::kBound);
  return in_use && HasAuthority(ours->address) ? Verdict::kRefuse : Verdict::kTake;
}

bool PairCore::LogLease(const Lease& lease) {
  std::uint64_t position = 0;
  if (!port_->Log(lease, position)) {
    OnUnlogged(lease);
    return false;
  }
  rules_->SetUnlogged(table_->SlotOf(lease), false);
  last_position_ = std::max(last_position_, position + 1);
  return true;
}

bool PairCore::Take(const RestoredLease& theirs, const Lease* ours, const Now& now) {
  const bool same =
      ours != nullptr && ours->client == theirs.lease.client && ours->vlan == theirs.lease.vlan;
  const bool bound = ours != nullptr && ours->state == State::kBound;
  // The partner may end what it promised when that is over: ours must not be cut short by it.
  const Instant theirs_ends = now.instant + (theirs.lease.ends - Instant{});
  const bool longer =
      same && bound && !ours->foreign && ours->ends > now.instant && ours->ends > theirs_ends;
  const Instant promised = longer ? ours->ends : Instant{};
  const bool conflict =
      bound && !same && theirs.lease.state == State::kBound && state() != PairState::kNormal;
  RestoredLease taken = theirs;
  taken.horizon = WithSlack(theirs.horizon);
  const Result<const Lease*> adopted = table_->Adopt(taken, now);
  if (!adopted) {
    return false;  // No entry is left.
  }
  const Lease* lease = *adopted;
  counters_.leases_taken.Add();
  if (longer && lease->state == State::kBound) {
    lease = table_->Reassert(lease->address, promised, now.instant);
  }
  if (conflict) {
    counters_.conflicts.Add();
    port_->OnPairConflict(*lease);
  }
  const std::uint32_t slot = table_->SlotOf(*lease);
  rules_->SetTold(slot, *lease);
  // The end of a lease is said once more to him who made it: his word that it is on his disk is
  // what lets the address go to somebody else.
  const bool ended = IsOver(lease->state) && rules_->IsOwn(lease->address);
  rules_->SetAgreed(slot, ended || !lease->foreign ? 0 : lease->version);
  if (NeedsSending(slot, *lease)) {
    Push(slot);
  }
  return LogLease(*lease);
}

bool PairCore::Refuse(const RestoredLease& theirs, const Lease& ours, const Now& now) {
  const Lease* lease = &ours;
  const bool other = theirs.lease.client != ours.client || theirs.lease.vlan != ours.vlan;
  if (other && theirs.lease.state == State::kBound && ours.state == State::kBound &&
      state() != PairState::kNormal) {
    counters_.conflicts.Add();
    port_->OnPairConflict(ours);
  }
  const std::uint32_t slot = table_->SlotOf(ours);
  const bool again = ours.version <= theirs.lease.version;
  if (again) {
    lease = table_->Reassert(ours.address, ours.ends, now.instant);
  }
  rules_->SetAgreed(slot, 0);
  if (NeedsSending(slot, *lease)) {
    Push(slot);
  }
  return !again || LogLease(*lease);
}

}  // namespace slipway::lease
