// A lease as the table keeps it, and the keys by which it is found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/records.h"

namespace slipway::lease {

using config::Family;
using config::RecordId;

inline constexpr std::size_t kClientIdBytesMax = 64;

// Option 61, or DUID and IAID, as received. Longer ones are not kept.
struct ClientId {
  std::array<std::byte, kClientIdBytesMax> bytes{};
  std::uint8_t size = 0;

  // False, and empty, if it is too long.
  [[nodiscard]] bool Assign(ByteSpan from) noexcept;

  [[nodiscard]] ByteSpan view() const noexcept { return ByteSpan(bytes).first(size); }

  friend bool operator==(const ClientId&, const ClientId&) = default;
};

// The identity of a client in one family: its MAC, so that firmware, loader and OS get one address;
// a hash of the client id (DUID and IAID) only for clients without a usable MAC. A machine has one
// key, and one lease, per family. 128 bits, never 0.
struct ClientKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] static ClientKey FromMac(MacAddress mac, Family family = Family::kV4) noexcept;
  [[nodiscard]] static ClientKey FromClientId(ByteSpan client_id,
                                              Family family = Family::kV4) noexcept;

  friend constexpr auto operator<=>(const ClientKey&, const ClientKey&) = default;
};

enum class State : std::uint8_t {
  kFree = 0,  // no entry
  kOffered,   // held for a moment; not a lease
  kBound,
  kReleased,  // over; still this client's until somebody else needs the address
  kExpired,   // likewise
  kDeclined,  // quarantined: somebody else uses it
};

[[nodiscard]] std::string_view ToString(State state) noexcept;

// What a newer record of the same address replaces in the journal: not 0, injective within a /64
// and within IPv4.
[[nodiscard]] std::uint64_t JournalKey(const IpAddress& address) noexcept;

// An index that points nowhere.
inline constexpr std::uint32_t kNone = 0xFFFF'FFFF;
inline constexpr std::uint16_t kNoPool = 0xFFFF;

// Read it; only LeaseTable changes it.
struct Lease {
  IpAddress address;
  State state = State::kFree;
  bool durable = false;  // the record of this version is known to be on disk
  // An offer to the client that had the address before: falls back to this state when unused.
  State before = State::kFree;
  bool indexed = false;          // found by client; not so once the client was moved elsewhere
  bool foreign = false;          // the partner made this version (docs/adr/0009-pair-of-racks.md)
  std::uint16_t pool = kNoPool;  // whose map has the address
  MacAddress mac;                // zero: not known
  ClientKey client;
  RecordId vlan = 0;
  RecordId subnet = 0;
  RecordId machine = 0;       // 0: unknown machine
  std::uint64_t version = 0;  // of its newest record; grows over the whole table
  Instant granted;            // when that record was made, or the offer
  Instant ends;               // of the promise to the client; of the hold or quarantine otherwise
  Instant horizon;            // what the record on disk covers
  Duration lease;             // as promised
  // Links of the table.
  std::uint32_t heap_at = kNone;
  std::uint32_t list_previous = kNone;
  std::uint32_t list_next = kNone;
  std::uint32_t detail = kNone;  // in the table's arena

  [[nodiscard]] Family family() const noexcept {
    return address.is_v4() ? Family::kV4 : Family::kV6;
  }
};

static_assert(sizeof(Lease) <= 128, "two cache lines");

// What is kept for people and records, apart from what packets need.
struct LeaseDetail {
  ClientId client_id;
  config::HostName hostname;
};

}  // namespace slipway::lease
