#include "controlplane/store/memory_store.h"

#include <algorithm>
#include <utility>

namespace slipway::store {

Result<void> CheckBatch(const Batch& batch) {
  if (batch.writes.size() > kBatchWritesMax || batch.compares.size() > kBatchWritesMax) {
    return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(batch.writes.size()));
  }
  const auto check_key = [](std::string_view key) -> Result<void> {
    if (key.empty()) {
      return Fail(ErrorCode::kMalformed);
    }
    if (key.size() > kKeyBytesMax) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(key.size()));
    }
    return {};
  };
  for (const Compare& compare : batch.compares) {
    SLIP_TRY(check_key(compare.key));
  }
  for (const Write& write : batch.writes) {
    SLIP_TRY(check_key(write.key));
    if (write.value && write.value->size() > kValueBytesMax) {
      return Fail(ErrorCode::kTooLarge, static_cast<std::uint32_t>(write.value->size()));
    }
  }
  return {};
}

MemoryStore::MemoryStore(std::uint64_t epoch, std::size_t change_log_revisions_max)
    : epoch_(epoch), log_revisions_max_(change_log_revisions_max) {}

Result<CommitResult> MemoryStore::CommitLocked(Batch& batch) {
  if (fail_.code != ErrorCode::kNone) {
    return std::unexpected(fail_);
  }
  SLIP_TRY(CheckBatch(batch));
  for (std::size_t i = 0; i < batch.compares.size(); ++i) {
    const Compare& compare = batch.compares[i];
    const auto found = entries_.find(compare.key);
    const Revision modified = found == entries_.end() ? 0 : found->second.modified;
    const bool holds = compare.any_revision ? modified != 0 : modified == compare.modified;
    if (!holds) {
      return CommitResult{.committed = false, .revision = revision_, .failed_compare = i};
    }
  }
  if (batch.writes.empty()) {
    return CommitResult{.committed = true, .revision = revision_};
  }
  ++revision_;
  std::vector<Change>& changes = log_.emplace_back();
  for (Write& write : batch.writes) {
    changes.push_back({.revision = revision_, .key = write.key, .value = write.value});
    if (!write.value) {
      entries_.erase(write.key);
      continue;
    }
    Stored& stored = entries_[write.key];
    stored.value = *std::move(write.value);
    stored.created = stored.created == 0 ? revision_ : stored.created;
    stored.modified = revision_;
  }
  while (log_.size() > log_revisions_max_) {
    log_.pop_front();
  }
  return CommitResult{.committed = true, .revision = revision_};
}

void MemoryStore::Commit(Batch batch, CommitCallback done) {
  std::vector<WatchCallback> watchers;
  Result<CommitResult> result;
  {
    const std::lock_guard lock(mutex_);
    const Revision before = revision_;
    result = CommitLocked(batch);
    if (revision_ != before) {
      watchers = watchers_;
    }
  }
  done(result);
  for (const WatchCallback& watcher : watchers) {
    watcher(result->revision);
  }
}

Result<std::optional<Entry>> MemoryStore::Get(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    return std::optional<Entry>();
  }
  return Entry{.key = found->first,
               .value = found->second.value,
               .created = found->second.created,
               .modified = found->second.modified};
}

Result<Page> MemoryStore::List(std::string_view prefix, std::string_view after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  Page page{.entries = {}, .more = false, .revision = revision_};
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  auto it = after >= prefix && !after.empty() ? entries_.upper_bound(after)
                                              : entries_.lower_bound(prefix);
  for (; it != entries_.end() && it->first.starts_with(prefix); ++it) {
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back({.key = it->first,
                            .value = it->second.value,
                            .created = it->second.created,
                            .modified = it->second.modified});
  }
  return page;
}

Result<std::vector<Change>> MemoryStore::Changes(Revision after, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<Change> changes;
  if (after >= revision_) {
    return changes;
  }
  const Revision oldest = revision_ - log_.size() + 1;
  if (after + 1 < oldest) {
    return Fail(ErrorCode::kExpired);
  }
  for (std::size_t i = after + 1 - oldest; i < log_.size() && changes.size() < limit; ++i) {
    changes.insert(changes.end(), log_[i].begin(), log_[i].end());
  }
  return changes;
}

Revision MemoryStore::revision() {
  const std::lock_guard lock(mutex_);
  return revision_;
}

std::uint64_t MemoryStore::epoch() { return epoch_; }

Result<void> MemoryStore::Watch(WatchCallback callback) {
  const std::lock_guard lock(mutex_);
  if (watchers_.size() == kWatchersMax) {
    return Fail(ErrorCode::kFull);
  }
  watchers_.push_back(std::move(callback));
  return {};
}

void MemoryStore::FailCommits(Error error) {
  const std::lock_guard lock(mutex_);
  fail_ = error;
}

}  // namespace slipway::store
