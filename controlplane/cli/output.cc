#include "controlplane/cli/output.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace slipway::cli {
namespace {

namespace json = boost::json;

// How deep `show` and -o json go: the region never nests deeper.
constexpr int kDepthMax = 32;

[[nodiscard]] const json::value* Find(const json::object& row, std::string_view path) {
  const json::object* object = &row;
  for (;;) {
    const std::size_t dot = path.find('.');
    const json::value* value = object->if_contains(path.substr(0, dot));
    if (value == nullptr || dot == std::string_view::npos) {
      return value;
    }
    object = value->if_object();
    if (object == nullptr) {
      return nullptr;
    }
    path.remove_prefix(dot + 1);
  }
}

[[nodiscard]] std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      c = '?';
    }
  }
  return out;
}

[[nodiscard]] double NumberOf(const json::value& value) {
  if (value.is_double()) {
    return value.get_double();
  }
  return value.is_uint64() ? static_cast<double>(value.get_uint64())
                           : static_cast<double>(value.is_int64() ? value.get_int64() : 0);
}

[[nodiscard]] std::string Scalar(const json::value& value) {
  if (value.is_null()) {
    return "-";
  }
  if (value.is_string()) {
    const std::string_view text(value.get_string().data(), value.get_string().size());
    return text.empty() ? "-" : Printable(text);
  }
  if (value.is_bool()) {
    return value.get_bool() ? "yes" : "no";
  }
  if (value.is_array()) {
    std::string out;
    for (const json::value& item : value.get_array()) {
      out += (out.empty() ? "" : ",") + Scalar(item);
    }
    return out.empty() ? "-" : out;
  }
  return Printable(json::serialize(value));
}

// Characters on the screen, near enough: UTF-8 continuation bytes take no room.
[[nodiscard]] std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void AppendRecord(const json::object& record, int depth, std::string& out);

void AppendMember(std::string_view name, const json::value& value, int depth, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  const json::array* array = value.if_array();
  const bool of_objects = array != nullptr && !array->empty() && array->front().is_object();
  if (depth < kDepthMax && value.is_object()) {
    out += fmt::format("{}{}:\n", indent, Printable(name));
    AppendRecord(value.get_object(), depth + 1, out);
  } else if (depth < kDepthMax && of_objects) {
    out += fmt::format("{}{}:\n", indent, Printable(name));
    for (const json::value& item : *array) {
      std::string lines;
      if (item.is_object()) {
        AppendRecord(item.get_object(), depth + 2, lines);
      }
      // The first line of each item is marked.
      if (const std::size_t at = static_cast<std::size_t>(depth + 2) * 2; lines.size() > at) {
        lines[at - 2] = '-';
      }
      out += lines;
    }
  } else {
    out += fmt::format("{}{}: {}\n", indent, Printable(name), Scalar(value));
  }
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by kDepthMax.
void AppendRecord(const json::object& record, int depth, std::string& out) {
  for (const auto& member : record) {
    AppendMember(std::string_view(member.key().data(), member.key().size()), member.value(), depth,
                 out);
  }
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by kDepthMax.
void AppendJson(const json::value& value, int depth, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth + 1) * 2, ' ');
  const std::string last(static_cast<std::size_t>(depth) * 2, ' ');
  if (depth < kDepthMax && value.is_object() && !value.get_object().empty()) {
    std::string_view mark = "{\n";
    for (const auto& member : value.get_object()) {
      out.append(mark).append(indent).append(json::serialize(member.key())).append(": ");
      AppendJson(member.value(), depth + 1, out);
      mark = ",\n";
    }
    out.append("\n").append(last).append("}");
  } else if (depth < kDepthMax && value.is_array() && !value.get_array().empty()) {
    std::string_view mark = "[\n";
    for (const json::value& item : value.get_array()) {
      out.append(mark).append(indent);
      AppendJson(item, depth + 1, out);
      mark = ",\n";
    }
    out.append("\n").append(last).append("]");
  } else {
    out.append(json::serialize(value));
  }
}

}  // namespace

std::string BytesText(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string MillisText(double millis) {
  return millis < 1000 ? fmt::format("{:.1f} ms", millis) : fmt::format("{:.3f} s", millis / 1000);
}

std::string CellText(const json::object& row, const Column& column) {
  const json::value* value = Find(row, column.path);
  if (value == nullptr || value->is_null()) {
    return "-";
  }
  switch (column.cell) {
    case Cell::kText:
      return Scalar(*value);
    case Cell::kBytes:
      return NumberOf(*value) > 0 ? BytesText(static_cast<std::uint64_t>(NumberOf(*value))) : "-";
    case Cell::kMebibytes:
      return BytesText(static_cast<std::uint64_t>(NumberOf(*value)) << 20);
    case Cell::kMillis:
      return NumberOf(*value) > 0 ? MillisText(NumberOf(*value)) : "-";
    case Cell::kTime: {
      std::string text = Scalar(*value);
      if (const std::size_t dot = text.find('.'); dot != std::string::npos) {
        text = text.substr(0, dot) + "Z";
      }
      return text;
    }
  }
  return "-";
}

std::string RenderTable(std::span<const json::object> rows, std::span<const Column> columns,
                        bool headers) {
  std::vector<std::vector<std::string>> lines;
  if (headers) {
    std::vector<std::string> titles;
    for (const Column& column : columns) {
      titles.emplace_back(column.title);
    }
    lines.push_back(std::move(titles));
  }
  for (const json::object& row : rows) {
    std::vector<std::string> line;
    for (const Column& column : columns) {
      line.push_back(CellText(row, column));
    }
    lines.push_back(std::move(line));
  }
  std::vector<std::size_t> widths(columns.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], Width(line[i]));
    }
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) {
        out.append(widths[i] - Width(line[i]) + 2, ' ');
      }
    }
    out += '\n';
  }
  return out;
}

std::string RenderRecord(const json::object& record) {
  std::string out;
  AppendRecord(record, 0, out);
  return out;
}

std::string RenderJson(const json::value& value) {
  std::string out;
  AppendJson(value, 0, out);
  return out + "\n";
}

std::string NameOf(const json::object& row) {
  for (const std::string_view field : {"hostname", "name", "id"}) {
    // The name of an interface means nothing without its rack or machine.
    if (field == "name" && (row.contains("rack") || row.contains("machine"))) {
      continue;
    }
    const json::value* value = row.if_contains(field);
    if (value != nullptr && value->is_string() && !value->get_string().empty()) {
      return Printable(std::string_view(value->get_string().data(), value->get_string().size()));
    }
  }
  return "-";
}

}  // namespace slipway::cli
