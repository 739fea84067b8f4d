#include "controlplane/main/pair_keeper.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::region {
namespace {

namespace json = boost::json;
using model::EntityId;
using model::Kind;
using model::RackPair;

constexpr Duration kTick = Duration::Seconds(1);
// While nothing is to be decided.
constexpr Duration kAskSeldom = Duration::Seconds(5);

[[nodiscard]] EntityId RackOf(const RackPair& pair, std::size_t side) noexcept {
  return side == 0 ? pair.rack_a : pair.rack_b;
}

[[nodiscard]] std::uint64_t NumberAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  boost::system::error_code error;
  const auto number = value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

[[nodiscard]] std::string_view TextAt(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string()
             ? std::string_view(value->get_string().data(), value->get_string().size())
             : std::string_view{};
}

// Those of an interface that others can reach, in order.
[[nodiscard]] std::vector<IpAddress> AddressesOf(const api::RackLinkStatus& status,
                                                 std::string_view interface) {
  std::vector<IpAddress> addresses;
  for (const auto& row : status.interfaces) {
    if (row.name != interface) {
      continue;
    }
    for (const std::string& text : row.addresses) {
      const auto address = IpAddress::Parse(std::string_view(text).substr(0, text.find('/')));
      if (address && addresses.size() < model::kServedAddressesMax &&
          (address->is_v4() || !address->v6().is_link_local())) {
        addresses.push_back(*address);
      }
    }
  }
  std::ranges::sort(addresses);
  return addresses;
}

}  // namespace

// Shared with questions and commits under way, which may outlive this.
struct PairKeeper::Waker {
  std::atomic<PairKeeper*> owner{nullptr};
  api::Executor* executor = nullptr;
};

PairKeeper::PairKeeper(Parts parts) : parts_(parts), waker_(std::make_shared<Waker>()) {
  waker_->executor = parts_.executor;
}

PairKeeper::~PairKeeper() { waker_->owner.store(nullptr); }

void PairKeeper::Start() {
  waker_->owner.store(this);
  Refresh();
  Later();
}

void PairKeeper::Later() {
  parts_.executor->After(kTick, [waker = waker_] {
    if (PairKeeper* const owner = waker->owner.load(); owner != nullptr) {
      owner->Tick();
    }
  });
}

void PairKeeper::Tick() {
  Refresh();
  std::uint64_t normal = 0;
  std::uint64_t down = 0;
  const Instant now = parts_.clock->Now();
  for (auto& [id, entry] : entries_) {
    Look(id, entry);
    normal += model::AreNormal(ViewsOf(entry), id, now) ? 1U : 0U;
    down += entry.pair.down.is_set() ? 1U : 0U;
  }
  pairs_.store(entries_.size());
  pairs_normal_.store(normal);
  pairs_down_.store(down);
  Later();
}

void PairKeeper::Refresh() {
  std::vector<std::pair<EntityId, RackPair>> pairs;
  parts_.model->Read([&](const model::ModelIndex& index) {
    for (const auto& [id, row] : index.All(Kind::kRackPair)) {
      pairs.emplace_back(id, row.as<RackPair>());
    }
    return 0;
  });
  std::map<EntityId, Entry> old = std::exchange(entries_, {});
  for (auto& [id, pair] : pairs) {
    const auto found = old.find(id);
    if (found == old.end()) {
      Entry& entry = entries_[id];
      entry.pair = std::move(pair);
      entry.since = parts_.clock->Now();
      continue;
    }
    Entry& entry = entries_[id] = std::move(found->second);
    const RackPair before = std::exchange(entry.pair, std::move(pair));
    Noticed(id, before, entry);
  }
}

