// TFTP packets (RFC 1350, option extension RFC 2347): decode of requests, encode of answers.
//
//    2 bytes    string   1   string  1   string  1   string  1
//   +--------+---------+---+--------+---+--------+---+--------+---+
//   | opcode | name    | 0 | mode   | 0 | option | 0 | value  | 0 | ...   RRQ (1), WRQ (2)
//   +--------+---------+---+--------+---+--------+---+--------+---+
//   | opcode | block (2) | 0..blksize bytes                               DATA (3)
//   | opcode | block (2) |                                                ACK (4)
//   | opcode | code (2)  | text | 0                                       ERROR (5)
//   | opcode | option | 0 | value | 0 | ...                               OACK (6)
//
// Pure: bytes in, values or bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/bounded.h"
#include "dataplane/base/cursor.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/result.h"

namespace slipway::tftp {

enum class Opcode : std::uint16_t {
  kRrq = 1,
  kWrq = 2,
  kData = 3,
  kAck = 4,
  kError = 5,
  kOack = 6,
};

// Error codes of the wire (RFC 1350 5, RFC 2347).
enum class WireError : std::uint16_t {
  kNotDefined = 0,
  kFileNotFound = 1,
  kAccessViolation = 2,
  kIllegalOperation = 4,
  kOptionRefused = 8,
};

enum class Mode : std::uint8_t { kOctet, kNetascii };

inline constexpr std::size_t kHeaderBytes = 4;
inline constexpr std::uint16_t kBlksizeDefault = 512;
inline constexpr std::uint16_t kBlksizeMin = 8;             // RFC 2348
inline constexpr std::uint16_t kBlksizeMax = 65464;         // RFC 2348
inline constexpr std::size_t kRequestBytesMax = 1024;       // RFC 2347 says 512; some ROMs pad
inline constexpr std::size_t kRequestOptionsMax = 16;       // looked at; the rest is ignored
inline constexpr std::size_t kErrorTextBytesMax = 64;       // that we send
inline constexpr std::size_t kControlPacketBytesMax = 128;  // any OACK or ERROR of ours

// A read or write request. An option that is absent, not a number or out of the range of its RFC
// has no value: it is then left out of the OACK, which RFC 2347 allows.
struct Request {
  bool write = false;
  Mode mode = Mode::kOctet;
  bool tsize = false;                           // RFC 2349; its value in an RRQ says nothing
  std::optional<std::uint16_t> blksize;         // RFC 2348: 8..65464
  std::optional<std::uint8_t> timeout_seconds;  // RFC 2349: 1..255
  std::optional<std::uint16_t> windowsize;      // RFC 7440: 1..65535
  FixedString<limits::kFileNameBytesMax> name;  // '\' turned to '/', leading slashes dropped
};

// Decodes RRQ and WRQ. Errors: kNotFound (another opcode), kTruncated, kMalformed (no name, no
// mode), kUnsupported (a mode other than octet and netascii), kTooLarge (a name longer than any of
// ours; the rest of the request is then not looked at).
[[nodiscard]] Result<Request> ParseRequest(ByteSpan packet) noexcept;

// What a datagram at the well-known port deserves.
enum class Verdict : std::uint8_t {
  kServe,   // `request` is valid
  kError,   // answer `error` with `text`
  kSilent,  // RFC 1350 and the loop rule of docs/protocols/tftp.md: no answer at all
};

enum class Reason : std::uint8_t {
  kNone,
  kReflectedPort,  // source port 0, or of a service that would answer our answer
  kNotARequest,    // DATA, ACK, ERROR, OACK, an unknown opcode or an empty datagram
  kMalformed,
  kNameTooLong,
  kModeUnsupported,
  kWriteRefused,
};

struct Admission {
  Verdict verdict = Verdict::kSilent;
  Reason reason = Reason::kNone;
  WireError error = WireError::kNotDefined;
  std::string_view text;  // static storage
  Request request;
};

[[nodiscard]] Admission Admit(ByteSpan packet, std::uint16_t source_port) noexcept;

// A name that no content has: GRUB's optional module lists (*.lst) are served as empty files, which
// saves it an error path; all else is error 1.
[[nodiscard]] bool MissingIsEmpty(std::string_view name) noexcept;

// Each returns the bytes written, 0 if `out` is too small (kControlPacketBytesMax is enough).
[[nodiscard]] std::size_t EncodeError(WireError error, std::string_view text,
                                      MutableByteSpan out) noexcept;
[[nodiscard]] std::size_t EncodeDataHeader(std::uint16_t block, MutableByteSpan out) noexcept;

// The greatest block that fits an IP packet of `mtu_bytes` unfragmented; kBlksizeUnknownPath if the
// MTU is 0 (not known): tunnels eat up to 40 bytes of an Ethernet path, and a fragmented transfer
// often dies without a trace.
inline constexpr std::uint16_t kBlksizeUnknownPath = 1428;
[[nodiscard]] std::uint16_t BlksizeForPath(std::uint16_t mtu_bytes, bool v4) noexcept;

}  // namespace slipway::tftp
