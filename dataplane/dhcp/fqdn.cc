#include "dataplane/dhcp/fqdn.h"

#include <algorithm>

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

// RFC 1035 3.1, without compression; a partial name has no root label (RFC 4702 2.3.1).
config::HostName FirstOfWire(ByteSpan name) {
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

void WriteWire(WireWriter& writer, std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    writer.U8(static_cast<std::uint8_t>(label.size()));
    writer.Text(label);
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  writer.U8(0);
}

}  // namespace

config::HostName HostNameOfFqdn(ByteSpan value) noexcept {
  if (value.size() <= kHeaderSize) {
    return {};
  }
  const bool wire = (std::to_integer<std::uint8_t>(value[0]) & kWireForm) != 0;
  const ByteSpan name = value.subspan(kHeaderSize);
  return wire ? FirstOfWire(name) : FirstOfText(AsText(name));
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
  FixedString<limits::kHostnameBytesMax + 1 + 253> name;
  (void)name.Assign(hostname);
  if (!hostname.empty() && !domain.empty()) {
    (void)name.push_back('.');
    (void)name.Append(domain);
  }
  // In wire form a name takes two bytes more than its text.
  if (name.empty() || name.size() + 2 > kFqdnBytesMax - kHeaderSize) {
    return kHeaderSize;
  }
  if (wire) {
    WriteWire(writer, name);
  } else {
    writer.Text(name);
  }
  return writer.size();
}

}  // namespace slipway::dhcp
