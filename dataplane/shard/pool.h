// Objects of one kind in a fixed number of places, named by handles that go stale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "dataplane/base/check.h"

namespace slipway::shard {

// Names a place and the tenant it was given to. Never a pointer: a stale handle is recognised.
struct PoolHandle {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;

  [[nodiscard]] constexpr bool is_set() const noexcept { return index != UINT32_MAX; }

  friend constexpr bool operator==(const PoolHandle&, const PoolHandle&) = default;
};

// Memory is taken in the constructor. Thread: the owner's. Objects that are left are destroyed with
// the pool, which asserts then that every place is accounted for.
template <typename T>
class Pool {
 public:
  explicit Pool(std::uint32_t capacity)
      : places_(std::make_unique<Place[]>(capacity)), capacity_(capacity) {
    SLIP_CHECK(capacity < UINT32_MAX);
    for (std::uint32_t i = capacity; i > 0; --i) {
      places_[i - 1].next_free = free_;
      free_ = i - 1;
    }
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ~Pool() {
    CheckBalance();
    for (std::uint32_t i = 0; i < capacity_; ++i) {
      if (Live(places_[i].generation)) {
        std::destroy_at(Object(places_[i]));
      }
    }
  }

  // Constructs an object in a free place; an unset handle if there is none. The place used last is
  // given out first: it is warm.
  template <typename... Args>
  [[nodiscard]] PoolHandle Acquire(Args&&... args) noexcept {
    if (free_ == kNone) {
      return {};
    }
    const std::uint32_t index = free_;
    Place& place = places_[index];
    SLIP_CHECK(!Live(place.generation));
    free_ = place.next_free;
    ++place.generation;
    ++in_use_;
    ::new (static_cast<void*>(place.bytes)) T{std::forward<Args>(args)...};
    return {.index = index, .generation = place.generation};
  }

  // Null if the handle is unset or stale.
  [[nodiscard]] T* Get(PoolHandle handle) noexcept {
    if (handle.index >= capacity_ || places_[handle.index].generation != handle.generation) {
      return nullptr;
    }
    SLIP_DCHECK(Live(handle.generation));
    return Object(places_[handle.index]);
  }

  // Destroys the object. False if the handle is unset or stale: a double release does no harm.
  bool Release(PoolHandle handle) noexcept {
    T* const object = Get(handle);
    if (object == nullptr) {
      return false;
    }
    SLIP_CHECK(in_use_ > 0);
    std::destroy_at(object);
    Place& place = places_[handle.index];
    ++place.generation;
    place.next_free = free_;
    free_ = handle.index;
    --in_use_;
    return true;
  }

  // Calls visit(handle, object) for every object. The object visited may be released.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (std::uint32_t i = 0; i < capacity_; ++i) {
      if (Live(places_[i].generation)) {
        visit(PoolHandle{.index = i, .generation = places_[i].generation}, *Object(places_[i]));
      }
    }
  }

  // Aborts unless every place is either live or on the free list.
  void CheckBalance() const noexcept {
    std::uint32_t free = 0;
    for (std::uint32_t i = free_; i != kNone; i = places_[i].next_free) {
      SLIP_CHECK(!Live(places_[i].generation));
      ++free;
      SLIP_CHECK(free <= capacity_);
    }
    SLIP_CHECK(free + in_use_ == capacity_);
  }

  [[nodiscard]] std::uint32_t in_use() const noexcept { return in_use_; }

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  [[nodiscard]] static constexpr std::size_t place_bytes() noexcept { return sizeof(Place); }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Place {
    alignas(T) std::byte bytes[sizeof(T)];
    std::uint32_t generation = 0;  // odd while an object lives here
    std::uint32_t next_free = kNone;
  };

  [[nodiscard]] static constexpr bool Live(std::uint32_t generation) noexcept {
    return (generation & 1) != 0;
  }

  [[nodiscard]] static T* Object(Place& place) noexcept {
    return std::launder(static_cast<T*>(static_cast<void*>(place.bytes)));
  }

  std::unique_ptr<Place[]> places_;
  std::uint32_t capacity_ = 0;
  std::uint32_t free_ = kNone;
  std::uint32_t in_use_ = 0;
};

}  // namespace slipway::shard
