#include "dataplane/service/pair_service.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway::service {
namespace {

constexpr Duration kWallAskedEach = Duration::Millis(500);

EventCode CodeOf(lease::PairState state) {
  switch (state) {
    case lease::PairState::kOff:
      return EventCode::kPairEnded;
    case lease::PairState::kRecover:
      return EventCode::kPairRecover;
    case lease::PairState::kRecoverWait:
      return EventCode::kPairRecoverWait;
    case lease::PairState::kNormal:
      return EventCode::kPairNormal;
    case lease::PairState::kInterrupted:
      return EventCode::kPairInterrupted;
    case lease::PairState::kPartnerDown:
      return EventCode::kPairPartnerDown;
  }
  return EventCode::kPairEnded;
}

}  // namespace

PairSetting PairSettingOf(const config::Snapshot& snapshot) {
  const config::RackPairRecord* const pair = snapshot.rack_pair();
  if (pair == nullptr) {
    return {};
  }
  return {.options = {.pair = pair->id,
                      .side = pair->side,
                      .mclt = Duration::Seconds(pair->mclt_seconds),
                      .formed = pair->formed,
                      .founder = config::RackPairRecord::kFounder},
          .order = {.term = pair->term,
                    .down_side = pair->down_side,
                    .survivor_stale = pair->survivor_stale},
          .partner = pair->partner_name};
}

PairService::PairService(const Parts& parts)
    : parts_(parts),
      core_(parts.leases, parts.rules, this, parts.random),
      incarnation_(parts.random->U64() | 1) {
  SLIP_CHECK(parts_.memory.store != 0);
}

Result<void> PairService::Start() {
  shard::Driver& driver = parts_.shard->driver();
  SLIP_TRY(driver.AddWatch(parts_.box->from_partner->wake_fd(), shard::kReadable, this));
  SLIP_TRY(driver.AddWatch(parts_.box->from_control->wake_fd(), shard::kReadable, this));
  SLIP_TRY(driver.AddWatch(parts_.box->from_region->wake_fd(), shard::kReadable, this));
  return parts_.shard->AddHook(this);
}

lease::Now PairService::ReadNow(Instant now) {
  if (now - wall_asked_ >= kWallAskedEach) {
    wall_asked_ = now;
    wall_synchronised_ = parts_.clock->WallIsSynchronised();
  }
  return {.instant = now,
          .wall = parts_.clock->WallNow(),
          .boot_id = parts_.clock->BootId(),
          .wall_synchronised = wall_synchronised_};
}

// ---- configuration ----

void PairService::OnGeneration() {
  const Serving* const serving = parts_.serving->current();
  if (serving == nullptr || !serving->snapshot) {
    return;
  }
  generation_ = parts_.serving->generation();
  const Instant now = parts_.clock->Now();
  now_ = now;
  const PairSetting next = PairSettingOf(*serving->snapshot);
  const bool same =
      next.options.pair == setting_.options.pair && next.options.side == setting_.options.side;
  if (!same) {
    core_.Stop(ReadNow(now));
    setting_ = next;
    if (next.options.pair != 0) {
      Begin(next, now);
    }
  }
  served_alone_ = next.options.pair == 0;
  setting_ = next;
  counters_.state.Set(static_cast<std::uint64_t>(core_.state()));
}

// A rack that serves already and was there first goes on as it is: its leases are all there are.
// The other one knows nothing of them, and waits until it does.
void PairService::Begin(const PairSetting& setting, Instant now) {
  const lease::PairOptions& options = setting.options;
  const lease::Now stamp = ReadNow(now);
  const bool known = parts_.memory.pair == options.pair;
  const bool first = options.side == options.founder && !options.formed;
  core_.Start(options,
              {.store = parts_.memory.store,
               .partner_store = known ? parts_.memory.partner_store : 0,
               .incarnation = incarnation_},
              {.serving = served_alone_ && first,
               .authority = known ? lease::AuthorityLeft(parts_.memory.right, options.mclt, stamp)
                                  : Duration{}},
              stamp);
  Arm();
}

// ---- what other threads say ----

void PairService::OnReady(shard::WatchId /*watch*/, std::uint32_t /*events*/, Instant now) {
  Follow();
  now_ = now;
  (void)parts_.box->from_partner->DrainInPlace(
      kPairParcelsPerTurnMax, [&](const PairParcel& parcel) { OnParcel(parcel, now); });
  (void)parts_.box->from_control->Drain(kPairWordsMax,
                                        [&](const PairWord& word) { OnRemembered(word, now); });
  (void)parts_.box->from_region->Drain(kPairWordsMax, [&](const Instant& at) {
    if (core_.state() != lease::PairState::kOff && now - at < kRegionWordFresh) {
      core_.OnRegion(setting_.order, ReadNow(now));
    }
  });
}

