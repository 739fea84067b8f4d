#include "dataplane/http/conditions.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "dataplane/http/date.h"

namespace slipway::http {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// Takes the next entity tag off a list: its text without quotes. No value at the end, or at what is
// no entity tag: the rest of the list then matches nothing.
std::optional<std::string_view> TakeTag(std::string_view& list, bool& weak) noexcept {
  const std::size_t start = list.find_first_not_of(" \t,");
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  list.remove_prefix(start);
  weak = list.starts_with("W/");
  list.remove_prefix(weak ? 2 : 0);
  if (list.empty() || list.front() != '"') {
    return std::nullopt;
  }
  const std::size_t end = list.find('"', 1);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view tag = list.substr(1, end - 1);
  list.remove_prefix(end + 1);
  return tag;
}

// "*" matches every representation that exists. Our tags are strong: a weak one matches only under
// weak comparison (RFC 9110 8.8.3.2).
bool MatchesAny(std::string_view list, std::string_view etag, bool weak_comparison) noexcept {
  if (list == "*") {
    return true;
  }
  bool weak = false;
  while (const auto tag = TakeTag(list, weak)) {
    if (!etag.empty() && *tag == etag && (weak_comparison || !weak)) {
      return true;
    }
  }
  return false;
}

// To whole seconds, as Last-Modified says it.
bool NotModifiedSince(WallTime modified, WallTime date) noexcept {
  return modified.ns / kNanosPerSecond <= date.ns / kNanosPerSecond;
}

bool IfRangeHolds(std::string_view value, const Validators& validators) noexcept {
  if (value.empty()) {
    return true;
  }
  if (value.front() == '"') {
    return MatchesAny(value, validators.etag, false);
  }
  const auto date = ParseDate(value);
  return date && validators.modified.ns != 0 &&
         date->ns / kNanosPerSecond == validators.modified.ns / kNanosPerSecond;
}

std::optional<std::uint64_t> Number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return value;
}

// No change of `selection` if the field is to be ignored.
void ApplyRange(std::string_view field, std::uint64_t total, Selection& selection) noexcept {
  constexpr std::string_view kUnit = "bytes=";
  if (field.size() <= kUnit.size() || !EqualsIgnoringCase(field.substr(0, kUnit.size()), kUnit)) {
    return;
  }
  const std::string_view spec = field.substr(kUnit.size());
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) {
    return;
  }
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  const auto first = Number(first_text);
  const auto last = Number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) {
    return;  // Malformed, or a list of ranges: its comma is no digit.
  }
  ByteRange range;
  if (!first) {
    range.bytes = std::min(*last, total);
    range.offset = total - range.bytes;
  } else {
    if (last && *last < *first) {
      return;
    }
    range.offset = *first;
    if (*first < total) {
      // No overflow: the sum is at most `total`.
      range.bytes = last && *last < total ? *last - *first + 1 : total - *first;
    }
  }
  selection.status = range.bytes == 0 ? Status::kRangeNotSatisfiable : Status::kPartialContent;
  selection.range = range;
}

}  // namespace

Selection Select(const Request& request, const Validators& validators,
                 std::uint64_t bytes_total) noexcept {
  if (!request.if_match.empty() && !MatchesAny(request.if_match, validators.etag, false)) {
    return {.status = Status::kPreconditionFailed, .range = {}};
  }
  if (!request.if_none_match.empty()) {
    if (MatchesAny(request.if_none_match, validators.etag, true)) {
      return {.status = Status::kNotModified, .range = {}};
    }
  } else if (!request.if_modified_since.empty() && validators.modified.ns != 0) {
    const auto date = ParseDate(request.if_modified_since);
    if (date && NotModifiedSince(validators.modified, *date)) {
      return {.status = Status::kNotModified, .range = {}};
    }
  }
  Selection selection{.status = Status::kOk, .range = {.offset = 0, .bytes = bytes_total}};
  if (request.method == Method::kGet && !request.range.empty() &&
      IfRangeHolds(request.if_range, validators)) {
    ApplyRange(request.range, bytes_total, selection);
  }
  return selection;
}

}  // namespace slipway::http
