// The receive buffers of a ring driver: a provided-buffer ring of slots of one size. A slot is with
// the kernel, with a handler, or held because a queued reply lies in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/cursor.h"
#include "dataplane/base/result.h"
#include "dataplane/ring/ring_queue.h"

namespace slipway::ring {

// Owner: RingDriver. Thread: the shard's; Open on any one thread before the ring is enabled.
class RxBuffers {
 public:
  static constexpr std::size_t kSlotBytes = limits::kPacketHeadroomBytes + limits::kPacketBytesMax;

  RxBuffers() = default;
  ~RxBuffers();

  RxBuffers(const RxBuffers&) = delete;
  RxBuffers& operator=(const RxBuffers&) = delete;

  // Takes the memory and registers it as kBufferGroup. REQUIRES: count is a power of two.
  [[nodiscard]] Result<void> Open(RingQueue& queue, std::uint32_t count) noexcept;
  // REQUIRES: no receive in flight.
  void Close(RingQueue& queue) noexcept;

  [[nodiscard]] MutableByteSpan slot(std::uint32_t id) noexcept {
    return {slots_ + kSlotBytes * id, kSlotBytes};
  }

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  // Took one from the kernel, by a completion.
  void Take(std::uint32_t id) noexcept;
  // If `data` lies in a slot, that slot stays out of the kernel's hands until ReleaseHeld.
  void Hold(ByteSpan data) noexcept;
  // The handler is done with it: back to the kernel with the next Publish, or held.
  void Return(std::uint32_t id) noexcept;
  // What was sent from held slots has been sent.
  void ReleaseHeld() noexcept;
  // Makes returned slots visible to the kernel.
  void Publish() noexcept;

  [[nodiscard]] std::uint32_t held() const noexcept { return held_count_; }

  // Slots that are with the kernel: all of them when nothing is going on.
  [[nodiscard]] std::uint32_t with_kernel() const noexcept { return with_kernel_; }

 private:
  enum class State : std::uint8_t {
    kKernel,
    kHandler,
    kHandlerHeld,  // and a queued reply lies in it
    kHeld,
  };

  void Add(std::uint32_t id) noexcept;

  std::byte* slots_ = nullptr;
  io_uring_buf_ring* ring_ = nullptr;
  std::unique_ptr<State[]> states_;
  std::unique_ptr<std::uint16_t[]> held_;
  std::uint32_t count_ = 0;
  std::uint32_t held_count_ = 0;
  std::uint32_t with_kernel_ = 0;
  std::uint32_t unpublished_ = 0;
};

}  // namespace slipway::ring
