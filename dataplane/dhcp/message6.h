// A DHCPv6 message (RFC 8415 8 and 9) as a view over its bytes.
//
//   client and server              relays, around another message
//   +------+----------------+     +------+------+------------------------------+
//   | type | transaction id |     | type | hops | link-address (16)            |
//   +------+----------------+     +------+------+------------------------------+
//   | options ...           |     | peer-address (16)                          |
//   +-----------------------+     +--------------------------------------------+
//                                 | options, one of them the relay message (9) |
//                                 +--------------------------------------------+
//   option: code (2)  length (2)  value.   IA_NA: IAID (4)  T1 (4)  T2 (4)  options
//   IA address: address (16)  preferred lifetime (4)  valid lifetime (4)  options
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/options6.h"

namespace slipway::dhcp {

inline constexpr std::uint16_t kServerPort6 = 547;
inline constexpr std::uint16_t kClientPort6 = 546;
// RFC 8415 7.6: a relay passes nothing on that has come through so many already, so there can be
// one more.
inline constexpr std::uint8_t kHopCountLimit6 = 8;
inline constexpr std::size_t kRelaysMax6 = kHopCountLimit6 + 1;
inline constexpr std::size_t kMessage6BytesMax = 1452;  // Ethernet's MTU without IPv6 and UDP
// Of one message. A client of ours has one; what is beyond is not answered.
inline constexpr std::size_t kIasMax = 8;
inline constexpr std::size_t kAddressesPerIaMax = 4;

// One relay on the way, outermost first.
struct RelayHop {
  bool forward = true;  // on the way to a server; false: on the way back
  std::uint8_t hops = 0;
  Ipv6Address link;  // unspecified: this relay does not say (RFC 6221)
  Ipv6Address peer;
  bool has_interface_id = false;
  bool has_port = false;
  std::uint16_t port = 0;  // RFC 8357: of the next relay inwards; 0: the usual one
  ByteSpan interface_id;
  ByteSpan remote_id;       // enterprise number (4), then its own affair
  ByteSpan client_address;  // RFC 6939: hardware type (2), address
};

// An identity association of a message.
struct Ia {
  Option6 type = Option6::kIaNa;
  std::uint32_t iaid = 0;
  std::uint32_t t1 = 0;
  std::uint32_t t2 = 0;
  FixedVector<Ipv6Address, kAddressesPerIaMax> addresses;
  std::uint32_t valid_seconds = 0;  // of the first address
  Status6 status = Status6::kSuccess;
};

// What a message says. Views are valid as long as the packet.
struct Message6 {
  FixedVector<RelayHop, kRelaysMax6> relays;
  MessageType6 type = MessageType6::kNone;
  std::uint32_t xid = 0;  // 24 bits
  FixedVector<Ia, kIasMax> ias;
  std::uint32_t ias_left_out = 0;
  std::array<ByteSpan, kOptionSlots6> values{};
  std::array<bool, kOptionSlots6> present{};

  [[nodiscard]] bool relayed() const noexcept { return !relays.empty(); }

  // Of the message proper; those of relays are in `relays`, those of IAs in `ias`.
  [[nodiscard]] bool Has(Option6 option) const noexcept;
  // Empty if it is not there or not one of the options we read.
  [[nodiscard]] ByteSpan Get(Option6 option) const noexcept;
  // The server may send it: it is in the option request option, or there is none.
  [[nodiscard]] bool Wants(Option6 option) const noexcept;
  // It is in the option request option.
  [[nodiscard]] bool Asks(Option6 option) const noexcept;
  // kSuccess without a status code option.
  [[nodiscard]] Status6 status() const noexcept;
};

// Reads a message of either direction into `out`, with the relays around it. Options that are not
// in the table are passed over, of several equal ones the first counts (but two identifiers of one
// side spoil the message); for wrong lengths see OptionUse. Errors: kTruncated, kMalformed (detail
// = offset or option code), kTooLarge (more relays than there can be).
[[nodiscard]] Result<void> Decode6(ByteSpan packet, Message6& out) noexcept;

// The value of the first item of a user or vendor class that satisfies `wanted`: items have a
// length (2) each (RFC 8415 21.15). Empty if there is none.
template <typename Wanted>
[[nodiscard]] ByteSpan FindClassItem(ByteSpan items, Wanted wanted) noexcept {
  WireReader reader(items);
  while (reader.left() > 0) {
    const ByteSpan item = reader.Bytes(reader.U16());
    if (!reader.ok()) {
      return {};
    }
    if (wanted(AsText(item))) {
      return item;
    }
  }
  return {};
}

// Writes a message into the caller's span, options in the order of the calls. An option that would
// not fit is left out and counted; a relay header or a Begin that does not fit spoils the message.
class Writer6 {
 public:
  Writer6(MutableByteSpan out, std::size_t bytes_max) noexcept;

  // The way back through one relay, outermost first: header, interface id and port as they came
  // (RFC 8415 19.3, RFC 8357 5.2), and the relay message around all that follows.
  void RelayReply(const RelayHop& hop) noexcept;
  // The way there, for clients and tests.
  void RelayForward(const RelayHop& hop) noexcept;
  void Header(MessageType6 type, std::uint32_t xid) noexcept;

  void Flag(Option6 option) noexcept { Bytes(option, {}); }

  void U8(Option6 option, std::uint8_t value) noexcept;
  void U16(Option6 option, std::uint16_t value) noexcept;
  void U32(Option6 option, std::uint32_t value) noexcept;
  void Text(Option6 option, std::string_view value) noexcept;
  void Bytes(Option6 option, ByteSpan value) noexcept;
  void Status(Status6 status, std::string_view message) noexcept;

  // An option with others inside, up to End; the caller writes its fixed part by Raw.
  void Begin(Option6 option) noexcept;

  void Raw(ByteSpan bytes) noexcept { writer_.Bytes(bytes); }

  void RawU16(std::uint16_t value) noexcept { writer_.U16(value); }

  void RawU32(std::uint32_t value) noexcept { writer_.U32(value); }

  void End() noexcept;

  // Returns the length; kTooLarge if what must be there does not fit. REQUIRES: each Begin has its
  // End.
  [[nodiscard]] Result<std::size_t> Finish() noexcept;

  [[nodiscard]] std::uint32_t left_out() const noexcept { return left_out_; }

  // It was written, or did not fit.
  [[nodiscard]] bool Wrote(Option6 option) const noexcept {
    const auto code = static_cast<std::uint16_t>(option);
    return code < wrote_.size() * 64 && ((wrote_[code / 64] >> (code % 64)) & 1) != 0;
  }

 private:
  void Relay(MessageType6 type, const RelayHop& hop) noexcept;
  [[nodiscard]] bool Head(Option6 option, std::size_t bytes) noexcept;

  MutableByteSpan out_;
  WireWriter writer_;
  // Where the lengths of open options are: relay messages, then nested ones.
  FixedVector<std::size_t, kRelaysMax6 + 3> open_;
  std::uint32_t left_out_ = 0;
  // Codes below 256: beyond, the protocol itself writes nothing.
  std::array<std::uint64_t, 4> wrote_{};
};

}  // namespace slipway::dhcp
