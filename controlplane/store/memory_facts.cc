#include "controlplane/store/memory_facts.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "controlplane/store/fact_codec.h"
#include "controlplane/store/facts_apply.h"

namespace slipway::store {

namespace {

using LeaseMapKey = std::pair<std::uint64_t, IpAddress>;  // subnet, address

class MemoryFacts final : public FactsStore, private FactsBackend {
 public:
  explicit MemoryFacts(const FactsLimits& limits) : limits_(limits) {}

  void Apply(FactsBatch batch, ApplyCallback done) override;
  void AppendEvent(EventRow event, DoneCallback done) override;
  [[nodiscard]] FactsCursor Cursor(std::uint64_t rack, FactClass fact_class) override;
  [[nodiscard]] Result<FactsPage<LeaseRow>> Leases(std::optional<LeaseKey> after,
                                                   std::size_t limit) override;
  [[nodiscard]] Result<std::optional<LeaseRow>> LeaseByAddress(LeaseKey key) override;
  [[nodiscard]] Result<std::vector<LeaseRow>> LeasesByMac(MacAddress mac,
                                                          std::size_t limit) override;
  [[nodiscard]] Result<std::vector<BootStepRow>> BootSteps(MacAddress mac, std::uint64_t after,
                                                           std::size_t limit) override;
  [[nodiscard]] Result<FactsPage<BootStepRow>> BootStepsAfter(std::uint64_t after,
                                                              std::size_t limit) override;
  [[nodiscard]] Result<FactsPage<EventRow>> Events(std::uint64_t after, std::size_t limit) override;
  [[nodiscard]] Result<std::uint64_t> OldestEvent() override;
  [[nodiscard]] Result<std::optional<InventoryRow>> LatestInventory(MacAddress mac) override;
  [[nodiscard]] Result<FactsPage<InventoryRow>> InventoriesAfter(std::uint64_t after,
                                                                 std::size_t limit) override;
  [[nodiscard]] Result<FactsPositions> Positions() override;
  Result<void> Watch(WatchCallback callback) override;

 private:
  [[nodiscard]] Result<FactsCursor> LoadCursor(std::uint64_t rack, FactClass fact_class) override;
  [[nodiscard]] Result<void> StoreCursor(std::uint64_t rack, FactClass fact_class,
                                         FactsCursor cursor) override;

  [[nodiscard]] TablesUnderWay& Tables() override { return tables_; }

  [[nodiscard]] Result<void> PutLease(LeaseRow row) override;
  [[nodiscard]] Result<void> PutInventory(InventoryRow row) override;
  [[nodiscard]] Result<void> PutBootStep(BootStepRow row) override;
  [[nodiscard]] Result<std::uint64_t> PutEvent(EventRow row) override;

  void Notify();

