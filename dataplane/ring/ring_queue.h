// One io_uring as the driver uses it: filled in the shard's thread, entered once per turn.
#pragma once

#include <cstdint>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/ring/ring_abi.h"

namespace slipway::ring {

// Owner: RingDriver or the probe. Made on any thread, disabled; the thread that calls Enable is the
// only one that may use it from then on.
class RingQueue {
 public:
  RingQueue() = default;
  ~RingQueue();

  RingQueue(const RingQueue&) = delete;
  RingQueue& operator=(const RingQueue&) = delete;

  // kUnavailable with errno: the kernel denies io_uring (EPERM, ENOSYS) or lacks a flag (EINVAL).
  [[nodiscard]] Result<void> Open(unsigned sq_entries, unsigned cq_entries) noexcept;
  // After this only the driver's operations pass: seccomp does not see what a ring does.
  // REQUIRES: open, not enabled.
  [[nodiscard]] Result<void> Restrict() noexcept;
  [[nodiscard]] Result<void> Enable() noexcept;
  // Ends it; operations in flight are cancelled by the kernel.
  void Close() noexcept;

  [[nodiscard]] bool enabled() const noexcept { return enabled_; }

  [[nodiscard]] io_uring* raw() noexcept { return &ring_; }

  // A cleared entry, or null if the queue is full even after a submission.
  [[nodiscard]] io_uring_sqe* GetSqe() noexcept;

  // Hands all queued entries to the kernel, without waiting and without taking completions.
  [[nodiscard]] Result<void> Submit() noexcept;
  // Submits, runs the kernel's deferred work, and waits for that many completions for at most
  // `wait`; 0 does not wait, a negative one waits for ever.
  [[nodiscard]] Result<void> Enter(Duration wait, unsigned completions) noexcept;

  // Entries that the kernel has not taken yet.
  [[nodiscard]] unsigned unsubmitted() const noexcept { return io_uring_sq_ready(&ring_); }

  [[nodiscard]] unsigned completions() const noexcept { return io_uring_cq_ready(&ring_); }

  // The completion `index` places from the oldest. REQUIRES: index < completions().
  [[nodiscard]] const io_uring_cqe& completion(unsigned index) const noexcept {
    return ring_.cq.cqes[(*ring_.cq.khead + index) & ring_.cq.ring_mask];
  }

  void Consume(unsigned count) noexcept { io_uring_cq_advance(&ring_, count); }

 private:
  [[nodiscard]] Result<void> EnterKernel(unsigned wanted, unsigned flags,
                                         const io_uring_getevents_arg* argument) noexcept;

  io_uring ring_{};
  bool open_ = false;
  bool enabled_ = false;
  unsigned enter_flags_ = 0;
};

}  // namespace slipway::ring
