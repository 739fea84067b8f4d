#include "dataplane/link/rack_identity.h"

#include <charconv>

namespace slipway::link {
namespace {

constexpr std::string_view kHeader = "slipway-link-state 1";

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool ReadNumber(std::string_view text, std::uint64_t& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

bool ReadField(std::string_view line, RackIdentity& identity) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return false;
  }
  const std::string_view name = line.substr(0, space);
  const std::string_view value = line.substr(space + 1);
  if (name == "rack") {
    return ReadNumber(value, identity.rack);
  }
  if (name == "token") {
    return ReadNumber(value, identity.token);
  }
  if (name == "region") {
    const Result<PublicKey> key = PublicKey::FromText(value);
    identity.region_key = key ? *key : PublicKey{};
    return key.has_value();
  }
  if (name == "endpoint" && IsEndpoint(value) && identity.endpoints.size() < kEndpointsMax) {
    identity.endpoints.emplace_back(value);
    return true;
  }
  return false;
}

}  // namespace

Result<RackIdentity> RackIdentity::Load(const std::string& directory) {
  RackIdentity identity;
  identity.key = SLIP_TRY(LoadOrCreateKeyPair(directory + "/link.key"));
  const Result<std::string> text = ReadSecretFile(directory + "/link.state");
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) {
      return identity;
    }
    return std::unexpected(text.error());
  }
  std::string_view left = *text;
  if (NextLine(left) != kHeader) {
    return Fail(ErrorCode::kCorrupt);
  }
  while (!left.empty()) {
    if (!ReadField(NextLine(left), identity)) {
      return Fail(ErrorCode::kCorrupt);
    }
  }
  if (identity.rack == 0 || identity.endpoints.empty() || identity.region_key.is_zero()) {
    return Fail(ErrorCode::kCorrupt);
  }
  return identity;
}

Result<void> RackIdentity::Save(const std::string& directory) const {
  std::string text{kHeader};
  text += "\nrack " + std::to_string(rack);
  text += "\ntoken " + std::to_string(token);
  text += "\nregion " + region_key.Text();
  for (const std::string& endpoint : endpoints) {
    text += "\nendpoint " + endpoint;
  }
  text += "\n";
  return WriteSecretFile(directory + "/link.state", text);
}

}  // namespace slipway::link
