// Any text as the value of any option: it is refused with a place inside the text, or its bytes
// have a text that gives the same bytes. And any bytes as a value: shown or refused.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/check.h"
#include "dataplane/dhcp/option_value.h"

using slipway::dhcp::Family;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const Family family = (data[0] & 1) == 0 ? Family::kV4 : Family::kV6;
  const auto* const row = slipway::dhcp::FindOption(family, data[1]);
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  std::array<char, slipway::dhcp::kOptionTextBytesMax> shown{};
  (void)slipway::dhcp::FormatOptionValue(family, row, slipway::AsBytes(text), shown);
  std::array<std::byte, slipway::limits::kDhcpOptionBytesMax> bytes{};
  const auto encoded = slipway::dhcp::EncodeOptionValue(family, row, text, bytes);
  if (!encoded) {
    SLIP_CHECK(encoded.error().character <= text.size() + 1 || text.size() >= UINT16_MAX);
    SLIP_CHECK(!encoded.error().problem.empty());
    return 0;
  }
  SLIP_CHECK(*encoded <= bytes.size());
  const auto formatted =
      slipway::dhcp::FormatOptionValue(family, row, std::span(bytes).first(*encoded), shown);
  if (!formatted) {
    // Compressed names can be longer as text than any request may be.
    SLIP_CHECK(formatted.error().code == slipway::ErrorCode::kTooLarge);
    return 0;
  }
  std::array<std::byte, slipway::limits::kDhcpOptionBytesMax> again{};
  const auto size_again = slipway::dhcp::EncodeOptionValue(
      family, row, std::string_view(shown.data(), *formatted), again);
  SLIP_CHECK(size_again.has_value());
  SLIP_CHECK(*size_again == *encoded);
  SLIP_CHECK(again == bytes);
  return 0;
}
