#include "dataplane/tftp/session.h"

#include <algorithm>
#include <charconv>

#include "dataplane/base/check.h"

namespace slipway::tftp {
namespace {

void WriteOption(WireWriter& writer, std::string_view name, std::uint64_t value) noexcept {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  writer.Text(name);
  writer.U8(0);
  writer.Text({digits.data(), static_cast<std::size_t>(end - digits.data())});
  writer.U8(0);
}

}  // namespace

void TftpSession::Negotiate(const Request& request, const SessionOptions& options) noexcept {
  netascii_ = request.mode == Mode::kNetascii;
  if (request.blksize) {
    // RFC 2348: the server may answer with a smaller value.
    blksize_ = std::min(*request.blksize, std::max(options.blksize_max, kBlksizeMin));
    oack_blksize_ = true;
  }
  // The size of the netascii form is not known without converting the whole file.
  oack_tsize_ = request.tsize && !netascii_;
  if (request.timeout_seconds) {
    timeout_seconds_ = *request.timeout_seconds;
    oack_timeout_ = true;
  }
  if (request.windowsize && !netascii_) {
    const auto cap = std::clamp<std::uint16_t>(options.windowsize_max, 1, kWindowsizeMax);
    windowsize_ = std::min(*request.windowsize, cap);
    oack_windowsize_ = true;
  }
}

Step TftpSession::Start(const Request& request, std::uint64_t file_bytes,
                        const SessionOptions& options, Instant now) noexcept {
  SLIP_CHECK(!request.write);
  *this = TftpSession();
  Negotiate(request, options);
  file_bytes_ = file_bytes;
  // A file that is a multiple of the block size ends with an empty block (RFC 1350 6).
  blocks_ = file_bytes / blksize_ + 1;
  if (oack_blksize_ || oack_tsize_ || oack_timeout_ || oack_windowsize_) {
    phase_ = Phase::kOackSent;
    Arm(now);
    return {.kind = StepKind::kSendOack, .text = {}};
  }
  phase_ = Phase::kDataSent;
  return SendFrom(false, now);
}

Step TftpSession::OnPacket(ByteSpan packet, Instant now) noexcept {
  if (phase_ == Phase::kIdle || phase_ == Phase::kEnded) {
    return {.text = {}};
  }
  WireReader reader(packet);
  const std::uint16_t opcode = reader.U16();
  const std::uint16_t number = reader.U16();
  if (!reader.ok()) {
    return {.text = {}};
  }
  if (opcode == static_cast<std::uint16_t>(Opcode::kAck)) {
    return OnAck(number, now);
  }
  if (opcode == static_cast<std::uint16_t>(Opcode::kError)) {
    // EDK2 asks for the size with a request that it then aborts with error 8: no failure.
    return End(data_begun_ && acked_ > 0 ? EndReason::kClientError : EndReason::kProbe);
  }
  return {.text = {}};  // Never an error for anything else: two servers would talk for ever.
}

Step TftpSession::OnAck(std::uint16_t block, Instant now) noexcept {
  if (phase_ == Phase::kOackSent) {
    if (block != 0) {
      return {.text = {}};
    }
    phase_ = Phase::kDataSent;
    resends_ = 0;
    return SendFrom(false, now);
  }
  // The distance from the last acknowledged block, modulo 2^16, tells the true number: the window
  // is far smaller than 2^15. Zero is a duplicate: answering it would double all traffic from here
  // on (the Sorcerer's Apprentice, RFC 1123 4.2.3.1). Beyond what was sent: an old or forged ACK.
  const auto delta = static_cast<std::uint16_t>(block - static_cast<std::uint16_t>(acked_));
  if (delta == 0 || delta > sent_ - acked_) {
    return {.text = {}};
  }
  acked_ += delta;
  resends_ = 0;
  if (netascii_) {
    netascii_acked_bytes_ += block_bytes_;
    block_begin_ = block_end_;
    if (block_bytes_ < blksize_) {
      return End(EndReason::kComplete);
    }
  } else if (acked_ == blocks_) {
    return End(EndReason::kComplete);
  }
  // Less than the window: something was lost after `block`, so all after it goes again (RFC 7440).
  return SendFrom(acked_ < sent_, now);
}

Step TftpSession::SendFrom(bool resend, Instant now) noexcept {
  SLIP_DCHECK(acked_ <= sent_);
  Step step{.kind = StepKind::kSendWindow, .resend = resend, .text = {}};
  step.first_data = !data_begun_;
  data_begun_ = true;
  step.first_block = static_cast<std::uint16_t>(acked_ + 1);
  if (netascii_) {
    sent_ = acked_ + 1;
    step.count = 1;
    step.offset = block_begin_.offset;
    step.bytes = std::min<std::uint64_t>(blksize_, file_bytes_ - block_begin_.offset);
  } else {
    SLIP_DCHECK(acked_ < blocks_);
    const std::uint64_t count = std::min<std::uint64_t>(windowsize_, blocks_ - acked_);
    sent_ = std::max(sent_, acked_ + count);
    step.count = static_cast<std::uint16_t>(count);
    step.offset = acked_ * blksize_;
    step.bytes = std::min<std::uint64_t>(count * blksize_, file_bytes_ - step.offset);
  }
  resends_total_ += resend ? 1 : 0;
  Arm(now);
  return step;
}

Step TftpSession::Repeat(Instant now) noexcept {
  if (resends_ == kResendsMax) {
    return End(EndReason::kTimedOut);
  }
  ++resends_;
  if (phase_ == Phase::kOackSent) {
    ++resends_total_;
    Arm(now);
    return {.kind = StepKind::kSendOack, .resend = true, .text = {}};
  }
  return SendFrom(true, now);
}

Step TftpSession::OnTimer(Instant now) noexcept {
  if (phase_ == Phase::kIdle || phase_ == Phase::kEnded || now < deadline_) {
    return {.text = {}};
  }
  return Repeat(now);
}

Step TftpSession::OnRequestAgain(bool same, Instant now) noexcept {
  if (phase_ == Phase::kIdle || phase_ == Phase::kEnded) {
    return {.text = {}};
  }
  const bool has_options = oack_blksize_ || oack_tsize_ || oack_timeout_ || oack_windowsize_;
  const bool answer_is_out =
      acked_ == 0 && phase_ == (has_options ? Phase::kOackSent : Phase::kDataSent);
  if (!same || !answer_is_out) {
    return End(acked_ > 0 ? EndReason::kClientError : EndReason::kProbe);
  }
  if (now - sent_at_ < kRequestEcho) {
    return {.text = {}};
  }
  return Repeat(now);
}

Step TftpSession::End(EndReason reason) noexcept {
  phase_ = Phase::kEnded;
  end_ = reason;
  deadline_ = Instant::Never();
  return {.kind = StepKind::kDone, .text = {}};
}

Step TftpSession::Abort(WireError error, std::string_view text) noexcept {
  if (phase_ == Phase::kIdle || phase_ == Phase::kEnded) {
    return {.text = {}};
  }
  (void)End(EndReason::kRefused);
  return {.kind = StepKind::kSendError, .error = error, .text = text};
}

Duration TftpSession::Backoff() const noexcept {
  const Duration base = timeout_seconds_ == 0 ? kResendFirst : Duration::Seconds(timeout_seconds_);
  const Duration wait = base * (std::int64_t{1} << resends_);
  return std::min(wait, std::max(base, kResendLongest));
}

void TftpSession::Arm(Instant now) noexcept {
  sent_at_ = now;
  deadline_ = now + Backoff();
}

std::uint64_t TftpSession::acknowledged_bytes() const noexcept {
  return netascii_ ? netascii_acked_bytes_ : std::min(acked_ * blksize_, file_bytes_);
}

std::size_t TftpSession::EncodeOack(MutableByteSpan out) const noexcept {
  WireWriter writer(out);
  writer.U16(static_cast<std::uint16_t>(Opcode::kOack));
  if (oack_tsize_) {
    WriteOption(writer, "tsize", file_bytes_);
  }
  if (oack_blksize_) {
    WriteOption(writer, "blksize", blksize_);
  }
  if (oack_timeout_) {
    WriteOption(writer, "timeout", timeout_seconds_);
  }
  if (oack_windowsize_) {
    WriteOption(writer, "windowsize", windowsize_);
  }
  return writer.ok() ? writer.size() : 0;
}

std::size_t TftpSession::EncodeNetasciiBlock(ByteSpan source, MutableByteSpan out) noexcept {
  SLIP_CHECK(netascii_);
  SLIP_CHECK(out.size() >= blksize_);
  block_end_ = block_begin_;
  block_bytes_ = EncodeNetascii(source, block_end_, out.first(blksize_));
  return block_bytes_;
}

}  // namespace slipway::tftp
