#include "dataplane/shard/tx_queue.h"

#include <cerrno>

#include "dataplane/base/check.h"

namespace slipway::shard {

TxQueue::TxQueue()
    : messages_(std::make_unique<mmsghdr[]>(kTxQueueMax)),
      fds_(std::make_unique<int[]>(kTxQueueMax)),
      envelopes_(std::make_unique<TxEnvelope[]>(kTxQueueMax)),
      gathers_(std::make_unique<iovec[]>(kTxGathersMax * kGatherSize)),
      buffers_(std::make_unique<std::byte[]>(kTxBuffersMax * kTxBufferBytes)),
      joints_(std::make_unique<bool[]>(kTxQueueMax)) {}

MutableByteSpan TxQueue::AllocateBuffer() noexcept {
  if (buffers_used_ == kTxBuffersMax) {
    return {};
  }
  return {buffers_.get() + kTxBufferBytes * buffers_used_++, kTxBufferBytes};
}

TxQueue::Pushed TxQueue::Push(int fd, int family, const Outgoing& out) noexcept {
  if (out.parts.size() > kGatherPartsMax) {
    return Pushed::kInvalid;
  }
  if (out.join && TryJoin(fd, out)) {
    return Pushed::kQueued;
  }
  last_.open = false;
  if (size_ == kTxQueueMax) {
    return Pushed::kFull;
  }
  std::span<iovec> gather;
  if (!out.parts.empty()) {
    if (gathers_used_ == kTxGathersMax) {
      return Pushed::kFull;
    }
    gather = {gathers_.get() + kGatherSize * gathers_used_, kGatherSize};
  }
  if (!EncodeEnvelope(family, out, envelopes_[size_], gather, messages_[size_].msg_hdr)) {
    return Pushed::kInvalid;
  }
  if (!gather.empty()) {
    ++gathers_used_;
  }
  fds_[size_] = fd;
  joints_[size_] = false;
  if (out.join && may_join_ && out.parts.empty() && out.segment_bytes == 0 && family != AF_PACKET) {
    last_ = {.open = true,
             .fd = fd,
             .destination = out.destination,
             .source = out.source,
             .ifindex = out.ifindex,
             .destination_port = out.destination_port};
  }
  ++size_;
  bytes_ += out.data.size();
  for (const ByteSpan part : out.parts) {
    bytes_ += part.size();
  }
  return Pushed::kQueued;
}

bool TxQueue::TryJoin(int fd, const Outgoing& out) noexcept {
  static_assert(kTxJoinMax <= kGatherSize);
  if (!last_.open || last_.fd != fd || out.destination_port != last_.destination_port ||
      out.ifindex != last_.ifindex || !(out.destination == last_.destination) ||
      !(out.source == last_.source) || !out.parts.empty() || out.segment_bytes != 0) {
    return false;
  }
  SLIP_DCHECK(size_ > 0);
  const std::uint32_t at = size_ - 1;
  msghdr& header = messages_[at].msg_hdr;
  const std::size_t count = header.msg_iovlen;
  if (out.data.size() != header.msg_iov[0].iov_len || count == kTxJoinMax ||
      (count + 1) * out.data.size() > kTxJoinBytesMax) {
    return false;
  }
  if (!joints_[at]) {
    if (gathers_used_ == kTxGathersMax) {
      return false;
    }
    iovec* const gather = gathers_.get() + kGatherSize * gathers_used_++;
    gather[0] = envelopes_[at].data;
    header.msg_iov = gather;
    AppendSegment(envelopes_[at], header, static_cast<std::uint16_t>(out.data.size()));
    joints_[at] = true;
  }
  // The kernel only reads it: iovec has no const form.
  header.msg_iov[count] = {.iov_base = const_cast<std::byte*>(out.data.data()),
                           .iov_len = out.data.size()};
  ++header.msg_iovlen;
  ++joined_;
  bytes_ += out.data.size();
  return true;
}

std::uint32_t TxQueue::SendApart(std::uint32_t index, int error_number) noexcept {
  SLIP_CHECK(index < size_ && joints_[index]);
  if (error_number != EAGAIN && error_number != ENOBUFS && error_number != ENOMEM) {
    may_join_ = false;
    last_.open = false;
  }
  msghdr one = messages_[index].msg_hdr;
  RemoveSegment(one);
  if (one.msg_controllen == 0) {
    one.msg_control = nullptr;
  }
  std::uint32_t sent = 0;
  for (std::size_t i = 0; i < messages_[index].msg_hdr.msg_iovlen; ++i) {
    one.msg_iov = &messages_[index].msg_hdr.msg_iov[i];
    one.msg_iovlen = 1;
    sent += ::sendmsg(fds_[index], &one, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ? 1U : 0U;
  }
  return sent;
}

void TxQueue::Clear() noexcept {
  last_.open = false;
  joined_ = 0;
  size_ = 0;
  bytes_ = 0;
  gathers_used_ = 0;
  buffers_used_ = 0;
}

}  // namespace slipway::shard
