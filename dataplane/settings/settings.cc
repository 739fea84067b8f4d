#include "dataplane/settings/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>

#include "dataplane/base/check.h"

namespace slipway::settings {
namespace {

[[nodiscard]] std::string Place(const std::string& file, const toml::source_region& source) {
  return file + ":" + std::to_string(source.begin.line) + ":" +
         std::to_string(source.begin.column) + ": ";
}

// Levenshtein distance of two short names.
[[nodiscard]] std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

[[nodiscard]] std::string_view NameOf(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "a text";
    case Kind::kPath:
      return "an absolute path";
    case Kind::kInteger:
      return "a whole number";
    case Kind::kFlag:
      return "true or false";
    case Kind::kTextList:
      return "a list of texts";
  }
  return "a value";
}

}  // namespace

// Collects values and problems over all files.
class Reader {
 public:
  explicit Reader(std::span<const Setting> table) : table_(table) {
    for (const Setting& row : table_) {
      Values::Value value;
      value.kind = row.kind;
      value.text = row.fallback;
      if (row.kind == Kind::kInteger) {
        const auto end = row.fallback.data() + row.fallback.size();
        SLIP_CHECK(std::from_chars(row.fallback.data(), end, value.integer).ptr == end);
      } else if (row.kind == Kind::kFlag) {
        value.integer = row.fallback == "true" ? 1 : 0;
      }
      values_.values_.emplace(row.key, std::move(value));
    }
  }

  void ReadFile(const std::string& file) {
    try {
      const toml::table root = toml::parse_file(file);
      Walk(file, root, "");
    } catch (const toml::parse_error& error) {
      problems_ += Place(file, error.source()) + std::string(error.description()) +
                   "; mend the TOML syntax here\n";
    }
  }

  [[nodiscard]] std::expected<Values, std::string> Finish() && {
    if (!problems_.empty()) {
      problems_.pop_back();
      return std::unexpected(std::move(problems_));
    }
    return std::move(values_);
  }

 private:
  void Walk(const std::string& file, const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      if (const toml::table* const inner = node.as_table(); inner != nullptr && IsPrefix(key)) {
        Walk(file, *inner, key + ".");
        continue;
      }
      const auto row = std::find_if(table_.begin(), table_.end(),
                                    [&](const Setting& setting) { return setting.key == key; });
      if (row == table_.end()) {
        problems_ += Place(file, name.source()) + "unknown key '" + key + "'; " + Nearest(key);
        continue;
      }
      if (const std::string wrong = Take(*row, node); !wrong.empty()) {
        problems_ += Place(file, node.source()) + "'" + key + "' " + wrong + "\n";
      } else {
        values_.values_.find(key)->second.origin =
            file + ":" + std::to_string(node.source().begin.line);
      }
    }
  }

  [[nodiscard]] bool IsPrefix(const std::string& key) const {
    const std::string dotted = key + ".";
    return std::any_of(table_.begin(), table_.end(),
                       [&](const Setting& row) { return row.key.starts_with(dotted); });
  }

  [[nodiscard]] std::string Nearest(const std::string& key) const {
    const auto best =
        std::min_element(table_.begin(), table_.end(), [&](const Setting& a, const Setting& b) {
          return Distance(a.key, key) < Distance(b.key, key);
        });
    if (best != table_.end() &&
        Distance(best->key, key) <= std::max<std::size_t>(3, key.size() / 3)) {
      return "did you mean '" + std::string(best->key) + "'?\n";
    }
    return "see --help for the keys there are\n";
  }

  // What is wrong with the value, or nothing.
  [[nodiscard]] std::string Take(const Setting& row, const toml::node& node) {
    Values::Value& value = values_.values_.find(row.key)->second;
    const std::string wanted = "must be " + std::string(NameOf(row.kind));
    switch (row.kind) {
      case Kind::kText:
      case Kind::kPath: {
        const auto text = node.value_exact<std::string>();
        if (!text || (row.kind == Kind::kPath && !text->starts_with('/'))) {
          return wanted;
        }
        value.text = *text;
        return {};
      }
      case Kind::kInteger: {
        const auto number = node.value_exact<std::int64_t>();
        if (!number || *number < row.least || *number > row.most) {
          return wanted + " from " + std::to_string(row.least) + " to " + std::to_string(row.most);
        }
        value.integer = *number;
        return {};
      }
      case Kind::kFlag: {
        const auto flag = node.value_exact<bool>();
        if (!flag) {
          return wanted;
        }
        value.integer = *flag ? 1 : 0;
        return {};
      }
      case Kind::kTextList:
        return TakeList(node, value) ? "" : wanted;
    }
    return {};
  }

  [[nodiscard]] static bool TakeList(const toml::node& node, Values::Value& value) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) {
      return false;
    }
    value.list.clear();
    for (const toml::node& item : *array) {
      const auto text = item.value_exact<std::string>();
      if (!text) {
        return false;
      }
      value.list.push_back(*text);
    }
    return true;
  }

  std::span<const Setting> table_;
  Values values_;
  std::string problems_;
};

