// Tokens by which a machine that booted from this rack proves, once, that it did: a MAC over the
// claims under a key that only this rack has, so that enlistment works while the region is away.
//
//   0        1                9         15        31        39           43           51     67
//   | version | machine id u64 | mac 6 B | address | expiry  | state gen. | nonce u64 | tag 16 |
//
// as base64url without padding. The tag is keyed BLAKE2b over all before it and the rack's boot id.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/config/records.h"

namespace slipway::service {

inline constexpr std::size_t kTokenClaimBytes = 51;
inline constexpr std::size_t kTokenTagBytes = 16;
inline constexpr std::size_t kTokenTextBytes = 90;  // base64url of 67 bytes
inline constexpr std::size_t kTokensRememberedMax = 8192;

using TokenKey = std::array<std::uint8_t, 32>;
using TokenText = FixedString<kTokenTextBytes>;

struct TokenClaims {
  config::RecordId machine = 0;  // 0: unknown to the region
  MacAddress mac;
  IpAddress address;
  Instant expires;
  std::uint32_t state_generation = 0;
  std::uint64_t nonce = 0;

  friend bool operator==(const TokenClaims&, const TokenClaims&) = default;
};

// What a token in a request is worth.
enum class TokenState : std::uint8_t {
  kFresh,  // may be used
  kUsed,   // was used before: the same act, repeated, is answered as before
};

// One thread. Remembers the last kTokensRememberedMax uses; an expired token is refused anyhow, so
// that forgetting older ones is safe as long as fewer are used within one token life.
class MachineTokens {
 public:
  // `boot_id`: Clock::BootId; a token does not outlive a reboot of the rack, since its expiry is an
  // Instant.
  MachineTokens(const TokenKey& key, std::uint64_t boot_id) noexcept
      : key_(key), boot_id_(boot_id) {}

  [[nodiscard]] TokenText Mint(const TokenClaims& claims) const noexcept;

  // Errors: kMalformed (not a token), kDenied (tag wrong), kExpired, kConflict (sent from another
  // address than the one it was minted for).
  [[nodiscard]] Result<TokenClaims> Verify(std::string_view text, IpAddress peer,
                                           Instant now) const noexcept;
  [[nodiscard]] TokenState StateOf(const TokenClaims& claims) const noexcept;
  void MarkUsed(const TokenClaims& claims) noexcept;

 private:
  using Tag = std::array<std::uint8_t, kTokenTagBytes>;
  [[nodiscard]] Tag TagOf(ByteSpan claims) const noexcept;

  TokenKey key_;
  std::uint64_t boot_id_;
  // Nonces by their low bits: a newer use takes the place of an older one.
  std::array<std::uint64_t, kTokensRememberedMax> used_{};
};

}  // namespace slipway::service
