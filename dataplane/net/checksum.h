// The Internet checksum (RFC 1071).
#pragma once

#include <cstdint>

#include "dataplane/base/cursor.h"

namespace slipway::net {

// Ones' complement sum of 16-bit words, kept unfolded so that pieces can be added one by one. Every
// piece but the last must have an even length.
class Checksum {
 public:
  void Add(ByteSpan bytes) noexcept;

  void AddU16(std::uint16_t value) noexcept { sum_ += value; }

  void AddU32(std::uint32_t value) noexcept { sum_ += (value >> 16) + (value & 0xFFFF); }

  // The value for the checksum field. Over bytes that hold a right checksum it is 0.
  [[nodiscard]] std::uint16_t Finish() const noexcept;

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace slipway::net
