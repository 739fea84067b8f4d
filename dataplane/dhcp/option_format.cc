// Wire to text.
#include <algorithm>
#include <charconv>

#include "dataplane/base/hex.h"
#include "dataplane/dhcp/domain_names.h"
#include "dataplane/dhcp/option_value.h"

namespace slipway::dhcp {
namespace {

using enum OptionType;

class Formatter {
 public:
  Formatter(Family family, ByteSpan value, std::span<char> out) noexcept
      : family_(family), value_(value), reader_(value), out_(std::as_writable_bytes(out)) {}

  [[nodiscard]] Result<std::size_t> Run(OptionType type) noexcept {
    if (!Value(type) || !reader_.ok() || reader_.left() > 0) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(reader_.offset()));
    }
    if (!out_.ok()) {
      return Fail(ErrorCode::kTooLarge);
    }
    return out_.size();
  }

  void Hex(ByteSpan bytes) noexcept {
    out_.Text("0x");
    for (const std::byte byte : bytes) {
      const auto number = std::to_integer<std::uint8_t>(byte);
      out_.Text(kHexDigits.substr(number >> 4, 1));
      out_.Text(kHexDigits.substr(number & 15, 1));
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }

 private:
  [[nodiscard]] bool Value(OptionType type) noexcept;
  void Numbers(OptionType type) noexcept;

  void Number(std::uint64_t number) noexcept {
    std::array<char, 20> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out_.Text({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

  // One or more of what `each` reads, with commas.
  template <typename F>
  [[nodiscard]] bool Items(F&& each) noexcept {
    for (bool first = true; first || reader_.left() > 0; first = false) {
      out_.Text(first ? "" : ", ");
      if (!each(reader_) || !reader_.ok()) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] bool Address(WireReader& reader, bool any_allowed = false) noexcept {
    if (family_ == Family::kV4) {
      const Ipv4Address address{reader.U32()};
      out_.Text(ToText(address));
      return any_allowed || !address.is_any();
    }
    Ipv6Address address;
    reader.Copy(std::as_writable_bytes(std::span(address.octets)));
    out_.Text(ToText(address));
    return !address.is_any();
  }

  [[nodiscard]] bool Route(WireReader& reader) noexcept {
    const std::uint8_t bits = reader.U8();
    std::uint32_t network = 0;
    for (std::uint32_t shift = 0; shift < bits && bits <= 32; shift += 8) {
      network |= std::uint32_t{reader.U8()} << (24 - shift);
    }
    if (bits > 32 || (network & ~Ipv4Mask(bits).value) != 0) {
      return false;
    }
    out_.Text(ToText(Ipv4Address{network}));
    out_.Text("/");
    Number(bits);
    out_.Text(" via ");
    return Address(reader, true);
  }

  [[nodiscard]] static bool IsPlain(ByteSpan bytes) noexcept {
    return !bytes.empty() && std::ranges::none_of(AsText(bytes), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
  }

  void Quoted(ByteSpan bytes) noexcept {
    out_.Text("\"");
    for (const char c : AsText(bytes)) {
      out_.Text(c == '"' || c == '\\' ? "\\" : "");
      out_.Text({&c, 1});
    }
    out_.Text("\"");
  }

  // ASCII is worth reading; anything else is shown as it is.
  void Blob(ByteSpan bytes) noexcept {
    const bool ascii =
        std::ranges::all_of(AsText(bytes), [](char c) { return c >= ' ' && c < '\x7F'; });
    if (ascii) {
      Quoted(bytes);
    } else {
      Hex(bytes);
    }
  }

  // Behind its length in two bytes.
  [[nodiscard]] bool CountedText(WireReader& reader) noexcept {
    const ByteSpan text = reader.Bytes(reader.U16());
    const bool bare = IsPlain(text) &&
                      AsText(text).find_first_of(",\"\\") == std::string_view::npos &&
                      AsText(text).front() != ' ' && AsText(text).back() != ' ';
    if (bare) {
      out_.Text(AsText(text));
    } else {
      Quoted(text);
    }
    return text.empty() || IsPlain(text);
  }

  // Names may be compressed: they are read from the whole value.
  [[nodiscard]] bool Name(WireReader& reader) noexcept {
    std::size_t at = reader.offset();
    NameText name;
    if (!ReadName(value_, at, name)) {
      return false;
    }
    reader.Skip(at - reader.offset());
    out_.Text(name);
    return true;
  }

  [[nodiscard]] bool Ntp(WireReader& reader) noexcept {
    const std::uint16_t code = reader.U16();
    WireReader content(reader.Bytes(reader.U16()));
    if (!reader.ok() || code == 0 || code > 3) {
      return false;
    }
    if (code < 3) {
      return Address(content) && content.ok() && content.left() == 0;
    }
    const ByteSpan bytes = content.Rest();
    std::size_t at = 0;
    NameText name;
    if (!ReadName(bytes, at, name) || at != bytes.size()) {
      return false;
    }
    out_.Text(name);
    return true;
  }

  [[nodiscard]] bool SubOptions(WireReader& reader, bool wide) noexcept {
    for (bool first = true; first || reader.left() > 0; first = false) {
      const std::uint16_t code = wide ? reader.U16() : reader.U8();
      const ByteSpan content = reader.Bytes(wide ? reader.U16() : reader.U8());
      if (!reader.ok() || (!wide && (code == 0 || code == 255))) {
        return false;
      }
      out_.Text(first ? "" : ", ");
      Number(code);
      out_.Text("=");
      Blob(content);
    }
    return true;
  }

  // One enterprise of RFC 3925; all of RFC 8415's.
  [[nodiscard]] bool Enterprise(WireReader& reader, OptionType type) noexcept {
    Number(reader.U32());
    out_.Text(": ");
    const bool v4 = family_ == Family::kV4;
    WireReader content(v4 ? reader.Bytes(reader.U8()) : reader.Rest());
    if (!reader.ok()) {
      return false;
    }
    if (type == kVendorOptions) {
      return SubOptions(content, !v4);
    }
    if (v4) {
      Blob(content.Rest());
      return true;
    }
    for (bool first = true; first || content.left() > 0; first = false) {
      out_.Text(first ? "" : ", ");
      Blob(content.Bytes(content.U16()));
      if (!content.ok()) {
        return false;
      }
    }
    return true;
  }

  const Family family_;
  const ByteSpan value_;
  WireReader reader_;
  WireWriter out_;
};

void Formatter::Numbers(OptionType type) noexcept {
  const std::uint32_t bits = type == kU8    ? reader_.U8()
                             : type == kU16 ? reader_.U16()
                                            : reader_.U32();
  const bool negative = type == kI32 && (bits >> 31) != 0;
  out_.Text(negative ? "-" : "");
  Number(negative ? 0U - bits : bits);
}

bool Formatter::Value(OptionType type) noexcept {
  switch (type) {
    case kNone:
      return true;
    case kAddress:
      return Address(reader_);
    case kAddresses:
      return Items([this](WireReader& reader) { return Address(reader); });
    case kAddressPairs:
      return Items([this](WireReader& reader) {
        const bool first = Address(reader);
        out_.Text(" ");
        return first && Address(reader);
      });
    case kU8:
    case kU16:
    case kU32:
    case kI32:
      Numbers(type);
      return true;
    case kU16s:
      return Items([this](WireReader& reader) {
        Number(reader.U16());
        return true;
      });
    case kBool: {
      const std::uint8_t flag = reader_.U8();
      out_.Text(flag == 0 ? "false" : "true");
      return flag <= 1;
    }
    case kText: {
      const ByteSpan text = reader_.Rest();
      out_.Text(AsText(text));
      return IsPlain(text);
    }
    case kTexts:
      return Items([this](WireReader& reader) { return CountedText(reader); });
    case kDomainText: {
      const ByteSpan text = reader_.Rest();
      out_.Text(AsText(text));
      return !FaultOfDomain(AsText(text));
    }
    case kDomain:
      return Name(reader_);
    case kDomains:
    case kDomainSearch:
      return Items([this](WireReader& reader) { return Name(reader); });
    case kRoutes:
      return Items([this](WireReader& reader) { return Route(reader); });
    case kNtp:
      return Items([this](WireReader& reader) { return Ntp(reader); });
    case kSubOptions:
      return SubOptions(reader_, false);
    case kVendorClass:
    case kVendorOptions:
      for (bool first = true; first || reader_.left() > 0; first = false) {
        out_.Text(first ? "" : "; ");
        if (!Enterprise(reader_, type)) {
          return false;
        }
      }
      return true;
    case kRelayEcho:
    case kBytes:
      Hex(reader_.Rest());
      return true;
  }
  return false;
}

}  // namespace

Result<std::size_t> FormatOptionValue(Family family, const OptionRow* row, ByteSpan value,
                                      std::span<char> out) noexcept {
  return Formatter(family, value, out).Run(row == nullptr ? kBytes : row->type);
}

std::size_t FormatHex(ByteSpan value, std::span<char> out) noexcept {
  Formatter formatter(Family::kV4, {}, out);
  formatter.Hex(value);
  return formatter.size();
}

}  // namespace slipway::dhcp
