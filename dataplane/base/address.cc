#include "dataplane/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "dataplane/base/hex.h"

namespace slipway {
namespace {

void AppendNumber(IpText& text, std::uint32_t value) noexcept {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  (void)text.Append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

}  // namespace

Result<MacAddress> MacAddress::Parse(std::string_view text) noexcept {
  if (text.size() != 17) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(text.size()));
  }
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::size_t at = 3 * i;
    const int high = HexValue(text[at]);
    const int low = HexValue(text[at + 1]);
    const bool separated = i == 5 || text[at + 2] == ':' || text[at + 2] == '-';
    if (high < 0 || low < 0 || !separated) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(at));
    }
    mac.octets[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return mac;
}

Result<Ipv4Address> Ipv4Address::Parse(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    std::uint32_t octet = 0;
    const auto [next, error] = std::from_chars(at, end, octet);
    const bool last = i == 3;
    // A leading zero is refused: some readers take it for octal.
    const bool padded = next - at > 1 && *at == '0';
    if (error != std::errc{} || octet > 255 || padded || (last ? next != end : next == end)) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(at - text.data()));
    }
    if (!last && *next != '.') {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(next - text.data()));
    }
    value = (value << 8) | octet;
    at = last ? next : next + 1;
  }
  return Ipv4Address{value};
}

Result<Ipv6Address> Ipv6Address::Parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1> copy{};
  if (text.size() >= copy.size() - 1) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(text.size()));
  }
  std::copy(text.begin(), text.end(), copy.begin());
  Ipv6Address address;
  if (inet_pton(AF_INET6, copy.data(), address.octets.data()) != 1) {
    return Fail(ErrorCode::kMalformed, 0);
  }
  return address;
}

Result<IpAddress> IpAddress::Parse(std::string_view text) noexcept {
  if (text.find(':') != std::string_view::npos) {
    return IpAddress(SLIP_TRY(Ipv6Address::Parse(text)));
  }
  return IpAddress(SLIP_TRY(Ipv4Address::Parse(text)));
}

Result<IpPrefix> IpPrefix::Parse(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(text.size()));
  }
  IpPrefix prefix;
  prefix.address = SLIP_TRY(IpAddress::Parse(text.substr(0, slash)));
  const std::string_view bits = text.substr(slash + 1);
  std::uint32_t value = 0;
  const auto [next, error] = std::from_chars(bits.data(), bits.data() + bits.size(), value);
  if (error != std::errc{} || next != bits.data() + bits.size()) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(slash + 1));
  }
  if (value > (prefix.address.is_v4() ? 32U : 128U)) {
    return Fail(ErrorCode::kOutOfRange, value);
  }
  prefix.bits = static_cast<std::uint8_t>(value);
  return prefix;
}

bool IpPrefix::Contains(IpAddress other) const noexcept {
  if (address.is_v4() != other.is_v4()) {
    return false;
  }
  IpPrefix same = *this;
  same.address = other;
  return same.Network() == Network();
}

IpPrefix IpPrefix::Network() const noexcept {
  const std::size_t kept = address.is_v4() ? bits + 96U : bits;
  Ipv6Address octets = address.v6();
  for (std::size_t i = 0; i < octets.octets.size(); ++i) {
    const std::size_t first = 8 * i;
    const std::size_t keep = kept <= first ? 0 : std::min<std::size_t>(8, kept - first);
    const auto mask = static_cast<std::uint8_t>(0xFF00U >> keep);
    octets.octets[i] = static_cast<std::uint8_t>(octets.octets[i] & mask);
  }
  return {IpAddress(octets), bits};
}

bool IpPrefix::Overlaps(const IpPrefix& other) const noexcept {
  return bits <= other.bits ? Contains(other.address) : other.Contains(address);
}

MacText ToText(MacAddress mac) noexcept {
  MacText text;
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0) {
      (void)text.push_back(':');
    }
    AppendHex(text, mac.octets[i]);
  }
  return text;
}

IpText ToText(Ipv4Address address) noexcept {
  IpText text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (shift < 24) {
      (void)text.push_back('.');
    }
    AppendNumber(text, (address.value >> shift) & 0xFF);
  }
  return text;
}

IpText ToText(const Ipv6Address& address) noexcept {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (inet_ntop(AF_INET6, address.octets.data(), buffer.data(), buffer.size()) == nullptr) {
    return {};
  }
  return {std::string_view(buffer.data())};
}

IpText ToText(const IpAddress& address) noexcept {
  return address.is_v4() ? ToText(address.v4()) : ToText(address.v6());
}

PrefixText ToText(const IpPrefix& prefix) noexcept {
  IpText bits;
  AppendNumber(bits, prefix.bits);
  PrefixText text(ToText(prefix.address).view());
  (void)text.push_back('/');
  (void)text.Append(bits.view());
  return text;
}

}  // namespace slipway
