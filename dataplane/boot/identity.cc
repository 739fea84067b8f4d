#include "dataplane/boot/identity.h"

#include <algorithm>
#include <array>

namespace slipway::boot {
namespace {

using config::Uuid;

// Constants that firmware of many machines carries (text order). Sources: public bug reports of
// provisioning and inventory tools.
constexpr std::array kJunkUuids = std::to_array<Uuid>({
    // 03000200-0400-0500-0006-000700080009: AMI's default.
    {0x03, 0x00, 0x02, 0x00, 0x04, 0x00, 0x05, 0x00, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00,
     0x09},
    // 00020003-0004-0005-0006-000700080009: the same, bytes the other way.
    {0x00, 0x02, 0x00, 0x03, 0x00, 0x04, 0x00, 0x05, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00,
     0x09},
    // 12345678-1234-5678-90ab-cddeefaabbcc: sample code.
    {0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x90, 0xAB, 0xCD, 0xDE, 0xEF, 0xAA, 0xBB,
     0xCC},
    // 12345678-1234-1234-1234-123456789abc.
    {0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x12, 0x34, 0x12, 0x34, 0x12, 0x34, 0x56, 0x78, 0x9A,
     0xBC},
    // 00010203-0405-0607-0809-0a0b0c0d0e0f: counted up.
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E,
     0x0F},
    // fefefefe-..., 4c4c4544-0000-2010-8020-80c04f202020: an empty service tag.
    {0x4C, 0x4C, 0x45, 0x44, 0x00, 0x00, 0x20, 0x10, 0x80, 0x20, 0x80, 0xC0, 0x4F, 0x20, 0x20,
     0x20},
});

constexpr std::array kSharedMacs = std::to_array<MacAddress>({
    {{0x00, 0x00, 0x00, 0x00, 0x00, 0x01}},
    {{0x02, 0x00, 0x00, 0x00, 0x00, 0x00}},
    {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55}},  // sample code
    {{0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC}},  // sample code
    {{0x00, 0xE0, 0x4C, 0x68, 0x00, 0x01}},  // USB adapters without an address of their own
    {{0x00, 0xE0, 0x4C, 0x36, 0x00, 0x01}},
    {{0x00, 0x05, 0x1B, 0xA0, 0x00, 0x00}},
    {{0x02, 0x21, 0x28, 0x57, 0x47, 0x17}},  // BMC pass-through, the same in every machine
    {{0x7A, 0x79, 0x19, 0x00, 0x00, 0x01}},  // a VPN adapter's constant
});

bool IsListed(const Uuid& uuid) { return std::ranges::find(kJunkUuids, uuid) != kJunkUuids.end(); }

bool IsUsable(const Uuid& uuid) { return !IsJunkUuid(uuid); }

bool HasUsableMac(const IdentityEvidence& evidence) {
  return std::ranges::any_of(evidence.macs, [](MacAddress mac) { return !IsSharedMac(mac); });
}

bool HasMacInCommon(const IdentityEvidence& a, const IdentityEvidence& b) {
  return std::ranges::any_of(a.macs, [&](MacAddress mac) {
    return !IsSharedMac(mac) && std::ranges::find(b.macs, mac) != b.macs.end();
  });
}

}  // namespace

bool IsJunkUuid(const Uuid& uuid) noexcept {
  const bool repeated =
      std::ranges::all_of(uuid, [&](std::uint8_t octet) { return octet == uuid[0]; });
  return repeated || IsListed(uuid) || IsListed(SwapSmbiosOrder(uuid));
}

bool IsSharedMac(MacAddress mac) noexcept {
  return mac.is_zero() || mac.is_multicast() ||
         std::ranges::find(kSharedMacs, mac) != kSharedMacs.end();
}

Uuid SwapSmbiosOrder(const Uuid& uuid) noexcept {
  Uuid swapped = uuid;
  std::reverse(swapped.begin(), swapped.begin() + 4);
  std::reverse(swapped.begin() + 4, swapped.begin() + 6);
  std::reverse(swapped.begin() + 6, swapped.begin() + 8);
  return swapped;
}

bool SameUuid(const Uuid& a, const Uuid& b) noexcept {
  return !IsJunkUuid(a) && (a == b || a == SwapSmbiosOrder(b));
}

Match MatchMachine(const IdentityEvidence& shown, const IdentityEvidence& recorded,
                   std::string_view& reason) noexcept {
  const bool uuids_count = IsUsable(shown.uuid) && IsUsable(recorded.uuid);
  const bool uuids_equal = uuids_count && SameUuid(shown.uuid, recorded.uuid);
  if (HasMacInCommon(shown, recorded)) {
    if (uuids_count && !uuids_equal) {
      reason = "same-mac-other-uuid";
      return Match::kConflict;
    }
    reason = "same-mac";
    return Match::kSame;
  }
  if (!uuids_equal) {
    reason = "nothing-in-common";
    return Match::kNone;
  }
  if (!HasUsableMac(shown) || !HasUsableMac(recorded)) {
    reason = "same-uuid";
    return Match::kSame;
  }
  reason = "same-uuid-other-macs";
  return Match::kConflict;
}

}  // namespace slipway::boot
