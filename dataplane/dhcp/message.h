// A DHCPv4 message (RFC 2131 2) as a view over its bytes.
//
//   0     1     2     3
//   +-----+-----+-----+-----+
//   | op  |htype|hlen |hops |   4  xid   8  secs, flags
//   +-----+-----+-----+-----+  12  ciaddr  16 yiaddr  20 siaddr  24 giaddr
//   28  chaddr (16)   44 sname (64)   108 file (128)   236 magic cookie   240 options
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/address.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/options.h"

namespace slipway::dhcp {

inline constexpr std::uint16_t kServerPort = 67;
inline constexpr std::uint16_t kClientPort = 68;
inline constexpr std::uint8_t kBootRequest = 1;
inline constexpr std::uint8_t kBootReply = 2;
inline constexpr std::uint8_t kHardwareEthernet = 1;
inline constexpr std::uint16_t kBroadcastFlag = 0x8000;
inline constexpr std::uint32_t kMagicCookie = 0x6382'5363;
inline constexpr std::size_t kHeaderBytes = 240;       // magic cookie included
inline constexpr std::size_t kBootpBytesMin = 300;     // RFC 1542 2.1; some clients drop less
inline constexpr std::size_t kMessageBytesMin = 548;   // what every client takes: RFC 2131 2
inline constexpr std::size_t kMessageBytesMax = 1472;  // Ethernet's MTU without IP and UDP
inline constexpr std::uint8_t kHopsMax = 16;           // RFC 1542 4.1.1
inline constexpr std::size_t kPieceBytesMax = 255;     // of one option on the wire
inline constexpr std::size_t kPiecesBytesMax = 1024;   // of options that came in pieces

// What the fields of a request or reply say. Views are valid as long as the packet and this object.
struct Message {
  Message() = default;
  Message(const Message&) = delete;  // values may point into `pieces`
  Message& operator=(const Message&) = delete;

  std::uint8_t op = 0;
  std::uint8_t htype = 0;
  std::uint8_t hlen = 0;
  std::uint8_t hops = 0;
  std::uint32_t xid = 0;
  std::uint16_t secs = 0;
  std::uint16_t flags = 0;
  Ipv4Address ciaddr;
  Ipv4Address yiaddr;
  Ipv4Address siaddr;
  Ipv4Address giaddr;
  std::array<std::byte, 16> chaddr{};
  ByteSpan sname;  // not read as options: up to the first NUL
  ByteSpan file;
  MessageType type = MessageType::kNone;
  std::array<ByteSpan, kOptionSlots> values{};
  std::array<bool, kOptionSlots> present{};

  [[nodiscard]] bool Has(Option option) const noexcept;
  // Empty if it is not there or not one of the options we read.
  [[nodiscard]] ByteSpan Get(Option option) const noexcept;
  // Zero if it is not there. REQUIRES: a row of type kAddress (or kU16, kU32).
  [[nodiscard]] Ipv4Address GetAddress(Option option) const noexcept;
  [[nodiscard]] std::uint32_t GetNumber(Option option) const noexcept;

  // The Ethernet address in chaddr; zero if there is none that can be used (another hardware type
  // or length, zero, multicast).
  [[nodiscard]] MacAddress mac() const noexcept;

  [[nodiscard]] bool broadcast() const noexcept { return (flags & kBroadcastFlag) != 0; }

  // Room for values that came in pieces (RFC 3396).
  std::array<std::byte, kPiecesBytesMax> pieces;
  std::size_t pieces_bytes = 0;
};

// Reads a message of either direction into `out`. Options that are not in the table are passed
// over; for wrong lengths see OptionUse. Options are read from the
// options field, then `file`, then `sname`, if option 52 says so, each once (RFC 2131 4.1); pieces
// of one option are joined in that order (RFC 3396). A message without the magic cookie is BOOTP.
// Errors: kTruncated, kMalformed (detail = offset or option code), kTooLarge (pieces).
[[nodiscard]] Result<void> Decode(ByteSpan packet, Message& out) noexcept;

// The Ethernet address in chaddr of a message that may be anything; zero if there is none.
[[nodiscard]] MacAddress PeekMac(ByteSpan packet) noexcept;

// "discover"; "bootp" for none, "other" for what clients and servers do not use.
inline constexpr std::size_t kMessageKinds = 10;
[[nodiscard]] std::size_t KindOf(MessageType type) noexcept;
[[nodiscard]] std::string_view MessageKindName(std::size_t kind) noexcept;

// A sub-option of option 82, 43 or 175; empty if it is not there or the encoding is broken before.
[[nodiscard]] ByteSpan FindSubOption(ByteSpan value, std::uint8_t code) noexcept;
// For those that are empty when they are there.
[[nodiscard]] bool HasSubOption(ByteSpan value, std::uint8_t code) noexcept;

// Writes a message into the caller's span, options in the order of the calls. An option that would
// not fit is left out and remembered; Finish says which matters.
class Writer {
 public:
  // `bytes_max` bounds the message: the smaller of the client's and ours.
  Writer(MutableByteSpan out, std::size_t bytes_max) noexcept;

  // The fixed part. `request` supplies xid, flags, giaddr, chaddr and hardware type of a reply.
  void ReplyHeader(const Message& request, Ipv4Address ciaddr, Ipv4Address yiaddr,
                   Ipv4Address siaddr) noexcept;
  void RequestHeader(std::uint32_t xid, std::uint16_t secs, bool broadcast, Ipv4Address ciaddr,
                     MacAddress mac) noexcept;
  // The `file` field, NUL-terminated. False if it does not fit: use option 67.
  [[nodiscard]] bool File(std::string_view name) noexcept;

  void U8(Option option, std::uint8_t value) noexcept;
  void U16(Option option, std::uint16_t value) noexcept;
  void U32(Option option, std::uint32_t value) noexcept;
  void Address(Option option, Ipv4Address value) noexcept;
  void Text(Option option, std::string_view value, bool terminate = false) noexcept;
  // A value of more than 255 bytes goes out in pieces (RFC 3396 6), or not at all.
  void Bytes(Option option, ByteSpan value) noexcept;

  // Keeps room for an option that must come last (82), until Last writes it.
  void Reserve(ByteSpan value) noexcept { reserved_ = WireBytes(value.size()); }

  void Last(Option option, ByteSpan value) noexcept;

  // Ends the options and pads to kBootpBytesMin. Returns the length; kTooLarge if not even the
  // fixed part fits.
  [[nodiscard]] Result<std::size_t> Finish() noexcept;

  [[nodiscard]] std::uint32_t left_out() const noexcept { return left_out_; }

  // Whether the option is in the message.
  [[nodiscard]] bool Wrote(Option option) const noexcept {
    const auto code = static_cast<std::uint8_t>(option);
    return ((wrote_[code / 64] >> (code % 64)) & 1) != 0;
  }

 private:
  // With a header for each piece.
  [[nodiscard]] static constexpr std::size_t WireBytes(std::size_t bytes) noexcept {
    return bytes + 2 * ((bytes + kPieceBytesMax - 1) / kPieceBytesMax);
  }

  [[nodiscard]] bool Begin(Option option, std::size_t bytes) noexcept;

  MutableByteSpan out_;
  WireWriter writer_;
  std::size_t reserved_ = 0;
  std::uint32_t left_out_ = 0;
  std::array<std::uint64_t, 4> wrote_{};  // codes
};

}  // namespace slipway::dhcp
