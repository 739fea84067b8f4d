// Messages from one thread to another: a bounded ring with one producer and one consumer, and a
// wake-up that a driver can watch. Policy when full: the message is refused and counted.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/result.h"
#include "dataplane/shard/wake.h"

namespace slipway::shard {

// T is movable and default constructible. Memory is taken in Create.
template <typename T>
class Mailbox {
 public:
  static_assert(std::is_nothrow_move_assignable_v<T> && std::is_default_constructible_v<T>);

  // kOutOfRange unless `capacity` is a power of two below 2^31; kSystem with errno.
  [[nodiscard]] static Result<std::unique_ptr<Mailbox>> Create(std::uint32_t capacity) {
    if (!std::has_single_bit(capacity) || capacity > (std::uint32_t{1} << 30)) {
      return Fail(ErrorCode::kOutOfRange, capacity);
    }
    return std::unique_ptr<Mailbox>(new Mailbox(SLIP_TRY(Wake::OpenEvent()), capacity));
  }

  // Producer's thread. False if full (counted): `message` is untouched. The consumer learns of it
  // with the next Notify: push a batch, then notify once.
  [[nodiscard]] bool Push(T& message) noexcept {
    return Emplace([&message](T& place) { place = std::move(message); });
  }

  // As Push, for messages too large to be moved twice: calls fill(T&) with the place itself, where
  // an older message lies.
  template <typename Fill>
  [[nodiscard]] bool Emplace(Fill&& fill) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - seen_head_ == capacity_) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (tail - seen_head_ == capacity_) {
        refused_.Add();
        return false;
      }
    }
    fill(items_[tail & (capacity_ - 1)]);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  [[nodiscard]] bool Push(T&& message) noexcept { return Push(message); }

  // Producer's thread. One system call at most, none while the consumer is awake and behind.
  void Notify() noexcept { wake_.Notify(); }

  // Free places as the producer sees them; at least that many pushes succeed.
  [[nodiscard]] std::uint32_t room() noexcept {
    seen_head_ = head_.load(std::memory_order_acquire);
    return capacity_ - (tail_.load(std::memory_order_relaxed) - seen_head_);
  }

  // Consumer's thread: calls handle(T&) for at most `messages_max` messages, oldest first. If more
  // are left, the wake-up stays raised. Returns the number handled.
  template <typename Handle>
  std::size_t Drain(std::size_t messages_max, Handle&& handle) {
    return Take(messages_max, [this, &handle](T& place, std::uint32_t next) {
      T message = std::move(place);
      // The place is free before the handler runs: it may make the producer push again.
      head_.store(next, std::memory_order_release);
      handle(message);
    });
  }

  // As Drain, but the message is handled where it lies, and its place is free afterwards.
  template <typename Handle>
  std::size_t DrainInPlace(std::size_t messages_max, Handle&& handle) {
    return Take(messages_max, [this, &handle](T& place, std::uint32_t next) {
      handle(place);
      head_.store(next, std::memory_order_release);
    });
  }

  // For the consumer's driver or poll: readable when there is something to drain.
  [[nodiscard]] int wake_fd() const noexcept { return wake_.fd(); }

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  // Messages refused because the box was full.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.value(); }

 private:
  template <typename Each>
  std::size_t Take(std::size_t messages_max, Each&& each) {
    wake_.Clear();
    std::uint32_t head = head_.load(std::memory_order_relaxed);
    const std::uint32_t tail = tail_.load(std::memory_order_acquire);
    SLIP_DCHECK(tail - head <= capacity_);
    std::size_t handled = 0;
    while (head != tail && handled < messages_max) {
      each(items_[head & (capacity_ - 1)], head + 1);
      ++head;
      ++handled;
    }
    if (head != tail_.load(std::memory_order_acquire)) {
      wake_.Notify();
    }
    return handled;
  }

  // Two lines: the prefetcher pulls pairs.
  static constexpr std::size_t kApart = 128;

  Mailbox(OwnedFd event, std::uint32_t capacity)
      : capacity_(capacity), items_(std::make_unique<T[]>(capacity)), wake_(std::move(event)) {}

  const std::uint32_t capacity_;
  const std::unique_ptr<T[]> items_;
  Wake wake_;
  alignas(kApart) std::atomic<std::uint32_t> head_{0};  // consumer's
  alignas(kApart) std::atomic<std::uint32_t> tail_{0};  // producer's
  std::uint32_t seen_head_ = 0;                         // producer's copy of head_
  Counter refused_;
};

}  // namespace slipway::shard