// Whoever changed it: people too.
void PairKeeper::Noticed(EntityId id, const RackPair& before, Entry& entry) {
  const RackPair& pair = entry.pair;
  if (pair.formed && !before.formed) {
    Announce(pair.rack_a.value, id, "pair-formed", fmt::format("pair={}", pair.name));
  }
  if (pair.term == before.term && pair.down == before.down) {
    return;
  }
  entry.since = parts_.clock->Now();
  if (pair.down.is_set()) {
    Announce(pair.down.value, id, "pair-partner-down",
             fmt::format("pair={} down={} term={} stale={} reason={}", pair.name,
                         model::FormatId(Kind::kRack, pair.down), pair.term, pair.survivor_stale,
                         pair.down_reason));
  } else {
    Announce(before.down.value, id, "pair-rejoined",
             fmt::format("pair={} rack={}", pair.name, model::FormatId(Kind::kRack, before.down)));
  }
}

std::array<model::PairRackView, 2> PairKeeper::ViewsOf(const Entry& entry) {
  std::array<model::PairRackView, 2> views;
  for (std::size_t side = 0; side < 2; ++side) {
    views[side].connected = parts_.racks->StatusOf(RackOf(entry.pair, side).value).connected;
    if (entry.sides[side].heard) {
      views[side].report = entry.sides[side].report;
    }
  }
  return views;
}

void PairKeeper::Look(EntityId id, Entry& entry) {
  const Instant now = parts_.clock->Now();
  const auto views = ViewsOf(entry);
  for (std::size_t side = 0; side < 2; ++side) {
    if (views[side].connected && !entry.sides[side].asking && now >= entry.sides[side].next_ask) {
      Ask(id, entry, side);
    }
  }
  if (entry.deciding) {
    return;
  }
  if (now >= entry.next_note) {
    NoteAddresses(id, entry);
  }
  if (entry.deciding) {
    return;
  }
  switch (entry.watch.Step(id, entry.pair, views, now)) {
    case model::PairVerdict::kNothing:
      return;
    case model::PairVerdict::kMet:
      return Decide(id, entry, [id](model::Plan& plan) { return model::MarkMet(plan, id); });
    case model::PairVerdict::kDownA:
    case model::PairVerdict::kDownB:
      break;
  }
  const bool down_a = views[1].connected;
  declared_.fetch_add(1);
  Decide(id, entry,
         [id, rack = down_a ? entry.pair.rack_a : entry.pair.rack_b,
          seconds = entry.pair.auto_partner_down_seconds,
          wall = parts_.clock->WallNow()](model::Plan& plan) {
           return model::DeclareDown(
               plan, id, rack,
               fmt::format("away from the region and its partner for {} s (timer)", seconds), wall);
         });
}

void PairKeeper::NoteAddresses(EntityId id, Entry& entry) {
  entry.next_note = parts_.clock->Now() + kAskSeldom;
  std::vector<std::pair<EntityId, std::vector<IpAddress>>> changed;
  for (std::size_t side = 0; side < 2; ++side) {
    const EntityId rack = RackOf(entry.pair, side);
    const api::RackLinkStatus status = parts_.racks->StatusOf(rack.value);
    parts_.model->Read([&](const model::ModelIndex& index) {
      for (const EntityId served :
           index.ChildrenOf({.kind = Kind::kRack, .id = rack}, Kind::kServedInterface)) {
        const auto* binding = index.Get<model::ServedInterface>(Kind::kServedInterface, served);
        auto addresses = AddressesOf(status, binding->name);
        // A link that is down has none, and comes back with those it had.
        if (!addresses.empty() && addresses != binding->addresses) {
          changed.emplace_back(served, std::move(addresses));
        }
      }
      return 0;
    });
  }
  if (!changed.empty()) {
    Decide(id, entry, [changed](model::Plan& plan) -> model::Outcome {
      for (const auto& [served, addresses] : changed) {
        if (auto noted = model::NoteAddresses(plan, served, addresses); !noted) {
          return noted;
        }
      }
      return {};
    });
  }
}

