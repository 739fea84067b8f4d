// Text to wire.
#include "dataplane/dhcp/option_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "dataplane/base/hex.h"
#include "dataplane/dhcp/domain_names.h"

namespace slipway::dhcp {
namespace {

using Done = std::expected<void, ValueError>;

constexpr std::string_view kSpaces = " \t";

// A part of the text that remembers where it was.
struct Token {
  std::string_view text;
  std::size_t at = 0;  // of its first character in the whole text

  [[nodiscard]] Token From(std::size_t skip) const noexcept {
    return {text.substr(skip), at + skip};
  }
};

[[nodiscard]] Token Trim(Token token) noexcept {
  const std::size_t front = std::min(token.text.find_first_not_of(kSpaces), token.text.size());
  token = token.From(front);
  const std::size_t last = token.text.find_last_not_of(kSpaces);
  token.text = token.text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  return token;
}

// Where an IPv4 address stops being one.
[[nodiscard]] std::size_t FaultOfIpv4(std::string_view text) noexcept {
  std::uint32_t octet = 0;
  std::size_t digits = 0;
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && digits > 0 && dots < 3) {
      ++dots;
      octet = 0;
      digits = 0;
    } else if (c >= '0' && c <= '9' && octet * 10 + static_cast<std::uint32_t>(c - '0') <= 255 &&
               (digits == 0 || octet != 0)) {
      octet = octet * 10 + static_cast<std::uint32_t>(c - '0');
      ++digits;
    } else {
      return i;
    }
  }
  return text.size();
}

[[nodiscard]] std::size_t FaultOfIpv6(std::string_view text) noexcept {
  const auto fits = [](char c) { return HexValue(c) >= 0 || c == ':' || c == '.'; };
  const auto bad = std::ranges::find_if_not(text, fits);
  return bad == text.end() ? 0 : static_cast<std::size_t>(bad - text.begin());
}

class Encoder {
 public:
  Encoder(Family family, const OptionRow* row, std::string_view text, MutableByteSpan out) noexcept
      : family_(family),
        row_(row),
        text_(text),
        out_(out.first(std::min(out.size(), LengthMax(row)))) {}

  [[nodiscard]] std::expected<std::size_t, ValueError> Run() noexcept {
    const Done done = Value(row_ == nullptr ? OptionType::kBytes : row_->type);
    if (!done) {
      return std::unexpected(done.error());
    }
    if (!out_.ok()) {
      item_ = 1;
      return Wrong(text_.size(), "is longer than the option may be", "shorten it");
    }
    if (row_ != nullptr && out_.size() < row_->length_min) {
      item_ = 1;
      return Wrong(text_.size(), "is shorter than the option must be", "write all of it");
    }
    return out_.size();
  }

 private:
  using enum OptionType;

  [[nodiscard]] static std::size_t LengthMax(const OptionRow* row) noexcept {
    const std::size_t max = row == nullptr ? SIZE_MAX : row->length_max;
    return std::min<std::size_t>(max, limits::kDhcpOptionBytesMax);
  }

  [[nodiscard]] std::unexpected<ValueError> Wrong(std::size_t at, std::string_view problem,
                                                  std::string_view cure) const noexcept {
    return std::unexpected(ValueError{
        .item = static_cast<std::uint16_t>(std::min<std::size_t>(item_, UINT16_MAX)),
        .character = static_cast<std::uint16_t>(std::min<std::size_t>(at + 1, UINT16_MAX)),
        .problem = problem,
        .cure = cure});
  }

  [[nodiscard]] Token Whole() const noexcept { return {text_, 0}; }

  [[nodiscard]] Done Value(OptionType type) noexcept;
  [[nodiscard]] Done NumberValue(OptionType type) noexcept;

