// Wakes a thread that waits in a driver (or in poll): an eventfd that is written only when its
// reader may be asleep.
#pragma once

#include <atomic>

#include "dataplane/base/result.h"
#include "dataplane/shard/fd.h"

namespace slipway::shard {

class Wake {
 public:
  [[nodiscard]] static Result<OwnedFd> OpenEvent() noexcept;

  explicit Wake(OwnedFd event) noexcept : event_(std::move(event)) {}

  // For Driver::AddWatch(kReadable) or poll(2). Stays this object's.
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

  // Any thread. What was written before it is seen by the reader after Clear.
  void Notify() noexcept;

  // The reader, before it looks at what it was woken for.
  void Clear() noexcept;

 private:
  OwnedFd event_;
  std::atomic<bool> signalled_{false};
};

}  // namespace slipway::shard
