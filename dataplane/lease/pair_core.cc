// States of a pair, and what is sent to the partner.
#include "dataplane/lease/pair_core.h"

#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

namespace slipway::lease {
namespace {

// Beyond what can have been numbered and lost before it was on disk: numbers are never used twice.
constexpr std::uint64_t kVersionsLostMax = std::uint64_t{1} << 24;

bool IsOver(State state) { return state == State::kReleased || state == State::kExpired; }

// A rack that comes back may have forgotten; the other one knows better.
bool IsStale(PairState state) {
  return state == PairState::kRecover || state == PairState::kRecoverWait;
}

bool IsAlone(PairState state) {
  return state == PairState::kInterrupted || state == PairState::kPartnerDown;
}

}  // namespace

Duration AuthorityLeft(const Stamp& right, Duration mclt, const Now& now) noexcept {
  const bool same_boot = right.boot_id == now.boot_id;
  const bool proven = same_boot || (right.realtime_trusted && ElapsedIsFinal(right, now));
  if (right.boot_id == 0 || !proven) {
    return {};
  }
  return std::max(Duration{}, mclt - WithSlack(ElapsedSince(right, now)));
}

PairCore::PairCore(LeaseTable* table, PairRules* rules, PairPort* port, Random* random)
    : table_(table), rules_(rules), port_(port), random_(random), ring_(table->capacity()) {}

std::uint64_t PairCore::MemoryBytes(std::uint32_t leases_max) noexcept {
  return sizeof(PairCore) + PairRules::MemoryBytes(leases_max) +
         std::uint64_t{leases_max} * sizeof(std::uint32_t);
}

// ---- life ----

void PairCore::Start(const PairOptions& options, const PairIdentity& identity,
                     const PairRestart& restart, const Now& now) {
  SLIP_CHECK(state() == PairState::kOff);
  SLIP_CHECK(options.pair != 0);
  SLIP_CHECK(identity.store != 0);
  options_ = options;
  identity_ = identity;
  order_ = {};
  spent_term_ = 0;
  region_heard_ = false;
  lost_ = options.formed && identity.partner_store == 0;
  ordered_ = now.instant;
  started_ = now.instant;
  authority_ends_ = now.instant + restart.authority;
  rules_->SetPair(options.side, options.mclt);
  rules_->SetServesUntil(Instant::Never());
  DoubtRestored();
  restored_ = table_->last_version();
  table_->SetPair(rules_, restored_ + kVersionsLostMax);
  for (std::uint32_t slot = 0; slot < table_->capacity(); ++slot) {
    const Lease* lease = table_->At(slot);
    if (lease != nullptr) {
      rules_->SetTold(slot, *lease);  // Perhaps, before the restart.
    }
  }
  rules_->ForgetAgreed();
  agreed_store_ = 0;
  through_ = 0;
  nonce_ = 0;
  next_send_ = now.instant;
  next_reply_ = now.instant;
  SetState(restart.serving ? PairState::kInterrupted : PairState::kRecover, now.instant);
}

// A lease that a doubtful clock let grow here is shorter again at the next start, when the clock is
// known, by its old record; and the partner would have forgotten its own promise for it by then.
void PairCore::DoubtRestored() {
  any_unlogged_ = false;
  for (std::uint32_t slot = 0; slot < table_->capacity(); ++slot) {
    const Lease* lease = table_->At(slot);
    const bool unlogged = lease != nullptr && !lease->durable;
    rules_->SetUnlogged(slot, unlogged);
    any_unlogged_ = any_unlogged_ || unlogged;
  }
  log_scan_ = 0;
}

void PairCore::Stop(const Now& now) {
  if (state() == PairState::kOff) {
    return;
  }
  EndSession(now.instant);
  SetState(PairState::kOff, now.instant);
  while (ring_count_ > 0) {
    (void)PopQueued();
  }
  while (!waiting_.empty()) {
    (void)waiting_.Pop();
  }
}

void PairCore::SetState(PairState state, Instant now) {
  const PairState from = rules_->state();
  if (from == state) {
    return;
  }
  rules_->SetState(state, now);
  told_state_ = false;
  if (state == PairState::kNormal) {
    spent_term_ = std::max(spent_term_, order_.term);
    rules_->SetServesUntil(Instant::Never());
    Rescan();  // What the partner did not confirm before, it can now.
  }
  port_->OnPairState(from, state);
}

bool PairCore::HasAuthority(const IpAddress& address) const noexcept {
  if (lost_ != partner_lost_) {
    return partner_lost_;  // A disk remembers who has an address; an empty one does not.
  }
  const bool down = state() == PairState::kPartnerDown;
  if (down != (partner_state_ == PairState::kPartnerDown)) {
    return down;
  }
  return rules_->IsOwn(address);
}

bool PairCore::IsSynced() const noexcept { return session_ != 0 && have_all_ && partner_has_all_; }

void PairCore::Advance(Instant now) {
  if (state() == PairState::kOff) {
    return;
  }
  rules_->Update(now);
  if (IsSynced()) {
    AdvanceTogether(now);
  } else if (session_ == 0) {
    AdvanceAlone(now);
  }
}

// Both have told each other everything.
void PairCore::AdvanceTogether(Instant now) {
  if (state() == PairState::kNormal) {
    return;
  }
  if (lost_ && state() == PairState::kRecover) {
    return SetState(PairState::kRecoverWait, now);
  }
  if (state() == PairState::kRecoverWait) {
    // Said at least once: the partner must know that this rack had forgotten.
    if (!told_state_ || now < started_ + WithSlack(options_.mclt)) {
      return;
    }
    SetState(PairState::kRecover, now);
  }
  lost_ = false;
  if (ring_count_ != 0 || scan_ != table_->capacity()) {
    return;  // What was promised alone until now is said first.
  }
  // He who has more rights gives them up first: a rack that comes back never uses its share while
  // the other one still may.
  const bool partner_stale = IsStale(partner_state_);
  const bool partner_first =
      IsStale(state())
          ? partner_state_ != PairState::kNormal && !partner_stale
          : partner_state_ == PairState::kPartnerDown && state() != PairState::kPartnerDown;
  if (partner_lost_ || partner_first) {
    return;
  }
  if (identity_.partner_store == partner_store_) {
    SetState(PairState::kNormal, now);
  } else if (!asked_to_remember_) {
    asked_to_remember_ = true;
    port_->RememberPartner(partner_store_);
  }
}

// Without a session: what may this rack do by itself?
void PairCore::AdvanceAlone(Instant now) {
  const bool ordered = order_.term > spent_term_;
  const bool declared_down = ordered && order_.down_side == options_.side;
  const bool partner_down = ordered && order_.down_side != options_.side;
  if (state() == PairState::kRecoverWait) {
    SetState(PairState::kRecover, now);
  }
  if (declared_down) {
    return SetState(PairState::kRecover, now);
  }
  if (IsAlone(state())) {
    if (region_heard_) {
      rules_->SetServesUntil(Instant::Never());
    }
    if (partner_down) {
      SetState(PairState::kPartnerDown, now);
    }
    return;
  }
  const Duration mclt = WithSlack(options_.mclt);
  if (partner_down) {
    const Instant safe = order_.survivor_stale ? ordered_ + mclt : started_ + mclt;
    if ((!lost_ && !order_.survivor_stale) || now >= safe) {
      SetState(PairState::kPartnerDown, now);
    }
    return;
  }
  const bool first = options_.founder == options_.side && !options_.formed;
  const bool may_know = !lost_ && (identity_.partner_store != 0 || first);
  const bool fresh = region_heard_ || now < authority_ends_;
  if (may_know && fresh && now >= started_ + kPairDead) {
    rules_->SetServesUntil(region_heard_ ? Instant::Never() : authority_ends_);
    SetState(PairState::kInterrupted, now);
  }
}

void PairCore::OnRegion(const PairOrder& order, const Now& now) {
  region_heard_ = true;
  if (order.term != order_.term) {
    ordered_ = now.instant;
  }
  order_ = order;
  Advance(now.instant);
}

void PairCore::OnRemembered(std::uint64_t store, const Now& now) {
  identity_.partner_store = store;
  Advance(now.instant);
}

// ---- changes of this rack ----

bool PairCore::OnChanged(const Lease& lease, std::uint64_t position) {
  if (state() == PairState::kOff) {
    return true;
  }
  const std::uint32_t slot = table_->SlotOf(lease);
  rules_->SetUnlogged(slot, false);
  last_position_ = std::max(last_position_, position + 1);
  if (rules_->MayTell(slot, lease)) {
    Push(slot);
    return true;
  }
  // Who has an address must not be known to the partner alone: after a crash this rack would give
  // it to somebody else.
  if (!waiting_.Push({.position = position, .version = lease.version, .slot = slot})) {
    untold_ = std::min(untold_, lease.version);
    return false;
  }
  return true;
}

void PairCore::OnUnlogged(const Lease& lease) {
  if (state() != PairState::kOff) {
    rules_->SetUnlogged(table_->SlotOf(lease), true);
    any_unlogged_ = true;
    log_scan_ = 0;
  }
}

// What is in the table and not in the journal is told to nobody, so it must get there in the end.
void PairCore::LogAgain(Instant now) {
  for (; log_scan_ < table_->capacity(); ++log_scan_) {
    const std::uint32_t slot = log_scan_;
    if (!rules_->IsUnlogged(slot)) {
      continue;
    }
    const Lease* lease = table_->At(slot);
    const bool recorded =
        lease != nullptr && lease->version != 0 && lease->state != State::kOffered;
    std::uint64_t position = 0;
    if (!recorded) {
      rules_->SetUnlogged(slot, false);
    } else if (!port_->Log(*lease, position) || !OnChanged(*lease, position)) {
      log_due_ = now + kPairLogAgain;
      return;
    }
  }
  any_unlogged_ = false;
}

void PairCore::OnDurable(std::uint64_t durable) {
  durable_ = std::max(durable_, durable);
  while (!waiting_.empty() && waiting_.front().position < durable_) {
    const Waiting waited = waiting_.Pop();
    const Lease* lease = table_->At(waited.slot);
    if (lease != nullptr && lease->version == waited.version) {
      rules_->SetMayTell(waited.slot, *lease);
      Push(waited.slot);
    }
  }
}

PairCore::Leave PairCore::MayLeave(const Lease* lease, std::uint64_t version, Instant now) const {
  if (lease == nullptr || lease->version != version || lease->state != State::kBound) {
    return Leave::kDrop;
  }
  if (state() == PairState::kOff) {
    return Leave::kSend;
  }
  if (state() == PairState::kNormal) {
    const std::uint32_t slot = table_->SlotOf(*lease);
    if (rules_->IsAgreed(slot, *lease)) {
      return Leave::kSend;
    }
    return rules_->IsRefused(slot, *lease) ? Leave::kDrop : Leave::kWait;
  }
  // It was made for both; alone less may be promised.
  const bool may = rules_->MayServe(now) && lease->lease <= rules_->LeaseMax(lease->granted);
  return may ? Leave::kSend : Leave::kDrop;
}

// ---- sending ----

void PairCore::Push(std::uint32_t slot) {
  if (rules_->TakeQueued(slot, true)) {
    return;
  }
  SLIP_CHECK(ring_count_ < ring_.size());
  ring_[(ring_head_ + ring_count_) % ring_.size()] = slot;
  ++ring_count_;
}

std::uint32_t PairCore::PopQueued() noexcept {
  const std::uint32_t slot = ring_[ring_head_];
  ring_head_ = (ring_head_ + 1) % static_cast<std::uint32_t>(ring_.size());
  --ring_count_;
  (void)rules_->TakeQueued(slot, false);
  return slot;
}

void PairCore::Rescan() noexcept { scan_ = 0; }

bool PairCore::NeedsSending(std::uint32_t slot, const Lease& lease) const noexcept {
  const bool recorded =
      lease.version != 0 && (lease.state != State::kOffered || IsOver(lease.before));
  return recorded && !rules_->IsUnlogged(slot) && rules_->MayTell(slot, lease) &&
         !rules_->IsAgreed(slot, lease);
}

void PairCore::Scan() {
  const std::uint32_t end = std::min(table_->capacity(), scan_ + kPairScanMax);
  for (; scan_ < end; ++scan_) {
    const Lease* lease = table_->At(scan_);
    if (lease == nullptr || lease->version == 0) {
      continue;
    }
    if (rules_->IsAgreed(scan_, *lease)) {
      if (recheck_ && lease->foreign && lease->version > partner_restored_) {
        rules_->SetAgreed(scan_, 0);
      }
    } else if (lease->version <= std::min(partner_through_, restored_)) {
      rules_->SetAgreed(scan_, lease->version);  // As it was before this rack's restart.
    }
    if (NeedsSending(scan_, *lease)) {
      Push(scan_);
    }
  }
  if (scan_ == table_->capacity()) {
    recheck_ = false;
  }
}

std::uint64_t PairCore::Through() noexcept {
  const bool all = ring_count_ == 0 && scan_ == table_->capacity() && !any_unlogged_;
  if (!all) {
    return 0;
  }
  std::uint64_t through = std::min(table_->last_version(), untold_ - 1);
  // Numbers only grow, so the first that waits has the lowest.
  if (!waiting_.empty()) {
    through = std::min(through, waiting_.front().version - 1);
  }
  return through;
}

PairHeader PairCore::NextHeader() noexcept {
  told_state_ = true;
  return {.session = session_,
          .sequence = ++sent_,
          .last_version = table_->last_version(),
          .state = state()};
}

bool PairCore::AddToBatch(std::uint32_t slot, Instant now) {
  const Lease* lease = table_->At(slot);
  if (lease == nullptr || !NeedsSending(slot, *lease)) {
    return false;
  }
  Lease sent = *lease;
  if (sent.state == State::kOffered) {
    sent.state = sent.before;
    sent.horizon = now;
  }
  rules_->SetTold(slot, *lease);
  encoder_.AddLease(sent, table_->DetailOf(*lease), now);
  SLIP_CHECK(in_flight_.Push({.batch = batch_ + 1, .version = lease->version, .slot = slot}));
  return true;
}

bool PairCore::SendBatch(Instant now) {
  const bool end_due = scan_ == table_->capacity() && !end_told_;
  if (sent_batches_.full() || (ring_count_ == 0 && !end_due)) {
    return false;
  }
  encoder_.BeginUpdates();
  std::size_t leases = 0;
  while (ring_count_ > 0 && leases < kPairLeasesPerMessage && !in_flight_.full()) {
    leases += AddToBatch(PopQueued(), now) ? 1U : 0U;
  }
  const std::uint64_t through = Through();
  if (leases == 0 && (through == 0 || end_told_)) {
    return ring_count_ > 0;
  }
  end_told_ = end_told_ || through != 0;
  counters_.leases_sent.Add(leases);
  const PairHeader header = NextHeader();
  SLIP_CHECK(sent_batches_.Push({.batch = ++batch_, .through = through, .sent = now}));
  port_->SendToPartner(encoder_.FinishUpdates(header, batch_, through));
  next_send_ = now + kPairAlive;
  return true;
}

void PairCore::Flush(const Now& now) {
  if (state() == PairState::kOff) {
    return;
  }
  if (session_ != 0) {
    Scan();
    Acknowledge(now.instant);
    for (std::size_t i = 0; i < kPairBatchesMax && SendBatch(now.instant); ++i) {
    }
  }
  Advance(now.instant);
  if (session_ != 0 && !told_state_) {
    SendAlive(now.instant);
  }
}

bool PairCore::idle() const noexcept {
  return session_ != 0 && end_told_ && !any_unlogged_ && ring_count_ == 0 &&
         scan_ == table_->capacity() && sent_batches_.empty() && waiting_.empty() &&
         taken_batches_.empty();
}

PairReport PairCore::Report(Instant now) const noexcept {
  PairReport report{.state = state(),
                    .partner_state = partner_state_,
                    .in_session = in_session(),
                    .serves = rules_->MayServe(now)};
  if (report.state == PairState::kOff) {
    return report;
  }
  report.side = options_.side;
  report.mclt = options_.mclt;
  report.in_state = now - rules_->since();
  const Instant waits_until = report.state == PairState::kPartnerDown ? rules_->partner_over_at()
                              : report.state == PairState::kRecoverWait
                                  ? started_ + WithSlack(options_.mclt)
                                  : now;
  report.wait = std::max(Duration{}, waits_until - now);
  const bool without_end = rules_->serves_until() == Instant::Never();
  report.serves_for = without_end ? Duration{INT64_MAX} : rules_->serves_until() - now;
  report.untold = ring_count_ + in_flight_.size() + waiting_.size();
  return report;
}

// ---- time ----

Instant PairCore::next_deadline() const noexcept {
  if (state() == PairState::kOff) {
    return Instant::Never();
  }
  Instant next = next_send_;
  if (session_ != 0) {
    next = std::min(next, heard_ + kPairDead);
  }
  if (session_ != 0 && scan_ < table_->capacity()) {
    next = std::min(next, heard_);
  }
  if (any_unlogged_) {
    next = std::min(next, log_due_);
  }
  return next;
}

void PairCore::OnTimer(const Now& now) {
  if (state() == PairState::kOff) {
    return;
  }
  const Instant instant = now.instant;
  if (session_ != 0) {
    // A partner that speaks but does not take what it is told is no partner.
    const bool deaf = !sent_batches_.empty() && instant - sent_batches_.front().sent >= kPairDead;
    if (instant - heard_ >= kPairDead || deaf) {
      EndSession(instant);
    }
  }
  if (any_unlogged_ && instant >= log_due_) {
    LogAgain(instant);
    if (!any_unlogged_) {
      EndSession(instant);  // What was not confirmed for it is told anew.
    }
  }
  if (instant >= next_send_) {
    session_ != 0 ? SendAlive(instant) : SendHello(instant);
  }
  Advance(instant);
  Flush(now);
}

}  // namespace slipway::lease
