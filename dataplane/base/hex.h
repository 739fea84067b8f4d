// Hexadecimal digits: lower case is written, both cases are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace slipway {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

// 0 to 15; -1 if `c` is no hexadecimal digit.
[[nodiscard]] constexpr int HexValue(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Appends two digits to a std::string or a FixedString (which drops what does not fit).
template <typename Text>
constexpr void AppendHex(Text& text, std::uint8_t byte) {
  static_cast<void>(text.push_back(kHexDigits[byte >> 4]));
  static_cast<void>(text.push_back(kHexDigits[byte & 15]));
}

template <typename Text>
constexpr void AppendHex(Text& text, std::byte byte) {
  AppendHex(text, static_cast<std::uint8_t>(byte));
}

}  // namespace slipway
