#include "dataplane/ring/rx_buffers.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>

#include "dataplane/base/check.h"

namespace slipway::ring {

namespace {

void* MapMemory(std::size_t bytes) noexcept {
  // Populated: a page fault later would cost the shard, and the kernel pins the ring anyway.
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

RxBuffers::~RxBuffers() {
  if (slots_ != nullptr) {
    (void)::munmap(slots_, kSlotBytes * count_);
  }
  if (ring_ != nullptr) {
    (void)::munmap(ring_, sizeof(io_uring_buf) * count_);
  }
}

Result<void> RxBuffers::Open(RingQueue& queue, std::uint32_t count) noexcept {
  SLIP_CHECK(count_ == 0);
  SLIP_CHECK(std::has_single_bit(count) && count <= kRxBuffersMax);
  count_ = count;
  slots_ = static_cast<std::byte*>(MapMemory(kSlotBytes * count));
  ring_ = static_cast<io_uring_buf_ring*>(MapMemory(sizeof(io_uring_buf) * count));
  if (slots_ == nullptr || ring_ == nullptr) {
    return FailErrno(ENOMEM);
  }
  states_ = std::make_unique<State[]>(count);
  held_ = std::make_unique<std::uint16_t[]>(count);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = count;
  registration.bgid = kBufferGroup;
  const int result = io_uring_register_buf_ring(queue.raw(), &registration, 0);
  if (result < 0) {
    return Fail(ErrorCode::kUnavailable, static_cast<std::uint32_t>(-result));
  }
  io_uring_buf_ring_init(ring_);
  for (std::uint32_t id = 0; id < count; ++id) {
    Add(id);
  }
  Publish();
  return {};
}

void RxBuffers::Close(RingQueue& queue) noexcept {
  (void)io_uring_unregister_buf_ring(queue.raw(), kBufferGroup);
}

void RxBuffers::Take(std::uint32_t id) noexcept {
  SLIP_CHECK(id < count_ && states_[id] == State::kKernel);
  SLIP_CHECK(with_kernel_ > 0);
  states_[id] = State::kHandler;
  --with_kernel_;
}

void RxBuffers::Hold(ByteSpan data) noexcept {
  const std::size_t offset =
      reinterpret_cast<std::uintptr_t>(data.data()) - reinterpret_cast<std::uintptr_t>(slots_);
  if (offset >= kSlotBytes * count_) {
    return;
  }
  State& state = states_[offset / kSlotBytes];
  // Sending from a slot that was given back would send what the kernel puts there next.
  SLIP_CHECK(state != State::kKernel);
  if (state == State::kHandler) {
    state = State::kHandlerHeld;
  }
}

void RxBuffers::Return(std::uint32_t id) noexcept {
  SLIP_CHECK(id < count_);
  if (states_[id] == State::kHandlerHeld) {
    states_[id] = State::kHeld;
    SLIP_CHECK(held_count_ < count_);
    held_[held_count_++] = static_cast<std::uint16_t>(id);
    return;
  }
  SLIP_CHECK(states_[id] == State::kHandler);
  Add(id);
}

void RxBuffers::ReleaseHeld() noexcept {
  for (std::uint32_t i = 0; i < held_count_; ++i) {
    SLIP_CHECK(states_[held_[i]] == State::kHeld);
    Add(held_[i]);
  }
  held_count_ = 0;
  Publish();
}

void RxBuffers::Publish() noexcept {
  if (unpublished_ != 0) {
    io_uring_buf_ring_advance(ring_, static_cast<int>(unpublished_));
    unpublished_ = 0;
  }
}

void RxBuffers::Add(std::uint32_t id) noexcept {
  SLIP_CHECK(with_kernel_ < count_);
  states_[id] = State::kKernel;
  ++with_kernel_;
  io_uring_buf_ring_add(ring_, slots_ + kSlotBytes * id, kSlotBytes,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(count_),
                        static_cast<int>(unpublished_));
  ++unpublished_;
}

}  // namespace slipway::ring
