#include "dataplane/lease/lease.h"

#include <algorithm>

#include "dataplane/base/random.h"
#include "dataplane/lease/address_number.h"

namespace slipway::lease {

bool ClientId::Assign(ByteSpan from) noexcept {
  bytes = {};
  size = 0;
  if (from.size() > bytes.size()) {
    return false;
  }
  std::copy(from.begin(), from.end(), bytes.begin());
  size = static_cast<std::uint8_t>(from.size());
  return true;
}

ClientKey ClientKey::FromMac(MacAddress mac, Family family) noexcept {
  return {.high = family == Family::kV4 ? 1U : 2U, .low = mac.ToU64()};
}

ClientKey ClientKey::FromClientId(ByteSpan client_id, Family family) noexcept {
  std::uint64_t high = family == Family::kV4 ? 0x5157'4C49'50A1 : 0x6B8F'03D7'9E15;
  std::uint64_t low = 0xC2B2'AE3D'27D4;
  for (const std::byte byte : client_id) {
    high = Mix64(high ^ std::to_integer<std::uint64_t>(byte));
    low = Mix64(low + std::to_integer<std::uint64_t>(byte));
  }
  // Never equal to a MAC's key, whose upper half is small.
  return {.high = high | (std::uint64_t{1} << 63), .low = low};
}

std::uint64_t JournalKey(const IpAddress& address) noexcept {
  if (address.is_v4()) {
    return address.v4().value;
  }
  const AddressNumber number = AddressNumber::Of(address);
  const std::uint64_t key = Mix64(number.high) ^ number.low;
  return key == 0 ? 1 : key;
}

std::string_view ToString(State state) noexcept {
  switch (state) {
    case State::kFree:
      return "free";
    case State::kOffered:
      return "offered";
    case State::kBound:
      return "bound";
    case State::kReleased:
      return "released";
    case State::kExpired:
      return "expired";
    case State::kDeclined:
      return "declined";
  }
  return "unknown";
}

}  // namespace slipway::lease
