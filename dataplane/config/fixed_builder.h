// A flatbuffers builder whose memory is inside it: encoding without allocation, for shards.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/check.h"

namespace slipway::config {

// Hands out one block, once at a time. Running out is a bug of the caller's size, not input.
template <std::size_t kBytes>
class FixedAllocator final : public flatbuffers::Allocator {
 public:
  std::uint8_t* allocate(std::size_t size) override {
    SLIP_CHECK(!taken_);
    SLIP_CHECK(size <= kBytes);
    taken_ = true;
    return block_.data();
  }

  void deallocate(std::uint8_t*, std::size_t) override { taken_ = false; }

 private:
  alignas(16) std::array<std::uint8_t, kBytes> block_{};
  bool taken_ = false;
};

// kBytes bounds the largest message; growing beyond it fails the check in FixedAllocator.
template <std::size_t kBytes>
class FixedBuilder {
 public:
  static_assert(kBytes % 16 == 0);

  FixedBuilder() : builder_(kBytes, &allocator_, false) {}

  FixedBuilder(const FixedBuilder&) = delete;
  FixedBuilder& operator=(const FixedBuilder&) = delete;

  // Empty, ready for the next message.
  [[nodiscard]] flatbuffers::FlatBufferBuilder& Start() {
    builder_.Clear();
    return builder_;
  }

 private:
  FixedAllocator<kBytes> allocator_;
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace slipway::config
