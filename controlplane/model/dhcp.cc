#include "controlplane/model/dhcp.h"

#include <array>
#include <charconv>

#include "dataplane/base/hex.h"
#include "dataplane/dhcp/option_value.h"

namespace slipway::model {

namespace {

Problem AtPlace(const dhcp::ValueError& error, const dhcp::OptionRow* row) {
  Problem problem{.field = "value",
                  .problem = "item " + std::to_string(error.item) + ", character " +
                             std::to_string(error.character) + ": " + std::string(error.problem),
                  .cure = std::string(error.cure)};
  const bool bounds = row != nullptr && error.cure == dhcp::kSeeBounds;
  if (bounds && row->value_max != UINT32_MAX) {
    problem.cure = "give a number from " + std::to_string(row->value_min) + " to " +
                   std::to_string(row->value_max);
  } else if (bounds) {
    problem.cure = "give a number of type " + std::string(dhcp::ToString(row->type)) +
                   ", at least " + std::to_string(row->value_min);
  }
  return problem;
}

}  // namespace

std::optional<OptionName> FindOptionName(Family family, std::string_view text) {
  if (const dhcp::OptionRow* row = dhcp::FindOption(family, text)) {
    return OptionName{.code = row->code, .row = row};
  }
  const bool hex = text.starts_with("0x");
  const std::string_view digits = text.substr(hex ? 2 : 0);
  std::uint32_t code = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() ||
      !dhcp::IsOptionCode(family, code)) {
    return std::nullopt;
  }
  const auto number = static_cast<std::uint16_t>(code);
  return OptionName{.code = number, .row = dhcp::FindOption(family, number)};
}

std::string OptionText(Family family, std::uint16_t code) {
  const dhcp::OptionRow* row = dhcp::FindOption(family, code);
  return row == nullptr ? std::to_string(code) : std::string(row->name);
}

EntityRef TargetOf(const DhcpOption& option) noexcept {
  if (option.machine.is_set()) {
    return {.kind = Kind::kMachine, .id = option.machine};
  }
  if (option.dhcp_class.is_set()) {
    return {.kind = Kind::kDhcpClass, .id = option.dhcp_class};
  }
  if (option.range.is_set()) {
    return {.kind = Kind::kRange, .id = option.range};
  }
  if (option.subnet.is_set()) {
    return {.kind = Kind::kSubnet, .id = option.subnet};
  }
  return {.kind = option.vlan.is_set() ? Kind::kVlan : Kind::kFabric, .id = option.vlan};
}

OptionScope ScopeOf(const DhcpOption& option) noexcept {
  switch (TargetOf(option).kind) {
    case Kind::kMachine:
      return OptionScope::kMachine;
    case Kind::kDhcpClass:
      return OptionScope::kClass;
    case Kind::kRange:
      return OptionScope::kRange;
    case Kind::kSubnet:
      return OptionScope::kSubnet;
    case Kind::kVlan:
      return OptionScope::kVlan;
    default:
      return OptionScope::kGlobal;
  }
}

std::expected<std::string, Problem> EncodeValue(const DhcpOption& option) {
  const auto name = FindOptionName(option.family, option.option);
  SLIP_CHECK(name.has_value());
  std::array<std::byte, limits::kDhcpOptionBytesMax> bytes{};
  const auto size = dhcp::EncodeOptionValue(option.family, name->row, option.value, bytes);
  if (!size) {
    return std::unexpected(AtPlace(size.error(), name->row));
  }
  return std::string(AsText(std::span(bytes).first(*size)));
}

std::expected<config::RelayId, Problem> EncodeRelayId(std::string_view text) {
  config::RelayId id;
  std::array<std::byte, limits::kDhcpOptionBytesMax> bytes{};
  ByteSpan value = AsBytes(text);
  if (text.starts_with("0x")) {
    const auto size = dhcp::EncodeOptionValue(Family::kV4, nullptr, text, bytes);
    if (!size) {
      return std::unexpected(AtPlace(size.error(), nullptr));
    }
    value = std::span(bytes).first(*size);
  }
  for (const std::byte byte : value) {
    if (!id.push_back(byte)) {
      return std::unexpected(Problem{
          .field = {},
          .problem = "is longer than " + std::to_string(config::kRelayIdBytesMax) + " bytes",
          .cure = "shorten it"});
    }
  }
  return id;
}

std::optional<FixedVector<std::uint8_t, 6>> ParseMacPrefix(std::string_view text) {
  FixedVector<std::uint8_t, 6> prefix;
  while (true) {
    const int high = text.empty() ? -1 : HexValue(text[0]);
    const int low = text.size() < 2 ? -1 : HexValue(text[1]);
    if (high < 0 || low < 0 || !prefix.push_back(static_cast<std::uint8_t>(high * 16 + low))) {
      return std::nullopt;
    }
    if (text.size() == 2) {
      return prefix;
    }
    if (text[2] != ':' && text[2] != '-') {
      return std::nullopt;
    }
    text.remove_prefix(3);
  }
}

}  // namespace slipway::model
