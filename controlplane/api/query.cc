#include "controlplane/api/query.h"

#include <cstdint>

#include "dataplane/base/hex.h"

namespace slipway::api {

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = text.size() - i > 2 ? HexValue(text[i + 1]) : -1;
      const int low = text.size() - i > 2 ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(i));
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(i));
    }
    out.push_back(c);
  }
  return out;
}

Result<Query> Query::Parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view item = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (item.empty()) {
      continue;
    }
    if (query.parameters_.size() == kQueryParametersMax) {
      return Fail(ErrorCode::kTooLarge);
    }
    const std::size_t equals = item.find('=');
    std::string name = SLIP_TRY(PercentDecode(item.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      value = SLIP_TRY(PercentDecode(item.substr(equals + 1), true));
    }
    if (query.Get(name)) {
      return Fail(ErrorCode::kExists);
    }
    query.parameters_.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

std::optional<std::string_view> Query::Get(std::string_view name) const noexcept {
  for (const auto& [known, value] : parameters_) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

bool Query::Flag(std::string_view name) const noexcept {
  const auto value = Get(name);
  return value && *value != "0" && *value != "false";
}

}  // namespace slipway::api
