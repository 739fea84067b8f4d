// DHCP options and classes of the model in the terms of the one option table
// (dataplane/dhcp/options.h): what a text names, and what its value is on the wire.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/model/entities.h"
#include "controlplane/model/fields.h"
#include "dataplane/dhcp/options.h"

namespace slipway::model {

struct OptionName {
  std::uint16_t code = 0;
  const dhcp::OptionRow* row = nullptr;  // nullptr: a code that is not in the table
};

// A name of the table, or a number: decimal, or hexadecimal behind 0x. Nothing: neither.
[[nodiscard]] std::optional<OptionName> FindOptionName(Family family, std::string_view text);

// The name of a code, or its number: what FindOptionName takes.
[[nodiscard]] std::string OptionText(Family family, std::uint16_t code);

// Where the option is set, and of what. Global: no id.
[[nodiscard]] OptionScope ScopeOf(const DhcpOption& option) noexcept;
// kFabric and no id for global.
[[nodiscard]] EntityRef TargetOf(const DhcpOption& option) noexcept;

// The bytes of its value. The problem is of the field "value" and says item and character.
// REQUIRES: FindOptionName(option.family, option.option).
[[nodiscard]] std::expected<std::string, Problem> EncodeValue(const DhcpOption& option);
// "0x..." is hexadecimal, anything else the text itself. The problem has no field.
[[nodiscard]] std::expected<config::RelayId, Problem> EncodeRelayId(std::string_view text);
// One to six octets: "52:54:00". Nothing: no such text.
[[nodiscard]] std::optional<FixedVector<std::uint8_t, 6>> ParseMacPrefix(std::string_view text);

}  // namespace slipway::model
