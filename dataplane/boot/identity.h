// Who is who (design: section 6): shared by racks and regions, pure. A UUID counts only if it is
// not junk and not claimed together with other MACs. A conflict makes a separate machine, never a
// merge.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/config/records.h"

namespace slipway::boot {

// True for UUIDs that vendors ship by the thousand: all zero, all F, repeated bytes, and the
// constants of the junk list. Both byte orders are looked at.
[[nodiscard]] bool IsJunkUuid(const config::Uuid& uuid) noexcept;

// True for addresses that many machines have or that name nobody: zero, multicast, and the
// constants of the shared list (USB adapters, pass-through links of BMCs).
[[nodiscard]] bool IsSharedMac(MacAddress mac) noexcept;

// The same 16 bytes as text would have them: SMBIOS keeps the first three fields little-endian.
[[nodiscard]] config::Uuid SwapSmbiosOrder(const config::Uuid& uuid) noexcept;

// The same machine by UUID: equal in either byte order and not junk.
[[nodiscard]] bool SameUuid(const config::Uuid& a, const config::Uuid& b) noexcept;

enum class Match : std::uint8_t {
  kNone,      // another machine
  kSame,      // this one
  kConflict,  // evidence both ways: keep them apart and say so
};

struct IdentityEvidence {
  config::Uuid uuid{};               // zero: not known
  std::span<const MacAddress> macs;  // all that the machine showed
};

// Compares what a machine showed with what is recorded of one. Rules, first hit wins:
//   1. a MAC in common that is not shared, UUIDs equal, junk or unknown on either side: kSame;
//   2. a MAC in common that is not shared, UUIDs differ and neither is junk: kConflict;
//   3. no MAC in common, UUIDs equal and not junk, one side shows no usable MAC: kSame;
//   4. no MAC in common, UUIDs equal and not junk: kConflict (a UUID claimed with other MACs);
//   5. otherwise kNone.
// `reason` gets static text.
[[nodiscard]] Match MatchMachine(const IdentityEvidence& shown, const IdentityEvidence& recorded,
                                 std::string_view& reason) noexcept;

}  // namespace slipway::boot