  std::mutex mutex_;
  const FactsLimits limits_;
  std::map<std::pair<std::uint64_t, FactClass>, FactsCursor> cursors_;
  TablesUnderWay tables_;
  std::map<LeaseMapKey, LeaseRow> leases_;
  std::map<std::uint64_t, std::map<LeaseMapKey, bool>> leases_by_mac_;
  std::map<std::uint64_t, std::deque<std::uint64_t>> steps_by_mac_;  // positions
  std::map<std::uint64_t, BootStepRow> steps_;
  std::map<std::uint64_t, std::uint64_t> macs_by_last_step_;  // newest position -> MAC
  std::deque<EventRow> events_;
  std::deque<InventoryRow> inventories_;
  std::map<std::uint64_t, InventoryRow> latest_inventory_;
  FactsPositions positions_;
  std::vector<WatchCallback> watchers_;
};

// ---- writing ----

Result<FactsCursor> MemoryFacts::LoadCursor(std::uint64_t rack, FactClass fact_class) {
  const auto found = cursors_.find({rack, fact_class});
  return found == cursors_.end() ? FactsCursor{} : found->second;
}

Result<void> MemoryFacts::StoreCursor(std::uint64_t rack, FactClass fact_class,
                                      FactsCursor cursor) {
  cursors_[{rack, fact_class}] = cursor;
  return {};
}

Result<void> MemoryFacts::PutLease(LeaseRow row) {
  const LeaseMapKey key{row.subnet, row.address};
  const auto found = leases_.find(key);
  if (found != leases_.end()) {
    if (!Supersedes(row, found->second)) {
      return {};
    }
    leases_by_mac_[found->second.mac.ToU64()].erase(key);
  }
  leases_by_mac_[row.mac.ToU64()][key] = true;
  leases_[key] = std::move(row);
  return {};
}

Result<void> MemoryFacts::PutInventory(InventoryRow row) {
  row.position = ++positions_.inventories;
  latest_inventory_[row.mac.ToU64()] = row;
  inventories_.push_back(std::move(row));
  while (inventories_.size() > limits_.inventories_max) {
    inventories_.pop_front();
  }
  return {};
}

Result<void> MemoryFacts::PutBootStep(BootStepRow row) {
  row.position = ++positions_.boot_steps;
  const std::uint64_t mac = row.mac.ToU64();
  std::deque<std::uint64_t>& positions = steps_by_mac_[mac];
  if (!positions.empty()) {
    macs_by_last_step_.erase(positions.back());
  }
  positions.push_back(row.position);
  macs_by_last_step_[row.position] = mac;
  steps_[row.position] = std::move(row);
  if (positions.size() > limits_.boot_steps_per_mac_max) {
    steps_.erase(positions.front());
    positions.pop_front();
  }
  if (steps_by_mac_.size() > limits_.boot_step_macs_max) {
    const auto oldest = macs_by_last_step_.begin();
    for (const std::uint64_t position : steps_by_mac_[oldest->second]) {
      steps_.erase(position);
    }
    steps_by_mac_.erase(oldest->second);
    macs_by_last_step_.erase(oldest);
  }
  return {};
}

Result<std::uint64_t> MemoryFacts::PutEvent(EventRow row) {
  row.position = ++positions_.events;
  events_.push_back(std::move(row));
  while (events_.size() > limits_.events_max) {
    events_.pop_front();
  }
  return positions_.events;
}

void MemoryFacts::Apply(FactsBatch batch, ApplyCallback done) {
  Result<FactsApplied> result;
  {
    const std::lock_guard lock(mutex_);
    result = ApplyFacts(*this, batch);
  }
  done(result);
  if (result) {
    Notify();
  }
}

void MemoryFacts::AppendEvent(EventRow event, DoneCallback done) {
  Result<std::uint64_t> position;
  {
    const std::lock_guard lock(mutex_);
    position = PutEvent(std::move(event));
  }
  done(position);
  Notify();
}

void MemoryFacts::Notify() {
  std::vector<WatchCallback> callbacks;
  FactsPositions positions;
  {
    const std::lock_guard lock(mutex_);
    callbacks = watchers_;
    positions = positions_;
  }
  for (const WatchCallback& callback : callbacks) {
    callback(positions);
  }
}

// ---- reading ----

FactsCursor MemoryFacts::Cursor(std::uint64_t rack, FactClass fact_class) {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find({rack, fact_class});
  return found == cursors_.end() ? FactsCursor{} : found->second;
}

Result<FactsPage<LeaseRow>> MemoryFacts::Leases(std::optional<LeaseKey> after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  limit = std::clamp<std::size_t>(limit, 1, kFactsPageMax);
  FactsPage<LeaseRow> page;
  auto it = after ? leases_.upper_bound({after->subnet, after->address}) : leases_.begin();
  for (; it != leases_.end(); ++it) {
    if (page.rows.size() == limit) {
      page.more = true;
      break;
    }
    page.rows.push_back(it->second);
  }
  return page;
}

Result<std::optional<LeaseRow>> MemoryFacts::LeaseByAddress(LeaseKey key) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find({key.subnet, key.address});
  return found == leases_.end() ? std::optional<LeaseRow>() : found->second;
}

Result<std::vector<LeaseRow>> MemoryFacts::LeasesByMac(MacAddress mac, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<LeaseRow> rows;
  const auto found = leases_by_mac_.find(mac.ToU64());
  if (found != leases_by_mac_.end()) {
    for (const auto& [key, present] : found->second) {
      rows.push_back(leases_.at(key));
    }
  }
  return NewestGrants(std::move(rows), limit);
}

Result<std::vector<BootStepRow>> MemoryFacts::BootSteps(MacAddress mac, std::uint64_t after,
                                                        std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<BootStepRow> rows;
  const auto found = steps_by_mac_.find(mac.ToU64());
  if (found == steps_by_mac_.end()) {
    return rows;
  }
  const std::deque<std::uint64_t>& positions = found->second;
  const std::size_t skip = positions.size() > limit ? positions.size() - limit : 0;
  for (std::size_t i = skip; i < positions.size(); ++i) {
    if (positions[i] > after) {
      rows.push_back(steps_.at(positions[i]));
    }
  }
  return rows;
}

Result<FactsPage<BootStepRow>> MemoryFacts::BootStepsAfter(std::uint64_t after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  limit = std::clamp<std::size_t>(limit, 1, kFactsPageMax);
  FactsPage<BootStepRow> page;
  for (auto it = steps_.upper_bound(after); it != steps_.end(); ++it) {
    if (page.rows.size() == limit) {
      page.more = true;
      break;
    }
    page.rows.push_back(it->second);
  }
  return page;
}

template <typename Row>
FactsPage<Row> PageAfter(const std::deque<Row>& rows, std::uint64_t after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kFactsPageMax);
  FactsPage<Row> page;
  for (auto it = std::ranges::upper_bound(rows, after, {}, &Row::position); it != rows.end();
       ++it) {
    if (page.rows.size() == limit) {
      page.more = true;
      break;
    }
    page.rows.push_back(*it);
  }
  return page;
}

Result<FactsPage<EventRow>> MemoryFacts::Events(std::uint64_t after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return PageAfter(events_, after, limit);
}

Result<std::uint64_t> MemoryFacts::OldestEvent() {
  const std::lock_guard lock(mutex_);
  return events_.empty() ? 0 : events_.front().position;
}

Result<std::optional<InventoryRow>> MemoryFacts::LatestInventory(MacAddress mac) {
  const std::lock_guard lock(mutex_);
  const auto found = latest_inventory_.find(mac.ToU64());
  return found == latest_inventory_.end() ? std::optional<InventoryRow>() : found->second;
}

Result<FactsPage<InventoryRow>> MemoryFacts::InventoriesAfter(std::uint64_t after,
                                                              std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return PageAfter(inventories_, after, limit);
}

Result<FactsPositions> MemoryFacts::Positions() {
  const std::lock_guard lock(mutex_);
  return positions_;
}

Result<void> MemoryFacts::Watch(WatchCallback callback) {
  const std::lock_guard lock(mutex_);
  if (watchers_.size() == kFactsWatchersMax) {
    return Fail(ErrorCode::kFull);
  }
  watchers_.push_back(std::move(callback));
  return {};
}

}  // namespace

std::unique_ptr<FactsStore> MakeMemoryFacts(const FactsLimits& limits) {
  return std::make_unique<MemoryFacts>(limits);
}

}  // namespace slipway::store
