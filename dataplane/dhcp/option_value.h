// Option values between their text, as operators write it, and their bytes on the wire. The region
// encodes once, when it publishes; racks only copy. The text forms are in docs/model.md.
//
// Pure; any thread; no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/dhcp/options.h"

namespace slipway::dhcp {

inline constexpr std::size_t kOptionTextBytesMax = 8'192;

// The cure for a number out of the row's bounds: who has the row can say more.
inline constexpr std::string_view kSeeBounds = "see the option's bounds";

// What is wrong with a text, and where. The texts are static.
struct ValueError {
  std::uint16_t item = 1;       // of a list: from 1
  std::uint16_t character = 1;  // in the whole text: from 1; one past the end: something is missing
  std::string_view problem;     // "is not an IPv4 address"
  std::string_view cure;        // "write it as 10.0.0.1", or kSeeBounds

  friend bool operator==(const ValueError&, const ValueError&) = default;
};

// Encodes the text of one value into `out`; returns the length. `row` is that of the option, or
// nullptr for a code that is not in the table: its text is hexadecimal. REQUIRES: out.size() >=
// limits::kDhcpOptionBytesMax.
[[nodiscard]] std::expected<std::size_t, ValueError> EncodeOptionValue(
    Family family, const OptionRow* row, std::string_view text, MutableByteSpan out) noexcept;

// The canonical text of a value: encoding it again gives the same meaning, and the same bytes
// unless the value was packed differently (compressed names, vendor data in several pieces).
// Returns the length; kMalformed if the bytes are no value of the type (hexadecimal says what they
// are), or kTooLarge if `out` is too small.
[[nodiscard]] Result<std::size_t> FormatOptionValue(Family family, const OptionRow* row,
                                                    ByteSpan value, std::span<char> out) noexcept;

// Bytes as "0x0102": for what FormatOptionValue cannot say. As much as fits.
std::size_t FormatHex(ByteSpan value, std::span<char> out) noexcept;

}  // namespace slipway::dhcp
