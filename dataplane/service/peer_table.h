// Finds the sessions of a peer and counts them per address: a hash of chains over the indices of a
// fixed table, as both file services need it. Short chains: few sessions per address are allowed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/base/address.h"
#include "dataplane/base/check.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"

namespace slipway::service {

// Thread: the shard's. Memory: taken in the constructor, about 40 bytes a place.
class PeerTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // `seed` keeps peers from choosing addresses that share a chain.
  PeerTable(std::uint32_t places, std::uint64_t seed)
      : places_(std::make_unique<Place[]>(places)),
        heads_(std::make_unique<std::uint32_t[]>(std::bit_ceil(places) * 2)),
        mask_(std::bit_ceil(places) * 2 - 1),
        seed_(seed),
        capacity_(places) {
    for (std::uint32_t i = 0; i <= mask_; ++i) {
      heads_[i] = kNone;
    }
  }

  // REQUIRES: `index` is not in the table.
  void Insert(std::uint32_t index, const IpAddress& address, std::uint16_t port) noexcept {
    SLIP_CHECK(index < capacity_);
    Place& place = places_[index];
    SLIP_CHECK(!place.used);
    std::uint32_t& head = heads_[Bucket(address)];
    place = {.address = address, .next = head, .port = port, .used = true};
    head = index;
  }

  // REQUIRES: `index` is in the table.
  void Erase(std::uint32_t index) noexcept {
    SLIP_CHECK(index < capacity_ && places_[index].used);
    std::uint32_t* link = &heads_[Bucket(places_[index].address)];
    while (*link != index) {
      SLIP_CHECK(*link != kNone);
      link = &places_[*link].next;
    }
    *link = places_[index].next;
    places_[index].used = false;
  }

  // The index under exactly this address and port, or kNone.
  [[nodiscard]] std::uint32_t Find(const IpAddress& address, std::uint16_t port) const noexcept {
    for (std::uint32_t i = heads_[Bucket(address)]; i != kNone; i = places_[i].next) {
      if (places_[i].port == port && places_[i].address == address) {
        return i;
      }
    }
    return kNone;
  }

  [[nodiscard]] std::uint32_t CountOf(const IpAddress& address) const noexcept {
    std::uint32_t count = 0;
    for (std::uint32_t i = heads_[Bucket(address)]; i != kNone; i = places_[i].next) {
      count += places_[i].address == address ? 1U : 0U;
    }
    return count;
  }

 private:
  struct Place {
    IpAddress address;
    std::uint32_t next = kNone;
    std::uint16_t port = 0;
    bool used = false;
  };

  [[nodiscard]] std::uint32_t Bucket(const IpAddress& address) const noexcept {
    const auto bytes = std::as_bytes(std::span(address.v6().octets));
    const std::uint64_t high = LoadBig<std::uint64_t>(bytes.data());
    const std::uint64_t low = LoadBig<std::uint64_t>(bytes.data() + 8);
    return static_cast<std::uint32_t>(Mix64(Mix64(high ^ seed_) ^ low)) & mask_;
  }

  std::unique_ptr<Place[]> places_;
  std::unique_ptr<std::uint32_t[]> heads_;
  std::uint32_t mask_ = 0;
  std::uint64_t seed_ = 0;
  std::uint32_t capacity_ = 0;
};

// A fixed number of equal buffers. Thread: the shard's. Policy when empty: kNone.
class BufferStack {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  BufferStack(std::uint32_t count, std::size_t bytes_each)
      : bytes_(std::make_unique_for_overwrite<std::byte[]>(count * bytes_each)),
        free_(std::make_unique<std::uint32_t[]>(count)),
        bytes_each_(bytes_each),
        count_(count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      free_[i] = count - 1 - i;
    }
    free_count_ = count;
  }

  [[nodiscard]] std::uint32_t Take() noexcept {
    return free_count_ == 0 ? kNone : free_[--free_count_];
  }

  void Give(std::uint32_t index) noexcept {
    SLIP_CHECK(index < count_ && free_count_ < count_);
    free_[free_count_++] = index;
  }

  // Empty for kNone.
  [[nodiscard]] MutableByteSpan At(std::uint32_t index) noexcept {
    return index == kNone ? MutableByteSpan()
                          : MutableByteSpan(bytes_.get() + index * bytes_each_, bytes_each_);
  }

  [[nodiscard]] std::uint32_t free_count() const noexcept { return free_count_; }

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::unique_ptr<std::uint32_t[]> free_;
  std::size_t bytes_each_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t free_count_ = 0;
};

}  // namespace slipway::service