  // Calls `each` with every part between separators that are not inside quotes. `counts`: a part is
  // an item.
  template <typename F>
  [[nodiscard]] Done Split(Token whole, char separator, F&& each, bool counts = true) noexcept {
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= whole.text.size(); ++i) {
      const char c = i < whole.text.size() ? whole.text[i] : separator;
      if (i < whole.text.size() && quoted && c == '\\') {
        ++i;
      } else if (i < whole.text.size() && c == '"') {
        quoted = !quoted;
      } else if (c == separator && (!quoted || i >= whole.text.size())) {
        const Token part = Trim({whole.text.substr(begin, i - begin), whole.at + begin});
        if (part.text.empty()) {
          return Wrong(part.at, "is empty", "write a value, or remove the separator");
        }
        SLIP_TRY(each(part));
        item_ += counts ? 1 : 0;
        begin = i + 1;
      }
    }
    return {};
  }

  template <typename F>
  [[nodiscard]] Done Items(F&& each) noexcept {
    return Split(Whole(), ',', each);
  }

  [[nodiscard]] Done PutAddress(Token token, bool any_allowed = false) noexcept;
  [[nodiscard]] Done PutPair(Token token) noexcept;
  [[nodiscard]] Done PutRoute(Token token) noexcept;
  [[nodiscard]] Done PutBool(Token token) noexcept;
  [[nodiscard]] Done PutPlainText(Token token) noexcept;
  [[nodiscard]] Done PutCounted(Token token) noexcept;
  [[nodiscard]] Done PutDomain(Token token, bool as_text, bool compress) noexcept;
  [[nodiscard]] Done PutNtp(Token token) noexcept;
  [[nodiscard]] Done PutHex(Token token) noexcept;
  [[nodiscard]] Done PutQuoted(Token token) noexcept;
  [[nodiscard]] Done PutBlob(Token token) noexcept;
  [[nodiscard]] Done PutSubOptions(Token list, std::size_t header_bytes) noexcept;
  [[nodiscard]] Done PutEnterprise(Token group, OptionType type) noexcept;
  [[nodiscard]] std::expected<std::uint64_t, ValueError> ReadNumber(
      Token token, std::uint64_t min, std::uint64_t max) const noexcept;
  // Writes what `body` writes behind its length in `bytes` bytes.
  template <typename F>
  [[nodiscard]] Done Counted(std::size_t bytes, Token token, F&& body) noexcept;

  const Family family_;
  const OptionRow* const row_;
  const std::string_view text_;
  WireWriter out_;
  NameCompressor names_;
  std::size_t item_ = 1;
};

std::expected<std::uint64_t, ValueError> Encoder::ReadNumber(Token token, std::uint64_t min,
                                                             std::uint64_t max) const noexcept {
  const bool hex = token.text.starts_with("0x");
  const Token digits = token.From(hex ? 2 : 0);
  std::uint64_t number = 0;
  const char* const end = digits.text.data() + digits.text.size();
  const auto [stop, error] = std::from_chars(digits.text.data(), end, number, hex ? 16 : 10);
  if (digits.text.empty() || error == std::errc::invalid_argument || stop != end) {
    const auto good = static_cast<std::size_t>(stop - digits.text.data());
    return Wrong(digits.at + good, "is not a number", "write digits, or 0x and hexadecimal digits");
  }
  if (error != std::errc{} || number > max) {
    return Wrong(token.at, "is too large a number", kSeeBounds);
  }
  if (number < min) {
    return Wrong(token.at, "is too small a number", kSeeBounds);
  }
  return number;
}

Done Encoder::PutAddress(Token token, bool any_allowed) noexcept {
  if (family_ == Family::kV4) {
    const Result<Ipv4Address> address = Ipv4Address::Parse(token.text);
    if (!address) {
      return Wrong(token.at + FaultOfIpv4(token.text), "is not an IPv4 address",
                   "write it as 10.0.0.1");
    }
    if (address->is_any() && !any_allowed) {
      return Wrong(token.at, "is nobody's address", "write the address of a host");
    }
    out_.U32(address->value);
    return {};
  }
  const Result<Ipv6Address> address = Ipv6Address::Parse(token.text);
  if (!address) {
    return Wrong(token.at + FaultOfIpv6(token.text), "is not an IPv6 address",
                 "write it as 2001:db8::1");
  }
  if (address->is_any() && !any_allowed) {
    return Wrong(token.at, "is nobody's address", "write the address of a host");
  }
  out_.Bytes(std::as_bytes(std::span(address->octets)));
  return {};
}

Done Encoder::PutPair(Token token) noexcept {
  const std::size_t space = token.text.find_first_of(kSpaces);
  if (space == std::string_view::npos) {
    return Wrong(token.at + token.text.size(), "has one address only",
                 "write two with a space between: 10.1.0.0 10.0.0.1");
  }
  SLIP_TRY(PutAddress({token.text.substr(0, space), token.at}));
  return PutAddress(Trim(token.From(space)));
}

