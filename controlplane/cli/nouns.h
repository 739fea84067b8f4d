// The nouns of the command line in ONE table: columns of lists, options of create and set. From it
// come the commands, their help and docs/cli.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "controlplane/cli/output.h"

namespace slipway::cli {

enum class ValueKind : std::uint8_t { kText, kNumber, kList, kNumberList, kBool };

struct FieldOption {
  std::string_view option;  // "--lease-seconds"
  std::string_view field;   // "lease_seconds"
  ValueKind kind = ValueKind::kText;
  bool required = false;  // at create
  bool settable = true;   // by `set`
  std::string_view help;
};

struct Noun {
  std::string_view name;        // "served-interface"
  std::string_view plural;      // path: /v1/<plural>
  std::string_view name_field;  // what NAME of `create` sets; empty: create takes no NAME
  std::string_view summary;
  std::span<const Column> columns;
  std::span<const FieldOption> options;
  bool creates = true;          // has create, set and delete
  std::string_view filters;     // list options, separated by spaces: fields of the kind
  std::string_view under = {};  // the noun before it that it is a verb of: `rack pair list`
};

[[nodiscard]] std::span<const Noun> Nouns() noexcept;

}  // namespace slipway::cli
