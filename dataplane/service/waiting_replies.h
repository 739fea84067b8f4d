// Replies that wait until what they promise is on disk: a ring in the order of submission. A reply
// is built where it would wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/check.h"
#include "dataplane/base/counter.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/lease/lease_table.h"

namespace slipway::service {

// Replies that may wait at one time: at 100,000 exchanges a second, 80 ms of disk.
inline constexpr std::uint32_t kWaitingRepliesMax = 8192;

// `Entry` has `position` and `ticket` of its record. Thread: the shard's. Memory: all in the
// constructor.
template <typename Entry>
class WaitingReplies {
 public:
  static_assert((kWaitingRepliesMax & (kWaitingRepliesMax - 1)) == 0);

  WaitingReplies() : entries_(std::make_unique<Entry[]>(kWaitingRepliesMax)) {}

  [[nodiscard]] bool full() const noexcept { return count_ == kWaitingRepliesMax; }

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  // Where the next reply is built. REQUIRES: !full().
  [[nodiscard]] Entry& Next() noexcept {
    SLIP_DCHECK(!full());
    return entries_[(head_ + count_) & (kWaitingRepliesMax - 1)];
  }

  // The reply in Next() waits.
  void Keep() noexcept {
    SLIP_CHECK(!full());
    ++count_;
  }

  // Everything before position `durable` is on disk: `send(entry)` sends a reply, or returns false
  // if it has no room: then it and all behind it stay, and so does this call return false. A reply
  // whose binding has moved on meanwhile (released, or asked for again) would promise what is no
  // longer so: it is dropped and counted. `durable_now(ticket)` hears of each record.
  template <typename Send, typename DurableNow>
  [[nodiscard]] bool Release(std::uint64_t durable, const lease::LeaseTable& leases,
                             Counter& dropped_stale, Send send, DurableNow durable_now) {
    while (count_ > 0) {
      Entry& entry = entries_[head_];
      if (entry.position >= durable) {
        break;
      }
      // Each change of a binding has a version of its own.
      const lease::Lease* const lease = leases.ByAddress(entry.ticket.address);
      if (lease == nullptr || lease->version != entry.ticket.version) {
        dropped_stale.Add();
      } else if (!send(entry)) {
        return false;
      }
      durable_now(entry.ticket);
      head_ = (head_ + 1) & (kWaitingRepliesMax - 1);
      --count_;
    }
    return true;
  }

 private:
  std::unique_ptr<Entry[]> entries_;
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace slipway::service