Done Encoder::PutRoute(Token token) noexcept {
  const std::size_t space = std::min(token.text.find_first_of(kSpaces), token.text.size());
  const Token network{token.text.substr(0, space), token.at};
  Token router = Trim(token.From(space));
  if (router.text.starts_with("via ") || router.text.starts_with("via\t")) {
    router = Trim(router.From(3));
  }
  const std::size_t slash = std::min(network.text.find('/'), network.text.size());
  const Result<Ipv4Address> address = Ipv4Address::Parse(network.text.substr(0, slash));
  if (!address) {
    return Wrong(network.at + FaultOfIpv4(network.text.substr(0, slash)), "is not an IPv4 network",
                 "write it as 10.1.0.0/16 via 10.0.0.1");
  }
  if (slash == network.text.size()) {
    return Wrong(network.at + slash, "has no width", "write it as 10.1.0.0/16 via 10.0.0.1");
  }
  const auto bits = static_cast<std::uint8_t>(SLIP_TRY(ReadNumber(network.From(slash + 1), 0, 32)));
  if ((address->value & ~Ipv4Mask(bits).value) != 0) {
    return Wrong(network.at, "has bits beyond its width", "clear them, or widen it");
  }
  if (router.text.empty()) {
    return Wrong(token.at + token.text.size(), "has no router",
                 "write it as 10.1.0.0/16 via 10.0.0.1; via 0.0.0.0 means on this link");
  }
  out_.U8(bits);
  for (std::uint32_t shift = 0; shift < bits; shift += 8) {
    out_.U8(static_cast<std::uint8_t>(address->value >> (24 - shift)));
  }
  return PutAddress(router, true);
}

Done Encoder::PutBool(Token token) noexcept {
  if (token.text != "true" && token.text != "false") {
    return Wrong(token.at, "is neither true nor false", "write true or false");
  }
  out_.U8(token.text == "true" ? 1 : 0);
  return {};
}

Done Encoder::PutPlainText(Token token) noexcept {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  const auto bad = std::ranges::find_if(token.text, control);
  if (bad != token.text.end()) {
    return Wrong(token.at + static_cast<std::size_t>(bad - token.text.begin()),
                 "is a control character", "remove it");
  }
  if (token.text.empty()) {
    return Wrong(token.at, "is empty", "write a text");
  }
  out_.Text(token.text);
  return {};
}

Done Encoder::PutDomain(Token token, bool as_text, bool compress) noexcept {
  if (token.text.size() > 1 && token.text.back() == '.') {
    token.text.remove_suffix(1);
  }
  if (const std::optional<std::size_t> fault = FaultOfDomain(token.text)) {
    return Wrong(token.at + *fault, "is not a domain name",
                 "use labels of 1 to 63 letters, digits, hyphens and underscores, joined by dots");
  }
  if (as_text) {
    out_.Text(token.text);
  } else if (compress) {
    names_.Put(token.text, out_);
  } else {
    PutName(token.text, out_);
  }
  return {};
}

template <typename F>
Done Encoder::Counted(std::size_t bytes, Token token, F&& body) noexcept {
  const std::size_t length_at = out_.size();
  out_.Fill(bytes);
  SLIP_TRY(body());
  if (!out_.ok()) {
    return {};  // Run says so
  }
  const std::size_t length = out_.size() - length_at - bytes;
  if (bytes == 1 && length > 255) {
    return Wrong(token.at, "is longer than 255 bytes", "shorten it");
  }
  if (bytes == 1) {
    out_.PatchU8(length_at, static_cast<std::uint8_t>(length));
  } else {
    out_.PatchU16(length_at, static_cast<std::uint16_t>(length));
  }
  return {};
}

// An item of a list of texts: bare, or in quotes if there is a comma in it.
Done Encoder::PutCounted(Token token) noexcept {
  return Counted(
      2, token, [&] { return token.text.front() == '"' ? PutQuoted(token) : PutPlainText(token); });
}

// RFC 5908 4: an address, a multicast address, or a name.
Done Encoder::PutNtp(Token token) noexcept {
  constexpr std::uint16_t kServerAddress = 1;
  constexpr std::uint16_t kMulticastAddress = 2;
  constexpr std::uint16_t kServerName = 3;
  const Result<Ipv6Address> address = Ipv6Address::Parse(token.text);
  if (!address && token.text.find(':') == std::string_view::npos) {
    out_.U16(kServerName);
    return Counted(2, token, [&] { return PutDomain(token, false, false); });
  }
  out_.U16(address && address->is_multicast() ? kMulticastAddress : kServerAddress);
  return Counted(2, token, [&] { return PutAddress(token); });
}

