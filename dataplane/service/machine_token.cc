#include "dataplane/service/machine_token.h"

#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include <cstring>

#include "dataplane/base/cursor.h"

namespace slipway::service {
namespace {

constexpr std::uint8_t kTokenVersion = 1;
constexpr std::size_t kTokenBytes = kTokenClaimBytes + kTokenTagBytes;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

using TokenBytes = std::array<std::byte, kTokenBytes>;

void WriteClaims(const TokenClaims& claims, WireWriter& out) noexcept {
  out.U8(kTokenVersion);
  out.U64(claims.machine);
  out.Bytes(std::as_bytes(std::span(claims.mac.octets)));
  out.Bytes(std::as_bytes(std::span(claims.address.v6().octets)));
  out.U64(static_cast<std::uint64_t>(claims.expires.ns));
  out.U32(claims.state_generation);
  out.U64(claims.nonce);
}

[[nodiscard]] TokenClaims ReadClaims(WireReader& in) noexcept {
  TokenClaims claims;
  claims.machine = in.U64();
  in.Copy(std::as_writable_bytes(std::span(claims.mac.octets)));
  Ipv6Address address;
  in.Copy(std::as_writable_bytes(std::span(address.octets)));
  claims.address = IpAddress(address);
  claims.expires = Instant{static_cast<std::int64_t>(in.U64())};
  claims.state_generation = in.U32();
  claims.nonce = in.U64();
  return claims;
}

}  // namespace

MachineTokens::Tag MachineTokens::TagOf(ByteSpan claims) const noexcept {
  Tag tag{};
  crypto_generichash_state state;
  std::array<std::byte, 8> boot{};
  StoreBig(boot.data(), boot_id_);
  const auto* bytes = reinterpret_cast<const unsigned char*>(claims.data());
  // These fail only for lengths out of range, and ours are constants.
  SLIP_CHECK(crypto_generichash_init(&state, key_.data(), key_.size(), tag.size()) == 0);
  SLIP_CHECK(crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(boot.data()),
                                       boot.size()) == 0);
  SLIP_CHECK(crypto_generichash_update(&state, bytes, claims.size()) == 0);
  SLIP_CHECK(crypto_generichash_final(&state, tag.data(), tag.size()) == 0);
  return tag;
}

TokenText MachineTokens::Mint(const TokenClaims& claims) const noexcept {
  TokenBytes bytes{};
  WireWriter out(bytes);
  WriteClaims(claims, out);
  SLIP_CHECK(out.ok());
  SLIP_CHECK(out.size() == kTokenClaimBytes);
  const Tag tag = TagOf(out.written());
  out.Bytes(std::as_bytes(std::span(tag)));
  std::array<char, kTokenTextBytes + 1> text{};
  const char* const made = sodium_bin2base64(text.data(), text.size(),
                                             reinterpret_cast<const unsigned char*>(bytes.data()),
                                             bytes.size(), kBase64);
  SLIP_CHECK(made != nullptr);
  return TokenText(std::string_view(made));
}

Result<TokenClaims> MachineTokens::Verify(std::string_view text, IpAddress peer,
                                          Instant now) const noexcept {
  TokenBytes bytes{};
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       text.data(), text.size(), nullptr, &size, &end, kBase64);
  if (failed != 0 || size != bytes.size() || end != text.data() + text.size()) {
    return Fail(ErrorCode::kMalformed, static_cast<std::uint32_t>(size));
  }
  const Tag expected = TagOf(ByteSpan(bytes).first(kTokenClaimBytes));
  if (sodium_memcmp(expected.data(), bytes.data() + kTokenClaimBytes, expected.size()) != 0) {
    return Fail(ErrorCode::kDenied);
  }
  WireReader in(ByteSpan(bytes).first(kTokenClaimBytes));
  if (in.U8() != kTokenVersion) {
    return Fail(ErrorCode::kBadVersion);
  }
  const TokenClaims claims = ReadClaims(in);
  SLIP_DCHECK(in.ok());
  if (now >= claims.expires) {
    return Fail(ErrorCode::kExpired);
  }
  if (peer != claims.address) {
    return Fail(ErrorCode::kConflict);
  }
  return claims;
}

TokenState MachineTokens::StateOf(const TokenClaims& claims) const noexcept {
  return used_[claims.nonce % kTokensRememberedMax] == claims.nonce ? TokenState::kUsed
                                                                    : TokenState::kFresh;
}

void MachineTokens::MarkUsed(const TokenClaims& claims) noexcept {
  used_[claims.nonce % kTokensRememberedMax] = claims.nonce;
}

}  // namespace slipway::service
