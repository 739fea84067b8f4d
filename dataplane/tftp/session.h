// One TFTP read transfer, from the accepted request to its end (RFC 1350, 2347-2349, 7440). It
// knows block numbers, windows and deadlines; file bytes never pass through it, except in netascii.
//
// The shell calls Start, then OnPacket for datagrams of exactly this peer at this session's port,
// OnTimer when next_deadline has come, and carries out the one step that each call returns.
// Owner: the session table of a shard. Size fixed, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/cursor.h"
#include "dataplane/base/time.h"
#include "dataplane/tftp/netascii.h"
#include "dataplane/tftp/packet.h"

namespace slipway::tftp {

inline constexpr std::uint16_t kWindowsizeMax = 16;  // one gather send: header + data per block
inline constexpr std::uint8_t kResendsMax = 5;       // of one packet or window, then we give up
inline constexpr Duration kResendFirst = Duration::Seconds(1);
inline constexpr Duration kResendLongest = Duration::Seconds(8);
// A request that comes again this soon after our answer crossed it on the wire.
inline constexpr Duration kRequestEcho = Duration::Millis(200);

enum class StepKind : std::uint8_t {
  kSilent,      // nothing to do
  kSendOack,    // EncodeOack
  kSendWindow,  // `count` DATA packets
  kSendError,   // EncodeError(error, text); the session has ended
  kDone,        // the session has ended, see end()
};

enum class EndReason : std::uint8_t {
  kOpen,         // has not ended
  kComplete,     // the last block is acknowledged
  kProbe,        // the client refused our first answer: a size probe, normal
  kClientError,  // the client gave up in the middle
  kTimedOut,     // kResendsMax resends without an answer
  kRefused,      // we sent an error
};

struct Step {
  StepKind kind = StepKind::kSilent;
  WireError error = WireError::kNotDefined;
  bool resend = false;            // the same bytes went out before
  bool first_data = false;        // the transfer proper begins with this window
  std::uint16_t first_block = 0;  // on the wire, modulo 65536
  std::uint16_t count = 0;        // blocks, 1..kWindowsizeMax
  std::uint64_t offset = 0;       // in the file, of the first block
  std::uint64_t bytes = 0;        // payload of all blocks; each but the last has blksize() bytes
  std::string_view text;          // of an error; static storage
};

struct SessionOptions {
  std::uint16_t blksize_max = kBlksizeUnknownPath;
  std::uint16_t windowsize_max = kWindowsizeMax;
};

class TftpSession {
 public:
  TftpSession() = default;

  // Begins a transfer of `file_bytes` bytes. REQUIRES: !request.write.
  [[nodiscard]] Step Start(const Request& request, std::uint64_t file_bytes,
                           const SessionOptions& options, Instant now) noexcept;
  [[nodiscard]] Step OnPacket(ByteSpan packet, Instant now) noexcept;
  // Before the deadline: kSilent.
  [[nodiscard]] Step OnTimer(Instant now) noexcept;
  // The peer sent a request from the same port. While our first answer to the `same` request is
  // unacknowledged it is repeated, within the bound of kResendsMax; else kDone: the peer has begun
  // anew.
  [[nodiscard]] Step OnRequestAgain(bool same, Instant now) noexcept;

  // The content failed under the transfer: kSendError once, then it has ended.
  [[nodiscard]] Step Abort(WireError error, std::string_view text) noexcept;

  // When OnTimer wants to be called; Never once the session has ended.
  [[nodiscard]] Instant next_deadline() const noexcept { return deadline_; }

  [[nodiscard]] EndReason end() const noexcept { return end_; }

  [[nodiscard]] std::uint16_t blksize() const noexcept { return blksize_; }

  [[nodiscard]] std::uint16_t windowsize() const noexcept { return windowsize_; }

  [[nodiscard]] bool netascii() const noexcept { return netascii_; }

  // Payload bytes that the client has acknowledged.
  [[nodiscard]] std::uint64_t acknowledged_bytes() const noexcept;

  [[nodiscard]] std::uint32_t resends() const noexcept { return resends_total_; }

  // Bytes written; 0 if `out` is smaller than kControlPacketBytesMax.
  [[nodiscard]] std::size_t EncodeOack(MutableByteSpan out) const noexcept;

  // Netascii: the payload of the one block of the current kSendWindow step. `source` is the file
  // from step.offset on (blksize() bytes of it, or up to its end, are enough).
  // REQUIRES: netascii(), out.size() >= blksize(). Returns the bytes written.
  [[nodiscard]] std::size_t EncodeNetasciiBlock(ByteSpan source, MutableByteSpan out) noexcept;

 private:
  enum class Phase : std::uint8_t { kIdle, kOackSent, kDataSent, kEnded };

  [[nodiscard]] Step SendFrom(bool resend, Instant now) noexcept;
  [[nodiscard]] Step Repeat(Instant now) noexcept;
  [[nodiscard]] Step OnAck(std::uint16_t block, Instant now) noexcept;
  [[nodiscard]] Step End(EndReason reason) noexcept;
  void Negotiate(const Request& request, const SessionOptions& options) noexcept;
  void Arm(Instant now) noexcept;
  [[nodiscard]] Duration Backoff() const noexcept;

  Phase phase_ = Phase::kIdle;
  EndReason end_ = EndReason::kOpen;
  bool netascii_ = false;
  bool oack_blksize_ = false;
  bool oack_tsize_ = false;
  bool oack_timeout_ = false;
  bool oack_windowsize_ = false;
  bool data_begun_ = false;
  std::uint8_t timeout_seconds_ = 0;
  std::uint8_t resends_ = 0;  // of what is outstanding
  std::uint16_t blksize_ = kBlksizeDefault;
  std::uint16_t windowsize_ = 1;
  std::uint32_t resends_total_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t blocks_ = 0;  // in all, the short last one included; netascii: not known
  std::uint64_t acked_ = 0;   // blocks; 64 bits, the wire's 16 roll over
  std::uint64_t sent_ = 0;    // blocks; acked_ <= sent_ <= blocks_
  Instant sent_at_;
  Instant deadline_ = Instant::Never();
  // Netascii only: where the block in flight begins and ends, and how long it was.
  NetasciiCursor block_begin_;
  NetasciiCursor block_end_;
  std::size_t block_bytes_ = 0;
  std::uint64_t netascii_acked_bytes_ = 0;
};

}  // namespace slipway::tftp