void PairService::OnParcel(const PairParcel& parcel, Instant now) {
  if (parcel.size == 0) {
    core_.OnLinkDown(ReadNow(now));
  } else {
    core_.OnMessage(ByteSpan(parcel.bytes).first(parcel.size), ReadNow(now));
  }
}

void PairService::OnRemembered(const PairWord& word, Instant now) {
  if (word.pair != setting_.options.pair) {
    return;
  }
  parts_.memory.pair = word.pair;
  parts_.memory.partner_store = word.store;
  core_.OnRemembered(word.store, ReadNow(now));
}

void PairService::OnDurable(std::uint64_t durable, Instant now) {
  now_ = now;
  core_.OnDurable(durable);
}

// ---- time ----

void PairService::OnTimer(std::uint64_t /*cookie*/, Instant now) {
  armed_ = Instant::Never();
  now_ = now;
  if (core_.next_deadline() <= now) {
    core_.OnTimer(ReadNow(now));
  }
}

void PairService::OnTurn(Instant now) {
  Follow();
  if (core_.state() == lease::PairState::kOff) [[likely]] {
    return;
  }
  now_ = now;
  core_.Flush(ReadNow(now));
  if (std::exchange(sent_, false)) {
    parts_.box->to_partner->Notify();
  }
  counters_.state.Set(static_cast<std::uint64_t>(core_.state()));
  counters_.partner_state.Set(static_cast<std::uint64_t>(core_.partner_state()));
  TellRight(now);
  Arm();
}

void PairService::TellRight(Instant now) {
  if (!core_.HasFullRight() || now - right_told_ < kRightEvery) {
    return;
  }
  right_told_ = now;
  (void)parts_.box->to_control->Push(
      PairWord{.kind = PairWord::Kind::kRight, .pair = setting_.options.pair, .at = now});
  parts_.box->to_control->Notify();
}

// A timer that is too early looks, and is set again.
void PairService::Arm() {
  const Instant next = core_.next_deadline();
  if (next >= armed_) {
    return;
  }
  if (armed_ != Instant::Never()) {
    (void)parts_.shard->timers().Cancel(timer_);
  }
  // With all timers in use the next turn tries again.
  const Result<shard::TimerHandle> added = parts_.shard->timers().Add(next, this, 0);
  armed_ = added ? next : Instant::Never();
  timer_ = added ? *added : shard::TimerHandle{};
}

// ---- lease::PairPort ----

void PairService::SendToPartner(ByteSpan message) {
  SLIP_CHECK(message.size() <= lease::kPairMessageBytesMax);
  const bool put = parts_.box->to_partner->Emplace([&](PairParcel& parcel) {
    parcel.size = static_cast<std::uint32_t>(message.size());
    std::copy(message.begin(), message.end(), parcel.bytes.begin());
  });
  sent_ = true;
  if (!put) {
    counters_.send_refused.Add();
  }
}

bool PairService::Log(const lease::Lease& lease, std::uint64_t& position) {
  const ByteSpan record = encoder_.Encode(lease, parts_.leases->DetailOf(lease), ReadNow(now_));
  const bool logged = parts_.facts->Submit(schema::FactClass::Lease,
                                           lease::JournalKey(lease.address), record, position);
  if (!logged) {
    counters_.log_refused.Add();
  }
  if (lease.state == lease::State::kBound) {
    // Its client may come here for its files when the partner is gone.
    parts_.peers->OnPeer({.address = lease.address, .mac = lease.mac, .vlan = lease.vlan});
  }
  return logged;
}

void PairService::RememberPartner(std::uint64_t store) {
  (void)parts_.box->to_control->Push(
      PairWord{.kind = PairWord::Kind::kRemember, .pair = setting_.options.pair, .store = store});
  parts_.box->to_control->Notify();
}

void PairService::OnPairState(lease::PairState from, lease::PairState to) {
  FixedString<kEventDetailBytesMax> detail("was ");
  (void)detail.Append(lease::ToString(from));
  parts_.events->Report(CodeOf(to), setting_.partner.view(), detail.view());
}

void PairService::OnPairConflict(const lease::Lease& kept) {
  FixedString<kEventDetailBytesMax> detail("kept for ");
  (void)detail.Append(ToText(kept.mac));
  (void)detail.Append(", also promised by ");
  (void)detail.Append(setting_.partner.view());
  parts_.events->Report(EventCode::kPairConflict, ToText(kept.address), detail.view());
}

PairService::Report PairService::Describe(Instant now) const {
  return {.setting = setting_, .pair = core_.Report(now)};
}

}  // namespace slipway::service
