// The packets of a generator's clients, one codec per family: templates in which a few fields are
// patched, so that the generator costs less than what it measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bench/load/rig.h"
#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"

namespace slipway::bench {

// In DHCPv6 terms: Solicit, Request, Renew.
enum class LoadPacket : std::uint8_t { kDiscover, kRequest, kRenew };
inline constexpr std::size_t kLoadPackets = 3;

// Advertise and Reply in DHCPv6.
enum class LoadAnswer : std::uint8_t { kNone, kOffer, kAck, kNak };

struct LoadReply {
  LoadAnswer answer = LoadAnswer::kNone;
  std::uint32_t client = 0;  // by the transaction id
  MacAddress mac;            // whom it is for
  IpAddress address;
  ByteSpan server;  // its identifier, in the packet that was read
};

[[nodiscard]] MacAddress LoadMac(std::uint32_t client) noexcept;

class LoadCodec {
 public:
  virtual ~LoadCodec() = default;

  // A whole packet for `server`, of no client yet. Returns its size; 0: it does not fit.
  [[nodiscard]] virtual std::size_t Make(LoadPacket kind, ByteSpan server,
                                         MutableByteSpan out) const = 0;
  // Makes a packet of Make the client's. `address`: what it asks for or has.
  virtual void Patch(LoadPacket kind, std::byte* packet, std::uint32_t client,
                     const IpAddress& address) const = 0;
  // False: no reply of a server.
  [[nodiscard]] virtual bool Read(ByteSpan packet, LoadReply& reply) const = 0;
};

[[nodiscard]] std::unique_ptr<LoadCodec> MakeLoadCodec(Clients clients);

}  // namespace slipway::bench
