#include "dataplane/ring/ring_probe.h"

#include <sys/utsname.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/ring/ring_abi.h"
#include "dataplane/ring/ring_queue.h"
#include "dataplane/ring/rx_buffers.h"

namespace slipway::ring {

namespace {

constexpr unsigned kProbeEntries = 8;
constexpr std::uint32_t kProbeBuffers = 64;

struct NeededOp {
  io_uring_op op;
  std::string_view name;
};

constexpr std::array kNeededOps{
    NeededOp{IORING_OP_NOP, "NOP"},
    NeededOp{IORING_OP_POLL_ADD, "POLL_ADD"},
    NeededOp{IORING_OP_POLL_REMOVE, "POLL_REMOVE"},
    NeededOp{IORING_OP_RECVMSG, "RECVMSG"},
    NeededOp{IORING_OP_SENDMSG, "SENDMSG"},
    NeededOp{IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
};

void AppendNumber(FixedString<200>& text, std::uint32_t number) noexcept {
  std::array<char, 12> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  (void)text.Append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

RingProbe Refuse(std::string_view what, std::uint32_t error_number) noexcept {
  RingProbe probe;
  (void)probe.reason.Append(what);
  if (error_number == EPERM) {
    (void)probe.reason.Append(": denied (kernel.io_uring_disabled, or a container's profile)");
  } else if (error_number == ENOSYS) {
    (void)probe.reason.Append(": this kernel or sandbox has no such io_uring");
  } else if (error_number == EINVAL) {
    (void)probe.reason.Append(": the kernel is older than 6.1");
  } else {
    (void)probe.reason.Append(": errno ");
    AppendNumber(probe.reason, error_number);
  }
  return probe;
}

// The name of the first operation that the kernel does not have; empty if none is missing.
std::string_view MissingOp(RingQueue& queue) noexcept {
  io_uring_probe* const table = io_uring_get_probe_ring(queue.raw());
  if (table == nullptr) {
    return "the table of operations";
  }
  std::string_view missing;
  for (const NeededOp& needed : kNeededOps) {
    if (io_uring_opcode_supported(table, needed.op) == 0) {
      missing = needed.name;
      break;
    }
  }
  io_uring_free_probe(table);
  return missing;
}

Result<void> RunNop(RingQueue& queue) noexcept {
  SLIP_TRY(queue.Restrict());
  SLIP_TRY(queue.Enable());
  io_uring_sqe* const sqe = queue.GetSqe();
  if (sqe == nullptr) {
    return Fail(ErrorCode::kUnavailable, EAGAIN);
  }
  io_uring_prep_nop(sqe);
  sqe->user_data = UserData(Op::kProbe, 1, 1);
  SLIP_TRY(queue.Enter(Duration::Seconds(1), 1));
  if (queue.completions() != 1 || queue.completion(0).user_data != UserData(Op::kProbe, 1, 1)) {
    return Fail(ErrorCode::kUnavailable, ETIME);
  }
  queue.Consume(1);
  return {};
}

}  // namespace

RingProbe ProbeRing() noexcept {
  RingQueue queue;
  RxBuffers buffers;
  if (const auto opened = queue.Open(kProbeEntries, 2 * kProbeEntries); !opened) {
    return Refuse("io_uring set-up", opened.error().detail);
  }
  if (const std::string_view missing = MissingOp(queue); !missing.empty()) {
    RingProbe probe;
    (void)probe.reason.Append("io_uring lacks ");
    (void)probe.reason.Append(missing);
    return probe;
  }
  if (const auto opened = buffers.Open(queue, kProbeBuffers); !opened) {
    return Refuse("io_uring buffer ring", opened.error().detail);
  }
  if (const auto ran = RunNop(queue); !ran) {
    return Refuse("io_uring NOP", ran.error().detail);
  }
  buffers.Close(queue);
  RingProbe probe{.usable = true, .reason = {}};
  utsname kernel{};
  (void)probe.reason.Append("io_uring works");
  if (::uname(&kernel) == 0) {
    (void)probe.reason.Append(", kernel ");
    (void)probe.reason.Append(kernel.release);
  }
  return probe;
}

}  // namespace slipway::ring