Done Encoder::PutHex(Token token) noexcept {
  Token digits = token.From(token.text.starts_with("0x") ? 2 : 0);
  if (digits.text.empty()) {
    return Wrong(digits.at, "is empty", "write hexadecimal digits: 0x0a0b");
  }
  for (std::size_t i = 0; i < digits.text.size(); i += 2) {
    if (i > 0 && (digits.text[i] == ':' || digits.text[i] == ' ')) {
      ++i;
    }
    const int high = i < digits.text.size() ? HexValue(digits.text[i]) : -1;
    const int low = i + 1 < digits.text.size() ? HexValue(digits.text[i + 1]) : -1;
    if (high < 0 || low < 0) {
      return Wrong(digits.at + (high < 0 ? i : i + 1), "is not a hexadecimal digit",
                   "write two for each byte: 0x0a0b");
    }
    out_.U8(static_cast<std::uint8_t>(high * 16 + low));
  }
  return {};
}

Done Encoder::PutQuoted(Token token) noexcept {
  for (std::size_t i = 1; i < token.text.size(); ++i) {
    const char c = token.text[i];
    if (c == '"') {
      if (i + 1 < token.text.size()) {
        return Wrong(token.at + i + 1, "comes after the closing quote", "remove it");
      }
      return {};
    }
    i += c == '\\' ? 1 : 0;
    if (i < token.text.size()) {
      SLIP_TRY(PutPlainText({token.text.substr(i, 1), token.at + i}));
    }
  }
  return Wrong(token.at + token.text.size(), "has no closing quote", "add it");
}

// The value of a sub-option: "text", 0x0a0b, an address, or u8:N, u16:N, u32:N.
Done Encoder::PutBlob(Token token) noexcept {
  constexpr std::string_view kCure =
      "write \"text\", 0x0a0b, an address, or a number as u8:1, u16:1 or u32:1";
  if (token.text.empty()) {
    return Wrong(token.at, "is empty", kCure);
  }
  if (token.text.front() == '"') {
    return PutQuoted(token);
  }
  if (token.text.starts_with("0x")) {
    return PutHex(token);
  }
  if (token.text.starts_with("u8:")) {
    out_.U8(static_cast<std::uint8_t>(SLIP_TRY(ReadNumber(token.From(3), 0, UINT8_MAX))));
    return {};
  }
  if (token.text.starts_with("u16:")) {
    out_.U16(static_cast<std::uint16_t>(SLIP_TRY(ReadNumber(token.From(4), 0, UINT16_MAX))));
    return {};
  }
  if (token.text.starts_with("u32:")) {
    out_.U32(static_cast<std::uint32_t>(SLIP_TRY(ReadNumber(token.From(4), 0, UINT32_MAX))));
    return {};
  }
  const Result<IpAddress> address = IpAddress::Parse(token.text);
  if (!address) {
    return Wrong(token.at, "is nothing that can be encoded", kCure);
  }
  if (address->is_v4()) {
    out_.U32(address->v4().value);
  } else {
    out_.Bytes(std::as_bytes(std::span(address->v6().octets)));
  }
  return {};
}

// CODE=VALUE, CODE=VALUE: codes and lengths of one byte, or of two under DHCPv6.
Done Encoder::PutSubOptions(Token list, std::size_t header_bytes) noexcept {
  std::array<bool, 256> seen{};
  return Split(list, ',', [&](Token part) -> Done {
    const std::size_t equals = part.text.find('=');
    if (equals == std::string_view::npos) {
      return Wrong(part.at + part.text.size(), "has no value",
                   "write it as CODE=VALUE: 1=\"text\"");
    }
    // RFC 2132 8.4: 0 and 255 are pad and end.
    const Token code_text = Trim({part.text.substr(0, equals), part.at});
    const std::uint64_t code = SLIP_TRY(
        ReadNumber(code_text, header_bytes == 1 ? 1 : 0, header_bytes == 1 ? 254 : UINT16_MAX));
    if (code < seen.size() && std::exchange(seen[code], true)) {
      return Wrong(part.at, "has a code that is there already", "write each code once");
    }
    if (header_bytes == 1) {
      out_.U8(static_cast<std::uint8_t>(code));
    } else {
      out_.U16(static_cast<std::uint16_t>(code));
    }
    const Token value = Trim(part.From(equals + 1));
    return Counted(header_bytes, value, [&] { return PutBlob(value); });
  });
}

