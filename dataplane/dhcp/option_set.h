// Which options hold for a client: those of all scopes, the nearest winning, each with where it
// came from. One function for replies of both families and for the region's answer to `slipway dhcp
// options`.
//
// Precedence, from the strongest: machine, classes by falling priority, range, subnet, VLAN,
// global. A field of the model (gateway, DNS servers, MTU, host name) stands right behind the
// options of its own scope: reply_options.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/dhcp/options.h"

namespace slipway::dhcp {

using config::OptionScope;
using config::RecordId;

// Beyond these an option, or a class, is left out and counted.
inline constexpr std::size_t kEffectiveOptionsMax = 128;
inline constexpr std::size_t kClassesPerClientMax = 16;

// What classes look at. Views into the request.
struct OptionClient {
  Family family = Family::kV4;
  MacAddress mac;
  bool has_architecture = false;
  std::uint16_t architecture = 0;
  std::string_view vendor_class;  // 60; of DHCPv6 the first item of 16
  // 77, or 15 of DHCPv6, as received: items behind their lengths, or one bare string.
  ByteSpan user_class;
  ByteSpan circuit_id;  // 82.1, or 18 of DHCPv6
  ByteSpan remote_id;   // 82.2, or 37 of DHCPv6 behind its enterprise
};

// True if all that the class gives matches. A class that gives nothing matches nobody.
[[nodiscard]] bool Matches(const config::DhcpClassRecord& dhcp_class,
                           const OptionClient& client) noexcept;

// Where the client is; 0: nowhere that has options of its own.
struct OptionPlace {
  RecordId machine = 0;
  RecordId range = 0;
  RecordId subnet = 0;
  RecordId vlan = 0;
};

// The range of the subnet that has the address, dynamic or reserved; 0: none.
[[nodiscard]] RecordId FindRange(const config::Snapshot& snapshot, RecordId subnet,
                                 const IpAddress& address) noexcept;

struct EffectiveOption {
  std::uint16_t code = 0;
  OptionScope scope = OptionScope::kGlobal;
  RecordId of = 0;  // the machine, class, ...
  RecordId id = 0;  // the option's own
  bool always = false;
  bool suppress = false;  // the client does not get it
  ByteSpan value;         // in the snapshot
};

// Made once, filled for each exchange: 5 KiB that nothing clears. One thread.
class OptionSet {
 public:
  OptionSet() { index_.fill(kNone); }

  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  // Valid as long as the snapshot, until the next call.
  void Collect(const config::Snapshot& snapshot, const OptionPlace& place,
               const OptionClient& client) noexcept;

  // Ordered by scope, strongest first, then by code; suppressed ones too.
  [[nodiscard]] std::span<const EffectiveOption> options() const noexcept {
    return std::span(options_).first(size_);
  }

  // As after a Collect from a snapshot without options.
  [[nodiscard]] bool is_clear() const noexcept { return size_ == 0 && left_out_ == 0; }

  // Of the last Collect.
  [[nodiscard]] Family family() const noexcept { return family_; }

  // nullptr: no scope says anything about it.
  [[nodiscard]] const EffectiveOption* Find(std::uint16_t code) const noexcept;

  // The classes that matched, by falling priority.
  [[nodiscard]] std::span<const RecordId> classes() const noexcept {
    return std::span(classes_).first(class_count_);
  }

  // Options and classes beyond the bounds.
  [[nodiscard]] std::uint32_t left_out() const noexcept { return left_out_; }

 private:
  static constexpr std::uint8_t kNone = 0xFF;
  static_assert(kEffectiveOptionsMax <= kNone);

  void Clear() noexcept;
  void Add(const config::Snapshot& snapshot, OptionScope scope, RecordId of,
           Family family) noexcept;

  std::array<EffectiveOption, kEffectiveOptionsMax> options_;
  std::size_t size_ = 0;
  Family family_ = Family::kV4;
  std::array<RecordId, kClassesPerClientMax> classes_;
  std::size_t class_count_ = 0;
  std::uint32_t left_out_ = 0;
  // Codes below 256 by themselves; all of DHCPv4, and most of DHCPv6.
  std::array<std::uint8_t, 256> index_;
};

}  // namespace slipway::dhcp
