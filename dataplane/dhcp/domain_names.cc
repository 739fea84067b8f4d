#include "dataplane/dhcp/domain_names.h"

#include <algorithm>

namespace slipway::dhcp {
namespace {

constexpr std::size_t kLabelBytesMax = 63;
constexpr std::uint8_t kPointer = 0xC0;
constexpr std::size_t kPointerOffsetMax = 0x3FFF;

[[nodiscard]] char Lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// The label at `at` (after pointers), or nothing at the end of the name. Moves `at` behind it.
[[nodiscard]] std::optional<std::string_view> NextLabel(ByteSpan data, std::size_t& at) noexcept {
  std::size_t limit = at;
  while (at < data.size()) {
    const auto length = std::to_integer<std::uint8_t>(data[at]);
    if ((length & kPointer) != kPointer) {
      if (length == 0 || length > kLabelBytesMax || data.size() - at - 1 < length) {
        return std::nullopt;
      }
      const std::string_view label = AsText(data.subspan(at + 1, length));
      at += 1 + std::size_t{length};
      return label;
    }
    if (data.size() - at < 2) {
      return std::nullopt;
    }
    const std::size_t target = LoadBig<std::uint16_t>(&data[at]) & kPointerOffsetMax;
    if (target >= limit) {
      return std::nullopt;
    }
    limit = target;
    at = target;
  }
  return std::nullopt;
}

// Behind the name at `at` as it lies there: its end or its first pointer.
[[nodiscard]] std::optional<std::size_t> EndOfName(ByteSpan data, std::size_t at) noexcept {
  while (at < data.size()) {
    const auto length = std::to_integer<std::uint8_t>(data[at]);
    if (length == 0) {
      return at + 1;
    }
    if ((length & kPointer) == kPointer) {
      return data.size() - at < 2 ? std::nullopt : std::optional(at + 2);
    }
    if (length > kLabelBytesMax) {
      return std::nullopt;
    }
    at += 1 + std::size_t{length};
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> FaultOfDomain(std::string_view text) noexcept {
  if (text.size() > kNameTextBytesMax) {
    return kNameTextBytesMax;
  }
  std::size_t label = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '.';
    if (c == '.') {
      if (label == 0) {
        return i;
      }
      if (text[i - 1] == '-') {
        return i - 1;
      }
      label = 0;
      continue;
    }
    const bool letter = (Lower(c) >= 'a' && Lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!(letter || (c == '-' && label > 0)) || label == kLabelBytesMax) {
      return i;
    }
    ++label;
  }
  return std::nullopt;
}

void PutName(std::string_view name, WireWriter& out) noexcept {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out.U8(static_cast<std::uint8_t>(label.size()));
    out.Text(label);
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  out.U8(0);
}

std::optional<std::uint16_t> NameCompressor::Find(std::string_view suffix,
                                                  ByteSpan written) const noexcept {
  for (const std::uint16_t start : labels_) {
    std::size_t at = start;
    std::string_view left = suffix;
    while (!left.empty()) {
      const std::string_view label = left.substr(0, left.find('.'));
      const auto there = NextLabel(written, at);
      if (!there || !std::ranges::equal(*there, label, {}, Lower, Lower)) {
        break;
      }
      left.remove_prefix(std::min(label.size() + 1, left.size()));
    }
    if (left.empty() && !NextLabel(written, at)) {
      return start;
    }
  }
  return std::nullopt;
}

void NameCompressor::Put(std::string_view name, WireWriter& out) noexcept {
  // A name refers only to whole names before it: this one has no end yet.
  const ByteSpan before = out.written();
  FixedVector<std::uint16_t, kNameTextBytesMax / 2 + 1> own;
  while (!name.empty()) {
    if (const auto pointer = Find(name, before)) {
      out.U16(static_cast<std::uint16_t>(*pointer | (kPointer << 8)));
      break;
    }
    if (out.size() <= kPointerOffsetMax) {
      (void)own.push_back(static_cast<std::uint16_t>(out.size()));
    }
    const std::string_view label = name.substr(0, name.find('.'));
    out.U8(static_cast<std::uint8_t>(label.size()));
    out.Text(label);
    name.remove_prefix(std::min(label.size() + 1, name.size()));
    if (name.empty()) {
      out.U8(0);
    }
  }
  for (const std::uint16_t label : own) {
    (void)labels_.push_back(label);
  }
}

bool ReadName(ByteSpan data, std::size_t& at, NameText& name) noexcept {
  const std::optional<std::size_t> end = EndOfName(data, at);
  if (!end) {
    return false;
  }
  name.clear();
  std::size_t from = at;
  while (const auto label = NextLabel(data, from)) {
    if ((!name.empty() && !name.push_back('.')) || !name.Append(*label)) {
      return false;
    }
  }
  // Where the labels stopped there must be the end, not damage.
  if (from >= data.size() || data[from] != std::byte{0}) {
    return false;
  }
  at = *end;
  return !FaultOfDomain(name.view());
}

}  // namespace slipway::dhcp
