#include "controlplane/model/enrol.h"

#include <boost/json.hpp>

#include <charconv>

#include "dataplane/base/hex.h"

namespace slipway::model {

namespace json = boost::json;

namespace {

constexpr std::string_view kTokenPrefix = "t/join/";
constexpr std::size_t kTokenDigits = 16;

std::unexpected<Refusal> Refuse(RefusalKind kind, ErrorCode code, std::string field,
                                std::string problem, std::string cure) {
  Refusal refusal{.kind = kind, .problems = {}, .item = 0, .error = {.code = code}};
  refusal.problems.push_back(
      {.field = std::move(field), .problem = std::move(problem), .cure = std::move(cure)});
  return std::unexpected(std::move(refusal));
}

}  // namespace

std::string TokenKey(std::uint64_t token) {
  std::string key(kTokenPrefix);
  for (int shift = 60; shift >= 0; shift -= 4) {
    key.push_back(kHexDigits[(token >> shift) & 15]);
  }
  return key;
}

std::string EncodeToken(const JoinTokenRow& token) {
  json::object object;
  object["key"] = token.public_key;
  object["expires_ns"] = token.expires_ns;
  if (token.rack.is_set()) {
    object["rack"] = FormatId(Kind::kRack, token.rack);
  }
  return json::serialize(object);
}

Result<JoinTokenRow> DecodeToken(std::string_view key, std::string_view value) {
  JoinTokenRow token;
  if (!key.starts_with(kTokenPrefix) || key.size() != kTokenPrefix.size() + kTokenDigits) {
    return Fail(ErrorCode::kMalformed);
  }
  const char* end = key.data() + key.size();
  const auto parsed = std::from_chars(key.data() + kTokenPrefix.size(), end, token.id, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Fail(ErrorCode::kMalformed);
  }
  if (value.empty()) {  // deleted
    return token;
  }
  json::error_code error;
  const json::value document = json::parse(json::string_view(value.data(), value.size()), error);
  if (error || !document.is_object()) {
    return Fail(ErrorCode::kMalformed);
  }
  const json::object& object = document.get_object();
  const json::value* public_key = object.if_contains("key");
  const json::value* expires = object.if_contains("expires_ns");
  if (public_key == nullptr || !public_key->is_string() || expires == nullptr ||
      !expires->is_int64()) {
    return Fail(ErrorCode::kMalformed);
  }
  token.public_key = public_key->get_string().c_str();
  token.expires_ns = expires->get_int64();
  if (const json::value* rack = object.if_contains("rack"); rack != nullptr && rack->is_string()) {
    token.rack = SLIP_TRY(ParseId(Kind::kRack, rack->get_string().c_str()));
  }
  return token;
}

Outcome AddToken(Plan& plan, const JoinTokenRow& token, WallTime now) {
  const ModelIndex& index = plan.index();
  if (index.FindToken(token.id) != nullptr || index.TokenByKey(token.public_key) != nullptr) {
    return Refuse(RefusalKind::kConflict, ErrorCode::kExists, "token", "exists already",
                  "make another one");
  }
  std::size_t left = 0;
  for (const auto& [id, other] : index.tokens()) {
    if (other.expires_ns < now.ns) {
      plan.AlsoWrite(TokenKey(id), std::nullopt);
    } else {
      ++left;
    }
  }
  if (left >= kJoinTokensMax) {
    return Refuse(RefusalKind::kTooMany, ErrorCode::kFull, "token",
                  std::to_string(left) + " join tokens are still valid",
                  "use them, or wait until they expire");
  }
  plan.AlsoCompare({.key = TokenKey(token.id), .modified = 0, .any_revision = false});
  plan.AlsoWrite(TokenKey(token.id), EncodeToken(token));
  return {};
}

std::expected<EntityId, Refusal> EnrolRack(Plan& plan, std::uint64_t token, std::string_view name,
                                           std::string_view public_key, WallTime now) {
  const JoinTokenRow* row = plan.index().FindToken(token);
  if (row == nullptr) {
    return Refuse(RefusalKind::kNotFound, ErrorCode::kNotFound, "token", "is not known",
                  "make a new one: slipway rack token");
  }
  const Row* known = plan.index().RackByKey(public_key);
  if (row->rack.is_set()) {
    if (known != nullptr && known->id == row->rack) {
      return known->id;  // the answer was lost: the same again
    }
    return Refuse(RefusalKind::kConflict, ErrorCode::kConflict, "token", "was used by another rack",
                  "make a new one: slipway rack token");
  }
  if (row->expires_ns < now.ns) {
    return Refuse(RefusalKind::kNotFound, ErrorCode::kExpired, "token", "has expired",
                  "make a new one: slipway rack token");
  }
  if (known != nullptr) {
    return Refuse(RefusalKind::kConflict, ErrorCode::kExists, "public_key",
                  "belongs to rack " + FormatId(Kind::kRack, known->id),
                  "remove the rack's key file so that it makes a new one");
  }
  if (const Row* taken = plan.index().FindByName(Kind::kRack, name)) {
    return Refuse(RefusalKind::kConflict, ErrorCode::kExists, "name",
                  "is taken by rack " + FormatId(Kind::kRack, taken->id),
                  "choose another name, or delete that rack first");
  }
  JoinTokenRow used = *row;
  Rack rack;
  rack.name = name;
  rack.public_key = public_key;
  auto id = plan.Create(Entity(std::move(rack)));
  if (!id) {
    id.error().error = Error{.code = ErrorCode::kMalformed};
    return id;
  }
  plan.AlsoCompare({.key = TokenKey(token), .modified = used.modified, .any_revision = false});
  used.rack = *id;
  plan.AlsoWrite(TokenKey(token), EncodeToken(used));
  return id;
}

}  // namespace slipway::model
