// Racks join with one-time tokens: their records, and the commit that turns one into a rack.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "controlplane/model/mutations.h"
#include "dataplane/base/time.h"

namespace slipway::model {

inline constexpr std::size_t kJoinTokensMax = 1'000;  // unused or not yet swept

// Plans a new token record; expired ones are swept at the same time. kConflict: the id or key is
// taken. kTooMany.
[[nodiscard]] Outcome AddToken(Plan& plan, const JoinTokenRow& token, WallTime now);

// Plans the registration of the rack and the use of the token, in one batch. The same token with
// the same key again gives the same rack and an empty plan. Refusals: kNotFound (no such token, or
// expired: Error kExpired), kConflict (Error kConflict: used by another key; kExists: the name or
// the key belongs to another rack). Refusal::error holds the code for the link.
[[nodiscard]] std::expected<EntityId, Refusal> EnrolRack(Plan& plan, std::uint64_t token,
                                                         std::string_view name,
                                                         std::string_view public_key, WallTime now);

[[nodiscard]] std::string TokenKey(std::uint64_t token);
[[nodiscard]] std::string EncodeToken(const JoinTokenRow& token);
[[nodiscard]] Result<JoinTokenRow> DecodeToken(std::string_view key, std::string_view value);

}  // namespace slipway::model