// ENTERPRISE: and what belongs to it.
Done Encoder::PutEnterprise(Token group, OptionType type) noexcept {
  const std::size_t colon = group.text.find(':');
  if (colon == std::string_view::npos) {
    return Wrong(group.at + group.text.size(), "has no enterprise number",
                 "write it as 42623: 1=\"text\"");
  }
  const Token enterprise = Trim({group.text.substr(0, colon), group.at});
  const std::uint64_t number = SLIP_TRY(ReadNumber(enterprise, 0, UINT32_MAX));
  const Token content = Trim(group.From(colon + 1));
  out_.U32(static_cast<std::uint32_t>(number));
  const bool v4 = family_ == Family::kV4;
  if (type == OptionType::kVendorOptions) {
    return v4 ? Counted(1, content, [&] { return PutSubOptions(content, 1); })
              : PutSubOptions(content, 2);
  }
  if (v4) {
    return Counted(1, content, [&] { return PutBlob(content); });
  }
  return Split(content, ',',
               [&](Token part) { return Counted(2, part, [&] { return PutBlob(part); }); });
}

Done Encoder::NumberValue(OptionType type) noexcept {
  Token token = Trim(Whole());
  const std::uint64_t min = row_->value_min;
  const std::uint64_t max = row_->value_max;
  if (type == kU8) {
    out_.U8(static_cast<std::uint8_t>(
        SLIP_TRY(ReadNumber(token, min, std::min<std::uint64_t>(max, UINT8_MAX)))));
  } else if (type == kU16) {
    out_.U16(static_cast<std::uint16_t>(
        SLIP_TRY(ReadNumber(token, min, std::min<std::uint64_t>(max, UINT16_MAX)))));
  } else if (type == kU32) {
    out_.U32(static_cast<std::uint32_t>(SLIP_TRY(ReadNumber(token, min, max))));
  } else if (token.text.starts_with('-')) {
    const auto value =
        static_cast<std::uint32_t>(SLIP_TRY(ReadNumber(token.From(1), 0, std::uint64_t{1} << 31)));
    out_.U32(0U - value);
  } else {
    out_.U32(static_cast<std::uint32_t>(SLIP_TRY(ReadNumber(token, 0, INT32_MAX))));
  }
  return {};
}

Done Encoder::Value(OptionType type) noexcept {
  switch (type) {
    case kNone:
      return text_.empty() ? Done{} : Wrong(0, "has no value", "leave the value out");
    case kAddress:
      return PutAddress(Trim(Whole()));
    case kAddresses:
      return Items([this](Token token) { return PutAddress(token); });
    case kAddressPairs:
      return Items([this](Token token) { return PutPair(token); });
    case kU8:
    case kU16:
    case kU32:
    case kI32:
      return NumberValue(type);
    case kU16s:
      return Items([this](Token token) -> Done {
        out_.U16(static_cast<std::uint16_t>(SLIP_TRY(ReadNumber(token, 0, UINT16_MAX))));
        return {};
      });
    case kBool:
      return PutBool(Trim(Whole()));
    case kText:
      return PutPlainText(Whole());
    case kTexts:
      return Items([this](Token token) { return PutCounted(token); });
    case kDomainText:
    case kDomain:
      return PutDomain(Trim(Whole()), type == kDomainText, false);
    case kDomains:
    case kDomainSearch:
      return Items([&](Token token) { return PutDomain(token, false, type == kDomainSearch); });
    case kRoutes:
      return Items([this](Token token) { return PutRoute(token); });
    case kNtp:
      return Items([this](Token token) { return PutNtp(token); });
    case kSubOptions:
      return PutSubOptions(Whole(), 1);
    case kVendorClass:
    case kVendorOptions:
      // RFC 8415 21.17: one enterprise to an option.
      return family_ == Family::kV6
                 ? PutEnterprise(Trim(Whole()), type)
                 : Split(
                       Whole(), ';', [&](Token group) { return PutEnterprise(group, type); },
                       type == kVendorClass);
    case kRelayEcho:
    case kBytes:
      return PutHex(Trim(Whole()));
  }
  return {};
}

}  // namespace

std::expected<std::size_t, ValueError> EncodeOptionValue(Family family, const OptionRow* row,
                                                         std::string_view text,
                                                         MutableByteSpan out) noexcept {
  return Encoder(family, row, text, out).Run();
}

}  // namespace slipway::dhcp
