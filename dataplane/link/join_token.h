// The join token: one line of text that an operator carries from the region to a new rack.
// "slw1." and base64url (no padding) of: version (1), token id, expiry, region public key, one-time
// secret key, the region's endpoints, and a checksum against slips of the hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/link/interfaces.h"
#include "dataplane/link/keys.h"

namespace slipway::link {

inline constexpr std::size_t kEndpointsMax = 8;
inline constexpr std::size_t kEndpointBytesMax = 128;
inline constexpr std::size_t kJoinTokenBytesMax = 2048;

struct JoinToken {
  TokenId id = 0;
  WallTime expires;
  PublicKey region_key;
  SecretKey one_time_secret;           // its public half is what the region admits
  std::vector<std::string> endpoints;  // "tcp://region.example:5250", tried in this order

  // A secret: show it once, log it never. kTooLarge, kMalformed for endpoints out of bounds.
  [[nodiscard]] Result<std::string> Encode() const;
  // White space around the text is ignored. kUnsupported for another version, kBadChecksum for a
  // mistyped token, kMalformed otherwise.
  [[nodiscard]] static Result<JoinToken> Parse(std::string_view text);
};

// "tcp://host:port" within bounds, host without white space.
[[nodiscard]] bool IsEndpoint(std::string_view text) noexcept;

}  // namespace slipway::link
