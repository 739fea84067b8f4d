#include "dataplane/ring/ring_queue.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "dataplane/base/check.h"

namespace slipway::ring {

namespace {

std::unexpected<Error> FailRing(int negative_errno) noexcept {
  return Fail(ErrorCode::kUnavailable, static_cast<std::uint32_t>(-negative_errno));
}

io_uring_restriction AllowSqe(io_uring_op op) noexcept {
  io_uring_restriction restriction{};
  restriction.opcode = IORING_RESTRICTION_SQE_OP;
  restriction.sqe_op = static_cast<std::uint8_t>(op);
  return restriction;
}

io_uring_restriction AllowRegister(unsigned op) noexcept {
  io_uring_restriction restriction{};
  restriction.opcode = IORING_RESTRICTION_REGISTER_OP;
  restriction.register_op = static_cast<std::uint8_t>(op);
  return restriction;
}

}  // namespace

RingQueue::~RingQueue() { Close(); }

Result<void> RingQueue::Open(unsigned sq_entries, unsigned cq_entries) noexcept {
  SLIP_CHECK(!open_);
  io_uring_params params{};
  params.flags = kSetupFlags;
  params.cq_entries = cq_entries;
  const int result = io_uring_queue_init_params(sq_entries, &ring_, &params);
  if (result < 0) {
    return FailRing(result);
  }
  open_ = true;
  if ((ring_.features & IORING_FEAT_EXT_ARG) == 0 || (ring_.features & IORING_FEAT_CQE_SKIP) == 0) {
    Close();
    return FailRing(-ENOSYS);
  }
  // A child that inherits the mappings could disturb them.
  (void)io_uring_ring_dontfork(&ring_);
  // Entry i always sits in place i: then submitting is publishing the tail.
  for (unsigned i = 0; i < ring_.sq.ring_entries; ++i) {
    ring_.sq.array[i] = i;
  }
  return {};
}

Result<void> RingQueue::Restrict() noexcept {
  SLIP_CHECK(open_ && !enabled_);
  io_uring_restriction flags{};
  flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  flags.sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  std::array restrictions{
      AllowSqe(IORING_OP_NOP),
      AllowSqe(IORING_OP_POLL_ADD),
      AllowSqe(IORING_OP_POLL_REMOVE),
      AllowSqe(IORING_OP_RECVMSG),
      AllowSqe(IORING_OP_SENDMSG),
      AllowSqe(IORING_OP_ASYNC_CANCEL),
      AllowRegister(IORING_REGISTER_ENABLE_RINGS),
      AllowRegister(IORING_REGISTER_RING_FDS),
      AllowRegister(IORING_UNREGISTER_RING_FDS),
      AllowRegister(IORING_UNREGISTER_PBUF_RING),
      flags,
  };
  const int result =
      io_uring_register_restrictions(&ring_, restrictions.data(), restrictions.size());
  if (result < 0) {
    return FailRing(result);
  }
  return {};
}

Result<void> RingQueue::Enable() noexcept {
  SLIP_CHECK(open_ && !enabled_);
  const int result = io_uring_enable_rings(&ring_);
  if (result < 0) {
    return FailRing(result);
  }
  enabled_ = true;
  // Saves a descriptor lookup per enter; without it all works the same.
  if (io_uring_register_ring_fd(&ring_) == 1) {
    enter_flags_ = IORING_ENTER_REGISTERED_RING;
  }
  return {};
}

void RingQueue::Close() noexcept {
  if (open_) {
    io_uring_queue_exit(&ring_);
    open_ = false;
    enabled_ = false;
  }
}

io_uring_sqe* RingQueue::GetSqe() noexcept {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr && enabled_ && Submit()) {
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

Result<void> RingQueue::Submit() noexcept { return EnterKernel(0, 0, nullptr); }

Result<void> RingQueue::Enter(Duration wait, unsigned completions) noexcept {
  if (wait.ns == 0) {
    return EnterKernel(0, IORING_ENTER_GETEVENTS, nullptr);
  }
  __kernel_timespec timeout{};
  io_uring_getevents_arg argument{};
  if (wait.ns > 0) {
    timeout.tv_sec = wait.ns / 1'000'000'000;
    timeout.tv_nsec = wait.ns % 1'000'000'000;
    argument.ts = reinterpret_cast<std::uintptr_t>(&timeout);
  }
  return EnterKernel(completions, IORING_ENTER_GETEVENTS, &argument);
}

Result<void> RingQueue::EnterKernel(unsigned wanted, unsigned flags,
                                    const io_uring_getevents_arg* argument) noexcept {
  SLIP_DCHECK(enabled_);
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  flags |= enter_flags_;
  std::size_t bytes = 0;
  sigset_t* pointer = nullptr;
  if (argument != nullptr) {
    flags |= IORING_ENTER_EXT_ARG;
    bytes = sizeof(*argument);
    pointer = reinterpret_cast<sigset_t*>(const_cast<io_uring_getevents_arg*>(argument));
  }
  const int result = io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), unsubmitted(),
                                     wanted, flags, pointer, bytes);
  // Time passed, a signal came, or completions have to be taken first: the next turn goes on.
  const bool passing =
      result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN;
  if (result < 0 && !passing) {
    return FailErrno(-result);
  }
  return {};
}

}  // namespace slipway::ring
