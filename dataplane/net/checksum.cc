#include "dataplane/net/checksum.h"

#include <cstddef>

namespace slipway::net {

void Checksum::Add(ByteSpan bytes) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    // Words of 32 bits fold to the same ones' complement sum (RFC 1071 2).
    const auto word = LoadBig<std::uint64_t>(bytes.data() + i);
    sum_ += (word >> 32) + (word & 0xFFFF'FFFF);
  }
  for (; i + 2 <= bytes.size(); i += 2) {
    sum_ += LoadBig<std::uint16_t>(bytes.data() + i);
  }
  if (i < bytes.size()) {
    sum_ += std::to_integer<std::uint64_t>(bytes[i]) << 8;
  }
}

std::uint16_t Checksum::Finish() const noexcept {
  std::uint64_t sum = sum_;
  while ((sum >> 16) != 0) {
    sum = (sum >> 16) + (sum & 0xFFFF);
  }
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace slipway::net
