#include "dataplane/dhcp/fqdn.h"

#include "dataplane/base/check.h"
#include "dataplane/dhcp/exchange.h"

namespace slipway::dhcp {
namespace {

// RFC 4702 2.1.
constexpr std::uint8_t kServerUpdates = 0x01;  // S
constexpr std::uint8_t kOverridden = 0x02;     // O
constexpr std::uint8_t kWireForm = 0x04;       // E
constexpr std::uint8_t kNoUpdates = 0x08;      // N
constexpr std::uint8_t kRcode = 255;           // 2.2: what servers send
constexpr std::size_t kHeaderSize = 3;

// The first of the labels of a text, all of which must be good.
config::HostName FirstOfText(std::string_view text) {
  if (!text.empty() && text.back() == '.') {
    text.remove_suffix(1);
  }
  config::HostName first;
  bool more = true;
  for (bool is_first = true; more; is_first = false) {
    const std::size_t dot = text.find('.');
    const config::HostName label = FilterHostName(AsBytes(text.substr(0, dot)));
    if (label.empty()) {
      return {};
    }
    if (is_first) {
      first = label;
    }
    more = dot != std::string_view::npos;
    text = more ? text.substr(dot + 1) : std::string_view();
  }
  return first;
}

}  // namespace

config::HostName HostNameOfWireName(ByteSpan name) noexcept {
  WireReader reader(name);
  config::HostName first;
  while (reader.left() > 0) {
    const std::uint8_t length = reader.U8();
    if (length == 0) {
      return reader.left() == 0 ? first : config::HostName();
    }
    const config::HostName label = FilterHostName(reader.Bytes(length));
    if (!reader.ok() || label.empty()) {
      return {};
    }
    if (first.empty()) {
      first = label;
    }
  }
  return first;
}

NameText FullName(std::string_view hostname, std::string_view domain) noexcept {
  NameText name;
  const bool fits = name.Assign(hostname) && (hostname.empty() || domain.empty() ||
                                              (name.push_back('.') && name.Append(domain)));
  return fits ? name : NameText();
}

config::HostName HostNameOfFqdn(ByteSpan value) noexcept {
  if (value.size() <= kHeaderSize) {
    return {};
  }
  const bool wire = (std::to_integer<std::uint8_t>(value[0]) & kWireForm) != 0;
  const ByteSpan name = value.subspan(kHeaderSize);
  return wire ? HostNameOfWireName(name) : FirstOfText(AsText(name));
}

std::size_t AnswerFqdn(MutableByteSpan out, ByteSpan asked, std::string_view hostname,
                       std::string_view domain) noexcept {
  SLIP_CHECK(asked.size() >= kHeaderSize);
  SLIP_CHECK(out.size() >= kFqdnBytesMax);
  const auto flags = std::to_integer<std::uint8_t>(asked[0]);
  const bool wire = (flags & kWireForm) != 0;
  WireWriter writer(out.first(kFqdnBytesMax));
  writer.U8(static_cast<std::uint8_t>(kNoUpdates | (flags & kWireForm) |
                                      ((flags & kServerUpdates) != 0 ? kOverridden : 0)));
  writer.U8(kRcode);
  writer.U8(kRcode);
  const NameText name = FullName(hostname, domain);
  // In wire form a name takes two bytes more than its text.
  if (name.empty() || name.size() + 2 > kFqdnBytesMax - kHeaderSize) {
    return kHeaderSize;
  }
  if (wire) {
    PutName(name, writer);
  } else {
    writer.Text(name);
  }
  return writer.size();
}

}  // namespace slipway::dhcp
