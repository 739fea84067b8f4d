// What a driver has to send: filled by Send, emptied as a whole by the driver's flush. Both drivers
// hand it to the kernel in order, and every entry is done when the flush returns.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/cursor.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/limits.h"
#include "dataplane/shard/message.h"

namespace slipway::shard {

// Owner: a driver. Memory: taken in the constructor, about 1.5 MiB. Policy when full: refuses.
class TxQueue {
 public:
  TxQueue();

  // A buffer that is free until Clear; empty if all are given out.
  [[nodiscard]] MutableByteSpan AllocateBuffer() noexcept;

  enum class Pushed : std::uint8_t { kQueued, kFull, kInvalid };

  // `fd` and its family are the port's.
  [[nodiscard]] Pushed Push(int fd, int family, const Outgoing& out) noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  [[nodiscard]] int fd(std::uint32_t index) const noexcept { return fds_[index]; }

  // size() elements, in order.
  [[nodiscard]] mmsghdr* messages() noexcept { return messages_.get(); }

  // After all entries were handed to the kernel: entries and buffers are free again.
  void Clear() noexcept;

 private:
  static constexpr std::size_t kGatherSize = kGatherPartsMax + 1;

  std::unique_ptr<mmsghdr[]> messages_;
  std::unique_ptr<int[]> fds_;
  std::unique_ptr<TxEnvelope[]> envelopes_;
  std::unique_ptr<iovec[]> gathers_;
  std::unique_ptr<std::byte[]> buffers_;
  std::uint64_t bytes_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t gathers_used_ = 0;
  std::uint32_t buffers_used_ = 0;
};

}  // namespace slipway::shard
