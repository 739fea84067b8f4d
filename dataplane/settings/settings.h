// Process settings from a TOML file and its drop-ins, by one table per program: strict keys,
// bounds, defaults and the text that --help and the docs show. Cold code of both planes; not for
// shards.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::settings {

enum class Kind : std::uint8_t { kText, kPath, kInteger, kFlag, kTextList };

// One row of a program's table.
struct Setting {
  std::string_view key;  // dotted: "api.listen"
  Kind kind = Kind::kText;
  // As it would be written in TOML, without quotes for text; lists are empty by default.
  std::string_view fallback;
  std::int64_t least = INT64_MIN;  // integers
  std::int64_t most = INT64_MAX;
  std::string_view doc;  // one sentence, with the unit
};

// Effective values. REQUIRES in all getters: `key` is a row of the table, of that kind.
class Values {
 public:
  [[nodiscard]] const std::string& Text(std::string_view key) const;
  [[nodiscard]] std::int64_t Integer(std::string_view key) const;
  [[nodiscard]] bool Flag(std::string_view key) const;
  [[nodiscard]] const std::vector<std::string>& TextList(std::string_view key) const;
  // "default" or "file:line".
  [[nodiscard]] const std::string& Origin(std::string_view key) const;
  // One line per setting: key = value, and where it comes from.
  [[nodiscard]] std::string Describe() const;
  // A command-line option that stands for a setting of text or path. REQUIRES: as the getters.
  void SetText(std::string_view key, std::string_view text, std::string_view origin);

 private:
  friend class Reader;

  struct Value {
    Kind kind = Kind::kText;
    std::string text;
    std::int64_t integer = 0;
    std::vector<std::string> list;
    std::string origin = "default";
  };

  [[nodiscard]] const Value& Find(std::string_view key, Kind kind) const;
  std::map<std::string, Value, std::less<>> values_;
};

// Reads `file`, then each *.toml of `<directory of file>/conf.d` in name order, later ones winning.
// An empty `file` gives the defaults. The error is text for a person, one problem per line, each as
// "file:line:column: what is wrong; what to do".
[[nodiscard]] std::expected<Values, std::string> Read(const std::string& file,
                                                      std::span<const Setting> table);

// The file that --config gave, else the usual one if it is there, else none (all defaults).
[[nodiscard]] std::string FileOrUsual(const std::string& given, const std::string& usual);

// The table as text for --help.
[[nodiscard]] std::string Help(std::span<const Setting> table);

}  // namespace slipway::settings
