// Hands immutable values (snapshots) to a shard, swapped between turns, and brings the old ones
// back. The publisher frees a value when every shard it was given to has let go of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/result.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/mailbox.h"

namespace slipway::shard {

// One per shard. The publisher's thread owns the values; the shard only borrows.
template <typename T>
class HandOver final : public WatchHandler {
 public:
  // Values that the publisher may have under way to the shard.
  static constexpr std::uint32_t kUnderWayMax = 8;

  struct Released {
    const T* value = nullptr;      // let go by the shard; null for the first one
    std::uint64_t generation = 0;  // what the shard lives on now
  };

  [[nodiscard]] static Result<std::unique_ptr<HandOver>> Create() {
    auto down = SLIP_TRY(Mailbox<Message>::Create(kUnderWayMax));
    // Never full: a value comes back for each that went down.
    auto up = SLIP_TRY(Mailbox<Released>::Create(2 * kUnderWayMax));
    return std::unique_ptr<HandOver>(new HandOver(std::move(down), std::move(up)));
  }

  // Publisher. False if too many are under way: coalesce, and publish the newest after Collect.
  [[nodiscard]] bool Publish(const T* value, std::uint64_t generation) noexcept {
    if (under_way_ == kUnderWayMax || !down_->Push(Message{value, generation})) {
      return false;
    }
    ++under_way_;
    down_->Notify();
    return true;
  }

  // Publisher, when released_fd() is readable: calls handle(Released&) for each swap made.
  template <typename Handle>
  void Collect(Handle&& handle) {
    under_way_ -= static_cast<std::uint32_t>(up_->Drain(2 * kUnderWayMax, handle));
  }

  [[nodiscard]] int released_fd() const noexcept { return up_->wake_fd(); }

  // Shard, before it is sealed.
  [[nodiscard]] Result<WatchId> Attach(Driver& driver) {
    return driver.AddWatch(down_->wake_fd(), kReadable, this);
  }

  // Shard: valid until the driver's next Turn. Null before the first hand-over.
  [[nodiscard]] const T* current() const noexcept { return current_; }

  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

  void OnReady(WatchId /*watch*/, std::uint32_t /*events*/, Instant /*now*/) override {
    (void)down_->Drain(kUnderWayMax, [this](Message& message) {
      const Released released{current_, message.generation};
      current_ = message.value;
      generation_ = message.generation;
      SLIP_CHECK(up_->Push(Released{released}));
    });
    up_->Notify();
  }

 private:
  struct Message {
    const T* value = nullptr;
    std::uint64_t generation = 0;
  };

  HandOver(std::unique_ptr<Mailbox<Message>> down, std::unique_ptr<Mailbox<Released>> up) noexcept
      : down_(std::move(down)), up_(std::move(up)) {}

  const std::unique_ptr<Mailbox<Message>> down_;
  const std::unique_ptr<Mailbox<Released>> up_;
  std::uint32_t under_way_ = 0;  // publisher's
  const T* current_ = nullptr;   // shard's
  std::uint64_t generation_ = 0;
};

}  // namespace slipway::shard
