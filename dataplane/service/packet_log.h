// The last DHCP packet of each client, as it came, with what became of it: so that somebody can ask
// afterwards. Fixed memory, bounded: of the machines that share a bucket the known ones stay
// longest.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"
#include "dataplane/base/time.h"
#include "dataplane/dhcp/engine6.h"

namespace slipway::service {

inline constexpr std::size_t kPacketsKept = 4096;
// Firmware and loaders send less; what is longer is cut and said to be cut.
inline constexpr std::size_t kPacketBytesKept = 576;

struct SeenPacket {
  MacAddress mac;  // zero: a free place; or TagOf
  bool known = false;
  bool cut = false;
  bool boot_server_port = false;  // came to port 4011
  std::uint16_t bytes = 0;
  std::uint32_t ifindex = 0;
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  dhcp::Reason reason = dhcp::Reason::kMalformed;
  dhcp::Reason6 reason6 = dhcp::Reason6::kMalformed;  // of a DHCPv6 packet
  IpAddress address;                                  // offered or granted then; not set: none
  WallTime at;
  std::array<std::byte, kPacketBytesKept> packet{};
};

// Under what packets of a client are kept that shows no MAC: made of its DUID, and no MAC that a
// client can have.
[[nodiscard]] inline MacAddress TagOf(ByteSpan duid) noexcept {
  constexpr std::uint64_t kGroup = std::uint64_t{1} << 40;
  const std::uint64_t hash =
      lease::ClientKey::FromClientId(duid, config::Family::kV6).low & 0xFFFF'FFFF'FFFF;
  return duid.empty() ? MacAddress{} : MacAddress::FromU64(hash | kGroup);
}

// One for each family. Thread: the shard that owns the leases. All memory at construction.
class PacketLog {
 public:
  explicit PacketLog(std::size_t packets = kPacketsKept)
      : seen_(std::bit_ceil(std::max(packets, kWays))) {}

  [[nodiscard]] static constexpr std::uint64_t MemoryBytes(std::size_t packets) noexcept {
    return packets * sizeof(SeenPacket);
  }

  // The place for a packet of this client: the caller fills in all but `mac` and `packet`, `bytes`
  // and `cut`. `mac` is not zero.
  [[nodiscard]] SeenPacket& Keep(MacAddress mac, ByteSpan packet) noexcept {
    SeenPacket* const bucket = &seen_[BucketOf(mac)];
    SeenPacket* place =
        std::find_if(bucket, bucket + kWays, [&](const SeenPacket& s) { return s.mac == mac; });
    if (place == bucket + kWays) {
      place = std::min_element(bucket, bucket + kWays, [](const auto& a, const auto& b) {
        return a.known != b.known ? b.known : a.at < b.at;
      });
    }
    place->mac = mac;
    place->bytes = static_cast<std::uint16_t>(std::min(packet.size(), kPacketBytesKept));
    place->cut = packet.size() > kPacketBytesKept;
    std::copy_n(packet.begin(), place->bytes, place->packet.begin());
    return *place;
  }

  // nullptr: none is kept.
  [[nodiscard]] const SeenPacket* Find(MacAddress mac) const noexcept {
    const SeenPacket* const bucket = &seen_[BucketOf(mac)];
    const SeenPacket* const found =
        std::find_if(bucket, bucket + kWays, [&](const SeenPacket& s) { return s.mac == mac; });
    return found == bucket + kWays || mac.is_zero() ? nullptr : found;
  }

 private:
  static constexpr std::size_t kWays = 4;

  [[nodiscard]] std::size_t BucketOf(MacAddress mac) const noexcept {
    return (Mix64(mac.ToU64()) & (seen_.size() / kWays - 1)) * kWays;
  }

  std::vector<SeenPacket> seen_;
};

}  // namespace slipway::service
