#include "dataplane/shard/tx_queue.h"

namespace slipway::shard {

TxQueue::TxQueue()
    : messages_(std::make_unique<mmsghdr[]>(kTxQueueMax)),
      fds_(std::make_unique<int[]>(kTxQueueMax)),
      envelopes_(std::make_unique<TxEnvelope[]>(kTxQueueMax)),
      gathers_(std::make_unique<iovec[]>(kTxGathersMax * kGatherSize)),
      buffers_(std::make_unique<std::byte[]>(kTxBuffersMax * kTxBufferBytes)) {}

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
  ++size_;
  bytes_ += out.data.size();
  for (const ByteSpan part : out.parts) {
    bytes_ += part.size();
  }
  return Pushed::kQueued;
}

void TxQueue::Clear() noexcept {
  size_ = 0;
  bytes_ = 0;
  gathers_used_ = 0;
  buffers_used_ = 0;
}

}  // namespace slipway::shard
