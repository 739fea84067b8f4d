// Domain names in option values: RFC 1035 3.1 labels, and its 4.1.4 pointers where RFC 3397 wants
// them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"

namespace slipway::dhcp {

inline constexpr std::size_t kNameTextBytesMax = 253;

using NameText = FixedString<kNameTextBytesMax>;

// Where a text stops being a domain name (labels of 1 to 63 letters, digits, hyphens inside and
// underscores, 253 characters in all, no dot at the end); nothing: it is one.
[[nodiscard]] std::optional<std::size_t> FaultOfDomain(std::string_view text) noexcept;

// REQUIRES of both writers: no fault.
void PutName(std::string_view name, WireWriter& out) noexcept;

// Writes names of one option, each suffix that was there before as a pointer (RFC 3397 2: offsets
// count from the start of the option's data, which is where `out` must begin).
class NameCompressor {
 public:
  void Put(std::string_view name, WireWriter& out) noexcept;

 private:
  [[nodiscard]] std::optional<std::uint16_t> Find(std::string_view suffix,
                                                  ByteSpan written) const noexcept;

  // Of labels written so far; beyond, suffixes are just written again.
  FixedVector<std::uint16_t, 128> labels_;
};

// Reads the name at `at` and moves `at` behind it. Pointers must lead backwards. False: no name
// that FaultOfDomain would let pass.
[[nodiscard]] bool ReadName(ByteSpan data, std::size_t& at, NameText& name) noexcept;

}  // namespace slipway::dhcp
