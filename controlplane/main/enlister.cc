#include "controlplane/main/enlister.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace slipway::region {
namespace {

// The position in the log of inventories up to which the model has them.
constexpr std::string_view kCursorKey = "c/inventory";
constexpr std::size_t kPageRows = 32;
constexpr Duration kRetry = Duration::Seconds(1);

}  // namespace

// Shared with the facts store's watcher and with commits under way, which may outlive this.
struct Enlister::Waker {
  std::atomic<Enlister*> owner{nullptr};
  api::Executor* executor = nullptr;
  std::atomic<bool> posted{false};
};

struct Enlister::Attempt {
  store::InventoryRow row;
  model::EnlistResult result;
  bool skip = false;  // the document is of no use: only the cursor moves
};

Enlister::Enlister(Parts parts) : parts_(parts), waker_(std::make_shared<Waker>()) {
  waker_->executor = parts_.executor;
}

Enlister::~Enlister() { waker_->owner.store(nullptr); }

Result<void> Enlister::Start() {
  if (const auto entry = SLIP_TRY(parts_.store->Get(kCursorKey)); entry) {
    const std::string& text = entry->value;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), applied_position_);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return Fail(ErrorCode::kCorrupt);
    }
  }
  const store::FactsPositions positions = SLIP_TRY(parts_.facts->Positions());
  // The facts are younger than the model: they were lost or replaced. Their log begins again.
  if (applied_position_ > positions.inventories) {
    applied_position_ = 0;
  }
  waker_->owner.store(this);
  const auto wake = [waker = waker_] {
    if (waker->posted.exchange(true)) {
      return;
    }
    waker->executor->Post([waker] {
      waker->posted.store(false);
      if (Enlister* const owner = waker->owner.load(); owner != nullptr) {
        owner->Pump();
      }
    });
  };
  SLIP_TRY(parts_.facts->Watch([wake](const store::FactsPositions&) { wake(); }));
  wake();
  return {};
}

void Enlister::Pump() {
  if (busy_) {
    return;
  }
  if (rows_.empty()) {
    auto page = parts_.facts->InventoriesAfter(applied_position_, kPageRows);
    if (!page) {
      parts_.log->Write(LogLevel::kError, "facts-failed",
                        fmt::format("cannot read inventories: {}", ToString(page.error().code)));
      RetryLater();
      return;
    }
    for (store::InventoryRow& row : page->rows) {
      rows_.push_back(std::move(row));
    }
  }
  if (!rows_.empty()) {
    busy_ = true;
    store::InventoryRow row = std::move(rows_.front());
    rows_.pop_front();
    Apply(std::move(row));
  }
}

void Enlister::Apply(store::InventoryRow row) {
  auto attempt = std::make_shared<Attempt>();
  attempt->row = std::move(row);
  parts_.model->Mutate(
      [attempt](model::Plan& plan) -> model::Outcome {
        const store::InventoryRow& from = attempt->row;
        plan.AlsoWrite(std::string(kCursorKey), std::to_string(from.position));
        if (attempt->skip) {
          return {};
        }
        auto result = model::ApplyInventory(plan, {.rack = {from.rack},
                                                   .mac = from.mac,
                                                   .vlan = {from.vlan},
                                                   .document = from.document,
                                                   .time = {from.realtime_ns}});
        if (!result) {
          return std::unexpected(std::move(result.error()));
        }
        attempt->result = *std::move(result);
        return {};
      },
      [attempt, waker = waker_](std::expected<model::MutateResult, model::Refusal> result) mutable {
        waker->executor->Post([attempt, waker, outcome = std::move(result)]() mutable {
          if (Enlister* const owner = waker->owner.load(); owner != nullptr) {
            owner->Finish(attempt, std::move(outcome));
          }
        });
      });
}

void Enlister::Finish(const std::shared_ptr<Attempt>& attempt,
                      std::expected<model::MutateResult, model::Refusal> result) {
  busy_ = false;
  if (!result && result.error().kind != model::RefusalKind::kStore && !attempt->skip) {
    refused_.fetch_add(1);
    const model::Problems& problems = result.error().problems;
    Announce(attempt->row,
             {.code = "inventory-refused",
              .subject = std::string(ToText(attempt->row.mac).view()),
              .detail = problems.empty() ? std::string("the document is of no use")
                                         : fmt::format("{} {}", problems.front().field,
                                                       problems.front().problem)});
    // Only the cursor moves.
    attempt->skip = true;
    busy_ = true;
    store::InventoryRow row = attempt->row;
    auto skip = std::make_shared<Attempt>(*attempt);
    parts_.model->Mutate(
        [position = row.position](model::Plan& plan) -> model::Outcome {
          plan.AlsoWrite(std::string(kCursorKey), std::to_string(position));
          return {};
        },
        [skip, waker = waker_](std::expected<model::MutateResult, model::Refusal> moved) mutable {
          waker->executor->Post([skip, waker, outcome = std::move(moved)]() mutable {
            if (Enlister* const owner = waker->owner.load(); owner != nullptr) {
              owner->Finish(skip, std::move(outcome));
            }
          });
        });
    return;
  }
  if (!result) {
    parts_.log->Write(
        LogLevel::kError, "enlist-failed",
        fmt::format("the inventory of {} is kept for later: {}", ToText(attempt->row.mac).view(),
                    ToString(result.error().error.code)));
    rows_.push_front(std::move(attempt->row));
    RetryLater();
    return;
  }
  applied_position_ = attempt->row.position;
  if (!attempt->skip) {
    applied_.fetch_add(1);
    created_.fetch_add(attempt->result.created ? 1 : 0);
    for (const model::EnlistEvent& event : attempt->result.events) {
      Announce(attempt->row, event);
    }
  }
  Pump();
}

void Enlister::Announce(const store::InventoryRow& row, const model::EnlistEvent& event) {
  parts_.log->Write(LogLevel::kInfo, event.code,
                    fmt::format("subject={} {}", event.subject, event.detail));
  store::EventRow out;
  out.rack = row.rack;
  out.realtime_ns = parts_.clock->WallNow().ns;
  out.code = event.code;
  out.subject = event.subject;
  out.detail = event.detail;
  parts_.facts->AppendEvent(std::move(out), [](Result<std::uint64_t>) {});
}

void Enlister::RetryLater() {
  parts_.executor->After(kRetry, [waker = waker_] {
    if (Enlister* const owner = waker->owner.load(); owner != nullptr) {
      owner->Pump();
    }
  });
}

void Enlister::Collect(api::MetricsWriter& out) {
  out.Counter("slipway_enlist_inventories_total", "Inventories applied to the model.",
              applied_.load());
  out.Counter("slipway_enlist_machines_total", "Machines made from inventories.", created_.load());
  out.Counter("slipway_enlist_refused_total", "Inventories that were of no use.", refused_.load());
}

}  // namespace slipway::region
