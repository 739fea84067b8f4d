// How answers are shown: as a table for people, as JSON, or as names for other commands.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cli {

enum class Format : std::uint8_t { kTable, kJson, kName };

enum class Cell : std::uint8_t {
  kText,
  kBytes,  // "44.7 MiB"
  kMebibytes,
  kMillis,  // "1.204 s"
  kTime,    // without the date's fraction
};

struct Column {
  std::string_view title;
  std::string_view path;  // "inventory.cpu_count"
  Cell cell = Cell::kText;
};

// The value at a dotted path as one line of text; "-" for null, absent or empty. Control characters
// become '?': nothing that a machine has sent may move the cursor.
[[nodiscard]] std::string CellText(const boost::json::object& row, const Column& column);

// Columns as wide as they need to be, two spaces between; one line per row, the header first.
[[nodiscard]] std::string RenderTable(std::span<const boost::json::object> rows,
                                      std::span<const Column> columns, bool headers);

// "name: value", nested objects indented, lists one item per line: for `show`.
[[nodiscard]] std::string RenderRecord(const boost::json::object& record);

// Indented JSON with a newline at the end.
[[nodiscard]] std::string RenderJson(const boost::json::value& value);

// What to call a row in other commands: its name if it has one, else its id.
[[nodiscard]] std::string NameOf(const boost::json::object& row);

[[nodiscard]] std::string BytesText(std::uint64_t bytes);
[[nodiscard]] std::string MillisText(double millis);

}  // namespace slipway::cli
