#include "controlplane/model/pair_watch.h"

#include <algorithm>

#include "controlplane/model/enlist.h"
#include "controlplane/model/pair.h"

namespace slipway::model {

namespace {

std::unexpected<Refusal> Refuse(RefusalKind kind, std::string field, std::string problem,
                                std::string cure) {
  return std::unexpected(Refusal{.kind = kind,
                                 .problems = {{.field = std::move(field),
                                               .problem = std::move(problem),
                                               .cure = std::move(cure)}},
                                 .item = 0,
                                 .error = {}});
}

const RackPair* FindPair(const Plan& plan, EntityId id) {
  return plan.index().Get<RackPair>(Kind::kRackPair, id);
}

std::unexpected<Refusal> NoPair(EntityId id) {
  return Refuse(RefusalKind::kNotFound, "id", FormatId(Kind::kRackPair, id) + " does not exist",
                "list the pairs");
}

}  // namespace

bool IsFresh(const PairRackView& view, EntityId pair, Instant now) noexcept {
  return view.connected && view.report && view.report->pair == pair.value &&
         now - view.report->at <= kPairReportFresh;
}

bool AreNormal(const std::array<PairRackView, 2>& views, EntityId pair, Instant now) noexcept {
  return std::ranges::all_of(views, [&](const PairRackView& view) {
    return IsFresh(view, pair, now) && view.report->normal;
  });
}

PairVerdict PairWatch::Step(EntityId id, const RackPair& pair,
                            const std::array<PairRackView, 2>& views, Instant now) {
  // A rack that has not heard of the word yet may be normal still, and not for long.
  const std::uint64_t term = pair.down.is_set() ? pair.term : 0;
  const bool heard = std::ranges::all_of(
      views, [&](const PairRackView& view) { return view.report && view.report->term == term; });
  if ((!pair.formed || pair.down.is_set()) && heard && AreNormal(views, id, now)) {
    return PairVerdict::kMet;
  }
  const Duration wait = Duration::Seconds(pair.auto_partner_down_seconds);
  for (std::size_t side = 0; side < 2; ++side) {
    const bool alone = IsFresh(views[side], id, now) && views[side].report->interrupted &&
                       !views[1 - side].connected && !pair.down.is_set();
    if (!alone) {
      alone_since_[side].reset();
      continue;
    }
    alone_since_[side] = alone_since_[side].value_or(now);
    if (pair.auto_partner_down_seconds != 0 && now - *alone_since_[side] >= wait) {
      return side == 0 ? PairVerdict::kDownB : PairVerdict::kDownA;
    }
  }
  return PairVerdict::kNothing;
}

Outcome DeclareDown(Plan& plan, EntityId id, EntityId rack, std::string_view reason, WallTime now) {
  const RackPair* found = FindPair(plan, id);
  if (found == nullptr) {
    return NoPair(id);
  }
  if (rack != found->rack_a && rack != found->rack_b) {
    return Refuse(RefusalKind::kInvalid, "down", "is not one of the two racks of the pair",
                  "name the one that is down");
  }
  if (reason.empty()) {
    return Refuse(RefusalKind::kInvalid, "reason", "is missing",
                  "say how you know that it is down: powered off, removed, burnt");
  }
  if (found->down == rack) {
    return {};
  }
  RackPair pair = *found;
  // Who goes on was itself declared down, and has not met the other one since.
  pair.survivor_stale = pair.down.is_set();
  pair.down = rack;
  // Racks take no word of a term that is over. Seconds, as a region that was restored from a backup
  // has forgotten its last terms.
  const auto seconds =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.ns / 1'000'000'000));
  pair.term = std::max(pair.term + 1, seconds);
  pair.down_reason = reason;
  pair.down_time = Rfc3339(now);
  return plan.Replace({.kind = Kind::kRackPair, .id = id}, Entity(std::move(pair)));
}

Outcome NoteAddresses(Plan& plan, EntityId id, std::vector<IpAddress> addresses) {
  const auto* found = plan.index().Get<ServedInterface>(Kind::kServedInterface, id);
  if (found == nullptr) {
    return {};  // it was taken away meanwhile
  }
  ServedInterface served = *found;
  served.addresses = std::move(addresses);
  return plan.Replace({.kind = Kind::kServedInterface, .id = id}, Entity(std::move(served)));
}

Outcome MarkMet(Plan& plan, EntityId id) {
  const RackPair* found = FindPair(plan, id);
  if (found == nullptr) {
    return NoPair(id);
  }
  RackPair pair = *found;
  pair.formed = true;
  pair.down = {};
  pair.survivor_stale = false;
  pair.down_reason.clear();
  pair.down_time.clear();
  return plan.Replace({.kind = Kind::kRackPair, .id = id}, Entity(std::move(pair)));
}

}  // namespace slipway::model
