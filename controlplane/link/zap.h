// The region's ZAP handler (dataplane/link/zap.h): who may finish a CURVE handshake, and as whom.
// Pure but for the directory that it asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/link/region_end.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/zap.h"

namespace slipway::region_link {

inline constexpr std::string_view kZapDomain = "slipway";

struct ZapAnswer {
  ZapResult result = ZapResult::kMalformed;
  // Of the reply, in order: version, request id, status code, status text, user id, metadata.
  // Empty: the request was not even ZAP, and nothing can be answered.
  std::vector<std::string> frames;
};

// `frames` of the request: version, request id, domain, address, routing id, mechanism,
// credentials.
[[nodiscard]] ZapAnswer AnswerZap(const std::vector<std::string>& frames,
                                  link::RackDirectory& directory, WallTime now);

// The User-Id that the handler gives and that each message then carries.
[[nodiscard]] std::string UserIdOf(const link::PeerStatus& peer);
// kRack or kToken with its id; nothing else is ever admitted.
[[nodiscard]] std::optional<link::PeerStatus> ParseUserId(std::string_view user_id);

[[nodiscard]] std::string_view ToString(ZapResult result) noexcept;

}  // namespace slipway::region_link
