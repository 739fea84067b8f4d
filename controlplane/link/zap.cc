#include "controlplane/link/zap.h"

#include <algorithm>
#include <charconv>

namespace slipway::region_link {
namespace {

constexpr std::string_view kRackPrefix = "rack:";
constexpr std::string_view kTokenPrefix = "token:";

ZapResult ResultOf(link::PeerKind kind) {
  switch (kind) {
    case link::PeerKind::kRack:
      return ZapResult::kRackAdmitted;
    case link::PeerKind::kToken:
      return ZapResult::kTokenAdmitted;
    case link::PeerKind::kRevoked:
      return ZapResult::kRevoked;
    case link::PeerKind::kTokenUsed:
      return ZapResult::kTokenUsed;
    case link::PeerKind::kTokenExpired:
      return ZapResult::kTokenExpired;
    case link::PeerKind::kUnknown:
      break;
  }
  return ZapResult::kUnknownKey;
}

ZapResult ResultOf(link::ZapVerdict verdict) {
  return verdict == link::ZapVerdict::kMechanism ? ZapResult::kMechanism : ZapResult::kMalformed;
}

}  // namespace

std::string_view ToString(ZapResult result) noexcept {
  switch (result) {
    case ZapResult::kRackAdmitted:
      return "rack-admitted";
    case ZapResult::kTokenAdmitted:
      return "token-admitted";
    case ZapResult::kUnknownKey:
      return "unknown-key";
    case ZapResult::kRevoked:
      return "revoked";
    case ZapResult::kTokenUsed:
      return "token-used";
    case ZapResult::kTokenExpired:
      return "token-expired";
    case ZapResult::kMechanism:
      return "mechanism";
    case ZapResult::kMalformed:
    case ZapResult::kCount:
      break;
  }
  return "malformed";
}

std::string UserIdOf(const link::PeerStatus& peer) {
  switch (peer.kind) {
    case link::PeerKind::kRack:
      return std::string(kRackPrefix) + std::to_string(peer.id);
    case link::PeerKind::kToken:
      return std::string(kTokenPrefix) + std::to_string(peer.id);
    default:
      return {};
  }
}

std::optional<link::PeerStatus> ParseUserId(std::string_view user_id) {
  link::PeerStatus peer;
  if (user_id.starts_with(kRackPrefix)) {
    peer.kind = link::PeerKind::kRack;
    user_id.remove_prefix(kRackPrefix.size());
  } else if (user_id.starts_with(kTokenPrefix)) {
    peer.kind = link::PeerKind::kToken;
    user_id.remove_prefix(kTokenPrefix.size());
  } else {
    return std::nullopt;
  }
  const char* end = user_id.data() + user_id.size();
  const auto parsed = std::from_chars(user_id.data(), end, peer.id);
  if (parsed.ec != std::errc{} || parsed.ptr != end || peer.id == 0) {
    return std::nullopt;
  }
  return peer;
}

ZapAnswer AnswerZap(const std::vector<std::string>& frames, link::RackDirectory& directory,
                    WallTime now) {
  const link::ZapRequest request = link::ReadZapRequest(frames, kZapDomain);
  if (request.verdict != link::ZapVerdict::kKey) {
    return {.result = ResultOf(request.verdict), .frames = link::ZapReply(request, "")};
  }
  const link::PeerStatus peer = directory.StatusOfKey(request.key, now);
  return {.result = ResultOf(peer.kind), .frames = link::ZapReply(request, UserIdOf(peer))};
}

}  // namespace slipway::region_link