void PairKeeper::Ask(EntityId id, Entry& entry, std::size_t side) {
  const bool pending = !entry.pair.formed || entry.pair.down.is_set();
  Side& asked = entry.sides[side];
  asked.asking = true;
  asked.next_ask = parts_.clock->Now() + (pending ? kTick : kAskSeldom);
  parts_.racks->Ask(RackOf(entry.pair, side).value, "pair.show", "{}",
                    [waker = waker_, id, side](Result<api::RackAnswer> answer) mutable {
                      waker->executor->Post([waker, id, side, said = std::move(answer)] {
                        if (PairKeeper* const owner = waker->owner.load(); owner != nullptr) {
                          owner->OnAnswer(id, side, said);
                        }
                      });
                    });
}

void PairKeeper::OnAnswer(EntityId id, std::size_t side, const Result<api::RackAnswer>& answer) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    return;
  }
  Side& asked = found->second.sides[side];
  asked.asking = false;
  boost::system::error_code error;
  const json::value value =
      answer && answer->ok ? json::parse(answer->json, error) : json::value(nullptr);
  if (error || !value.is_object()) {
    return;  // the report that is there grows old
  }
  asked.said = value.get_object();
  asked.heard = true;
  asked.report = {.pair = NumberAt(asked.said, "pair"),
                  .term = NumberAt(asked.said, "term"),
                  .normal = TextAt(asked.said, "state") == "normal",
                  .interrupted = TextAt(asked.said, "state") == "communications-interrupted",
                  .at = parts_.clock->Now()};
}

void PairKeeper::Decide(EntityId id, Entry& entry, model::LiveModel::Planner planner) {
  entry.deciding = true;
  parts_.model->Mutate(
      std::move(planner),
      [waker = waker_, id](std::expected<model::MutateResult, model::Refusal> result) mutable {
        waker->executor->Post([waker, id, failed = !result.has_value()] {
          PairKeeper* const owner = waker->owner.load();
          if (owner == nullptr) {
            return;
          }
          if (const auto found = owner->entries_.find(id); found != owner->entries_.end()) {
            found->second.deciding = false;
          }
          if (failed) {
            // Tried again as long as the reason holds.
            owner->parts_.log->Write(LogLevel::kWarn, "pair-not-recorded",
                                     "pair=" + model::FormatId(Kind::kRackPair, id));
          }
        });
      });
}

void PairKeeper::Announce(std::uint64_t rack, EntityId pair, std::string_view code,
                          std::string detail) {
  parts_.log->Write(LogLevel::kInfo, code, detail);
  store::EventRow event;
  event.rack = rack;
  event.realtime_ns = parts_.clock->WallNow().ns;
  event.code = code;
  event.subject = model::FormatId(Kind::kRackPair, pair);
  event.detail = std::move(detail);
  // A lost event of this kind is no harm: what it tells is in the model.
  parts_.facts->AppendEvent(std::move(event), [](Result<std::uint64_t>) {});
}

api::PairStatus PairKeeper::StatusOf(std::uint64_t pair) {
  api::PairStatus status;
  const auto found = entries_.find({pair});
  if (found == entries_.end()) {
    return status;
  }
  Entry& entry = found->second;
  const Instant now = parts_.clock->Now();
  const auto views = ViewsOf(entry);
  for (std::size_t side = 0; side < 2; ++side) {
    const Side& from = entry.sides[side];
    status.sides[side] = {.connected = views[side].connected,
                          .heard = from.heard,
                          .heard_before = from.heard ? now - from.report.at : Duration{},
                          .said = from.said};
  }
  status.normal = model::AreNormal(views, {pair}, now);
  status.order_age = now - entry.since;
  return status;
}

void PairKeeper::Collect(api::MetricsWriter& out) {
  out.Gauge("slipway_pairs", "Pairs of racks.", pairs_.load());
  out.Gauge("slipway_pairs_normal", "Pairs whose racks both say that they are in state normal.",
            pairs_normal_.load());
  out.Gauge("slipway_pairs_partner_down", "Pairs of which one rack is declared down.",
            pairs_down_.load());
  out.Counter("slipway_pair_declared_by_timer_total", "Racks declared down by a pair's timer.",
              declared_.load());
}

}  // namespace slipway::region