const Values::Value& Values::Find(std::string_view key, Kind kind) const {
  const auto found = values_.find(key);
  SLIP_CHECK(found != values_.end());
  const bool path_as_text = found->second.kind == Kind::kPath && kind == Kind::kText;
  SLIP_CHECK(found->second.kind == kind || path_as_text);
  return found->second;
}

const std::string& Values::Text(std::string_view key) const { return Find(key, Kind::kText).text; }

std::int64_t Values::Integer(std::string_view key) const {
  return Find(key, Kind::kInteger).integer;
}

bool Values::Flag(std::string_view key) const { return Find(key, Kind::kFlag).integer != 0; }

const std::vector<std::string>& Values::TextList(std::string_view key) const {
  return Find(key, Kind::kTextList).list;
}

const std::string& Values::Origin(std::string_view key) const {
  const auto found = values_.find(key);
  SLIP_CHECK(found != values_.end());
  return found->second.origin;
}

void Values::SetText(std::string_view key, std::string_view text, std::string_view origin) {
  const auto found = values_.find(key);
  SLIP_CHECK(found != values_.end());
  SLIP_CHECK(found->second.kind == Kind::kText || found->second.kind == Kind::kPath);
  found->second.text = text;
  found->second.origin = origin;
}

std::string Values::Describe() const {
  std::string text;
  for (const auto& [key, value] : values_) {
    text += key + " = ";
    switch (value.kind) {
      case Kind::kText:
      case Kind::kPath:
        text += "\"" + value.text + "\"";
        break;
      case Kind::kInteger:
        text += std::to_string(value.integer);
        break;
      case Kind::kFlag:
        text += value.integer != 0 ? "true" : "false";
        break;
      case Kind::kTextList:
        text += "[";
        for (const std::string& item : value.list) {
          text += (text.ends_with('[') ? "\"" : ", \"") + item + "\"";
        }
        text += "]";
        break;
    }
    text += "  # " + value.origin + "\n";
  }
  return text;
}

std::expected<Values, std::string> Read(const std::string& file, std::span<const Setting> table) {
  Reader reader(table);
  if (file.empty()) {
    return std::move(reader).Finish();
  }
  reader.ReadFile(file);
  std::error_code ignored;  // A missing conf.d is normal.
  std::vector<std::string> drop_ins;
  const auto directory = std::filesystem::path(file).parent_path() / "conf.d";
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".toml") {
      drop_ins.push_back(entry.path().string());
    }
  }
  std::sort(drop_ins.begin(), drop_ins.end());
  for (const std::string& drop_in : drop_ins) {
    reader.ReadFile(drop_in);
  }
  return std::move(reader).Finish();
}

std::string FileOrUsual(const std::string& given, const std::string& usual) {
  std::error_code ignored;  // Unreadable counts as missing here: Read says why it cannot be read.
  if (!given.empty() || !std::filesystem::exists(usual, ignored)) {
    return given;
  }
  return usual;
}

std::string Help(std::span<const Setting> table) {
  std::string text;
  for (const Setting& row : table) {
    text += "  " + std::string(row.key) + " (" + std::string(NameOf(row.kind)) + ", default " +
            (row.fallback.empty() ? "none" : std::string(row.fallback)) + ")\n      " +
            std::string(row.doc) + "\n";
  }
  return text;
}

}  // namespace slipway::settings
