// Replies that wait until what they promise is on disk: a ring in the order of submission. They are
// sent from where they wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/check.h"
#include "dataplane/base/counter.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/service/lease_log.h"
#include "dataplane/shard/driver.h"

namespace slipway::service {

// Replies that may wait at one time: at 100,000 exchanges a second, 80 ms of disk.
inline constexpr std::uint32_t kRepliesWaitingMax = 8192;

enum class Sent : std::uint8_t { kQueued, kFull, kRefused };

// Sends by `send()`, which says whether the driver took it. kFull: there is room in the next turn.
template <typename Send>
[[nodiscard]] Sent TrySend(const shard::Driver& driver, Send send) {
  const std::uint64_t full_before = driver.counters().send_dropped.value();
  if (send()) {
    return Sent::kQueued;
  }
  return driver.counters().send_dropped.value() == full_before ? Sent::kRefused : Sent::kFull;
}

struct WaitingCounters {
  Counter waiting;        // now
  Counter dropped_stale;  // the binding moved on while its reply waited, or the partner has it
};

// `Entry` has `position` and `ticket` of its record. Thread: the shard's. Memory: all in the
// constructor, not cleared: what is never used is never touched.
template <typename Entry>
class WaitingReplies {
 public:
  static_assert((kRepliesWaitingMax & (kRepliesWaitingMax - 1)) == 0);

  WaitingReplies() : entries_(std::make_unique_for_overwrite<Entry[]>(kRepliesWaitingMax)) {}

  [[nodiscard]] bool full() const noexcept {
    return count_ + released_ + sending_ == kRepliesWaitingMax;
  }

  // A place for one more, which waits from now on: the caller fills it in. REQUIRES: !full().
  [[nodiscard]] Entry& Add() noexcept {
    SLIP_CHECK(!full());
    Entry& entry = entries_[(head_ + count_) & (kRepliesWaitingMax - 1)];
    ++count_;
    counters_.waiting.Set(count_);
    return entry;
  }

  // Everything before position `durable` is on disk: `send(entry)` says what became of a reply.
  // False if the driver was full: that reply and all behind it stay. A reply whose binding has
  // moved on meanwhile (released, or asked for again) would promise what is no longer so: it is
  // dropped and counted. One that waits for the partner's disk too holds up those behind it, which
  // wait for the same. `durable_now(ticket)` hears of each record.
  template <typename Send, typename DurableNow>
  [[nodiscard]] bool Release(std::uint64_t durable, const LeaseLog& log, Instant now, Send send,
                             DurableNow durable_now) {
    bool all = true;
    while (count_ > 0) {
      Entry& entry = entries_[head_ & (kRepliesWaitingMax - 1)];
      if (entry.position >= durable) {
        break;
      }
      const LeaseLog::Leave leave = log.MayLeave(entry.ticket, now);
      if (leave == LeaseLog::Leave::kWait) {
        break;
      }
      if (leave == LeaseLog::Leave::kDrop) {
        counters_.dropped_stale.Add();
      } else if (send(entry) == Sent::kFull) {
        all = false;
        break;
      }
      durable_now(entry.ticket);
      ++head_;
      --count_;
      ++released_;
    }
    counters_.waiting.Set(count_);
    return all;
  }

  // Once in each turn, before Release: what was sent before that turn has left, and its places are
  // free.
  void OnTurn() noexcept {
    sending_ = released_;
    released_ = 0;
  }

  [[nodiscard]] const WaitingCounters& counters() const noexcept { return counters_; }

 private:
  std::unique_ptr<Entry[]> entries_;
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  // Before head_: the driver may still read them.
  std::uint32_t released_ = 0;  // since the last turn's end
  std::uint32_t sending_ = 0;   // in the turn before that
  WaitingCounters counters_;
};

}  // namespace slipway::service
