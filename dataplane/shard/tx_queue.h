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

  // Messages; a joint one is one.
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  // Datagrams in them.
  [[nodiscard]] std::uint32_t datagrams() const noexcept { return size_ + joined_; }

  // Those that were joined to one before them.
  [[nodiscard]] std::uint32_t joined() const noexcept { return joined_; }

  // True if the message is several datagrams that could as well go one by one.
  [[nodiscard]] bool IsJoint(std::uint32_t index) const noexcept { return joints_[index]; }

  [[nodiscard]] std::uint32_t DatagramsOf(std::uint32_t index) const noexcept {
    return joints_[index] ? static_cast<std::uint32_t>(messages_[index].msg_hdr.msg_iovlen) : 1;
  }

  // The kernel refused a joint message: sends its datagrams one by one, at once. Returns how many
  // were taken. If the refusal says that a joint cannot pass (an interface that computes no
  // checksums, a small MTU), none is made any more.
  std::uint32_t SendApart(std::uint32_t index, int error_number) noexcept;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  [[nodiscard]] int fd(std::uint32_t index) const noexcept { return fds_[index]; }

  // size() elements, in order.
  [[nodiscard]] mmsghdr* messages() noexcept { return messages_.get(); }

  // After all entries were handed to the kernel: entries and buffers are free again.
  void Clear() noexcept;

 private:
  static constexpr std::size_t kGatherSize = kGatherPartsMax + 1;

  [[nodiscard]] bool TryJoin(int fd, const Outgoing& out) noexcept;

  // What the last message is, if more may be joined to it.
  struct Last {
    bool open = false;
    int fd = -1;
    IpAddress destination;
    IpAddress source;
    std::uint32_t ifindex = 0;
    std::uint16_t destination_port = 0;
  };

  std::unique_ptr<mmsghdr[]> messages_;
  std::unique_ptr<int[]> fds_;
  std::unique_ptr<TxEnvelope[]> envelopes_;
  std::unique_ptr<iovec[]> gathers_;
  std::unique_ptr<std::byte[]> buffers_;
  std::unique_ptr<bool[]> joints_;
  Last last_;
  bool may_join_ = true;
  std::uint32_t joined_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t gathers_used_ = 0;
  std::uint32_t buffers_used_ = 0;
};

}  // namespace slipway::shard
