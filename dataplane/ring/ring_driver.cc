#include "dataplane/ring/ring_driver.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/ring/ring_abi.h"
#include "dataplane/ring/ring_queue.h"
#include "dataplane/ring/rx_buffers.h"
#include "dataplane/shard/fd.h"
#include "dataplane/shard/gather.h"
#include "dataplane/shard/limits.h"
#include "dataplane/shard/message.h"
#include "dataplane/shard/tx_queue.h"

namespace slipway::ring {

namespace {

using shard::Outgoing;
using shard::Packet;
using shard::PortId;
using shard::WatchId;

constexpr std::uint32_t kRxBuffersMin = 64;
// The generation in a send's user_data: a joint one, which is tried again if it is refused.
constexpr std::uint32_t kJointSend = 1;
static_assert(kRxBuffersMin >= limits::kPacketBatchMax);

struct Port {
  shard::OwnedFd fd;
  int family = 0;
  shard::PacketHandler* handler = nullptr;
  std::uint32_t kernel_drops = 0;
  bool armed = false;  // a multishot receive is in flight
};

struct Watch {
  shard::WatchHandler* handler = nullptr;
  int fd = -1;
  std::uint32_t events = 0;
  std::uint32_t generation = 0;
  std::uint32_t next_free = UINT32_MAX;
  bool armed = false;  // a poll of this generation is in flight
  bool dirty = false;  // is on the list of those to be armed
  // The last completion said nothing that was asked for: see OnPoll.
  bool quiet = false;
};

class RingDriver final : public shard::Driver {
 public:
  explicit RingDriver(Clock& clock);
  ~RingDriver() override;

  [[nodiscard]] Result<void> Open(const RingOptions& options) noexcept;

  [[nodiscard]] std::string_view name() const noexcept override { return "ring"; }

  [[nodiscard]] Result<PortId> AddUdp(int fd, shard::PacketHandler* handler) override;
  [[nodiscard]] Result<PortId> AddRaw(int fd) override;
  [[nodiscard]] Result<WatchId> AddWatch(int fd, std::uint32_t events,
                                         shard::WatchHandler* handler) override;
  [[nodiscard]] Result<void> ChangeWatch(WatchId watch, std::uint32_t events) override;
  void RemoveWatch(WatchId watch) override;
  [[nodiscard]] MutableByteSpan AllocateTx() override;
  [[nodiscard]] bool Send(PortId port, const Outgoing& out) override;
  [[nodiscard]] Result<Instant> Turn(Instant deadline) override;

  [[nodiscard]] const shard::DriverCounters& counters() const noexcept override {
    return counters_;
  }

 private:
  [[nodiscard]] Result<PortId> AddPort(shard::OwnedFd fd, int family,
                                       shard::PacketHandler* handler);
  [[nodiscard]] Result<void> PrepareTurn() noexcept;
  void PrepareSends() noexcept;
  void FinishSends() noexcept;
  void RetryJointSends() noexcept;
  void ArmPorts() noexcept;
  void ArmWatches() noexcept;
  void Disarm(std::uint32_t index) noexcept;
  void MarkDirty(std::uint32_t index) noexcept;
  [[nodiscard]] Duration WaitFor(Instant deadline, Instant now) noexcept;

  void HandleCompletions(Instant now);
  void OnReceive(const io_uring_cqe& cqe, Instant now);
  void AddToBatch(std::uint32_t id, std::uint32_t bytes) noexcept;
  void DeliverBatch(Instant now);
  void OnPoll(const io_uring_cqe& cqe, Instant now);
  void DrainAll() noexcept;

  Clock& clock_;
  RingQueue queue_;
  RxBuffers buffers_;
  shard::TxQueue tx_;
  std::unique_ptr<Port[]> ports_;
  std::unique_ptr<Watch[]> watches_;
  std::unique_ptr<std::uint32_t[]> dirty_;
  std::unique_ptr<std::uint64_t[]> cancels_;  // user_data of polls that nobody waits for any more
  msghdr receive_header_{};

  std::array<Packet, limits::kPacketBatchMax> packets_{};
  std::array<std::uint16_t, limits::kPacketBatchMax> batch_ids_{};
  std::size_t batch_size_ = 0;
  PortId batch_port_ = 0;
  std::uint64_t batch_bytes_ = 0;
  std::uint32_t batch_drops_ = 0;

  shard::Gather gather_;
  shard::DriverCounters counters_;
  std::uint32_t ports_used_ = 0;
  std::uint32_t ports_to_arm_ = 0;
  std::uint32_t arm_first_ = 0;
  std::uint32_t free_watch_ = UINT32_MAX;
  std::uint32_t dirty_count_ = 0;
  std::uint32_t cancel_count_ = 0;
  std::uint32_t polls_in_flight_ = 0;
  std::uint32_t tx_prepared_ = 0;
  unsigned completions_seen_ = 0;  // by RetryJointSends, of those not consumed yet
  std::int64_t sent_credit_ = 0;   // sends taken by the kernel, less those that it then refused
  pid_t thread_ = 0;
};

RingDriver::RingDriver(Clock& clock)
    : clock_(clock),
      ports_(std::make_unique<Port[]>(shard::kPortsMax)),
      watches_(std::make_unique<Watch[]>(shard::kWatchesMax)),
      dirty_(std::make_unique<std::uint32_t[]>(shard::kWatchesMax)),
      cancels_(std::make_unique<std::uint64_t[]>(shard::kWatchesMax)) {
  for (std::uint32_t i = shard::kWatchesMax; i > 0; --i) {
    watches_[i - 1].next_free = free_watch_;
    free_watch_ = i - 1;
  }
  receive_header_.msg_namelen = shard::kRxNameBytes;
  receive_header_.msg_controllen = shard::kRxControlBytes;
}

RingDriver::~RingDriver() {
  // On another thread the ring's own has ended, and the kernel has cancelled what it had begun.
  if (queue_.enabled() && thread_ == ::gettid()) {
    DrainAll();
    buffers_.Close(queue_);
  }
  queue_.Close();
}

Result<void> RingDriver::Open(const RingOptions& options) noexcept {
  if (!std::has_single_bit(options.rx_buffers) || options.rx_buffers < kRxBuffersMin ||
      options.rx_buffers > kRxBuffersMax) {
    return Fail(ErrorCode::kOutOfRange, options.rx_buffers);
  }
  SLIP_TRY(queue_.Open(kSqEntries, kCqEntries));
  SLIP_TRY(buffers_.Open(queue_, options.rx_buffers));
  counters_.rx_buffers_free.Set(buffers_.with_kernel());
  return queue_.Restrict();
}

// ---- ports and watches ----

Result<PortId> RingDriver::AddUdp(int fd, shard::PacketHandler* handler) {
  shard::OwnedFd owned(fd);
  SLIP_CHECK(handler != nullptr);
  int family = 0;
  socklen_t bytes = sizeof(family);
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) != 0) {
    return FailErrno(errno);
  }
  return AddPort(std::move(owned), family, handler);
}

Result<PortId> RingDriver::AddRaw(int fd) {
  return AddPort(shard::OwnedFd(fd), AF_PACKET, nullptr);
}

Result<PortId> RingDriver::AddPort(shard::OwnedFd fd, int family, shard::PacketHandler* handler) {
  if (ports_used_ == shard::kPortsMax) {
    return Fail(ErrorCode::kFull, shard::kPortsMax);
  }
  Port& port = ports_[ports_used_];
  port.fd = std::move(fd);
  port.family = family;
  port.handler = handler;
  if (handler != nullptr) {
    ++ports_to_arm_;
  }
  return ports_used_++;
}

Result<WatchId> RingDriver::AddWatch(int fd, std::uint32_t events, shard::WatchHandler* handler) {
  SLIP_CHECK(handler != nullptr);
  if (free_watch_ == UINT32_MAX) {
    return Fail(ErrorCode::kFull, shard::kWatchesMax);
  }
  const std::uint32_t index = free_watch_;
  Watch& watch = watches_[index];
  SLIP_CHECK(watch.handler == nullptr && !watch.armed);
  free_watch_ = watch.next_free;
  watch.handler = handler;
  watch.fd = fd;
  watch.events = events;
  watch.quiet = false;
  MarkDirty(index);
  return index;
}

Result<void> RingDriver::ChangeWatch(WatchId id, std::uint32_t events) {
  SLIP_CHECK(id < shard::kWatchesMax && watches_[id].handler != nullptr);
  Watch& watch = watches_[id];
  if (watch.events != events || !watch.armed) {
    Disarm(id);
    watch.events = events;
    watch.quiet = false;
    MarkDirty(id);
  }
  return {};
}

void RingDriver::RemoveWatch(WatchId id) {
  SLIP_CHECK(id < shard::kWatchesMax && watches_[id].handler != nullptr);
  Disarm(id);
  Watch& watch = watches_[id];
  ++watch.generation;
  watch.handler = nullptr;
  watch.fd = -1;
  watch.next_free = free_watch_;
  free_watch_ = id;
}

// A poll in flight becomes one of a past generation, to be cancelled before anything is armed.
void RingDriver::Disarm(std::uint32_t index) noexcept {
  Watch& watch = watches_[index];
  if (!watch.armed) {
    return;
  }
  // Each place is armed at most once between two emptyings of this list.
  SLIP_CHECK(cancel_count_ < shard::kWatchesMax);
  cancels_[cancel_count_++] = UserData(Op::kPoll, index, watch.generation);
  ++watch.generation;
  watch.armed = false;
}

void RingDriver::MarkDirty(std::uint32_t index) noexcept {
  if (!watches_[index].dirty) {
    SLIP_CHECK(dirty_count_ < shard::kWatchesMax);
    watches_[index].dirty = true;
    dirty_[dirty_count_++] = index;
  }
}

// ---- sending ----

MutableByteSpan RingDriver::AllocateTx() {
  const MutableByteSpan buffer = tx_.AllocateBuffer();
  if (buffer.empty()) {
    counters_.send_dropped.Add();
  }
  return buffer;
}

bool RingDriver::Send(PortId id, const Outgoing& out) {
  SLIP_CHECK(id < ports_used_);
  const Port& port = ports_[id];
  switch (tx_.Push(port.fd.get(), port.family, out)) {
    case shard::TxQueue::Pushed::kQueued:
      buffers_.Hold(out.data);
      for (const ByteSpan part : out.parts) {
        buffers_.Hold(part);
      }
      return true;
    case shard::TxQueue::Pushed::kFull:
      counters_.send_dropped.Add();
      return false;
    case shard::TxQueue::Pushed::kInvalid:
      counters_.send_errors.Add();
      return false;
  }
  return false;
}

void RingDriver::PrepareSends() noexcept {
  mmsghdr* const messages = tx_.messages();
  while (tx_prepared_ < tx_.size()) {
    io_uring_sqe* const sqe = queue_.GetSqe();
    if (sqe == nullptr) {
      return;
    }
    // MSG_DONTWAIT: it is done, or refused, when the submission returns. A completion comes only
    // if it was refused.
    io_uring_prep_sendmsg(sqe, tx_.fd(tx_prepared_), &messages[tx_prepared_].msg_hdr,
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = UserData(Op::kSend, tx_prepared_, tx_.IsJoint(tx_prepared_) ? kJointSend : 0U);
    ++tx_prepared_;
  }
}

// After a submission: if the kernel took everything, all sends are over.
void RingDriver::FinishSends() noexcept {
  if (tx_prepared_ != tx_.size() || queue_.unsubmitted() != 0) {
    return;
  }
  if (!tx_.empty()) {
    RetryJointSends();
    sent_credit_ += tx_.datagrams();
    counters_.bytes_sent.Add(tx_.bytes());
    counters_.sends_joined.Add(tx_.joined());
  }
  tx_.Clear();
  tx_prepared_ = 0;
  buffers_.ReleaseHeld();
}

// Refused joint sends say so among the completions that came since the last look; what they were
// made of is still there.
void RingDriver::RetryJointSends() noexcept {
  const unsigned count = queue_.completions();
  for (unsigned i = tx_.joined() == 0 ? count : completions_seen_; i < count; ++i) {
    const io_uring_cqe& cqe = queue_.completion(i);
    if (OpOf(cqe.user_data) != Op::kSend || GenerationOf(cqe.user_data) != kJointSend) {
      continue;
    }
    const std::uint32_t index = IndexOf(cqe.user_data);
    const std::uint32_t taken = tx_.SendApart(index, -cqe.res);
    const std::uint32_t refused = tx_.DatagramsOf(index) - taken;
    counters_.sends_apart.Add(taken);
    counters_.send_errors.Add(refused);
    sent_credit_ -= refused;
  }
  completions_seen_ = count;
}

// ---- arming ----

void RingDriver::ArmPorts() noexcept {
  if (ports_to_arm_ == 0) {
    return;
  }
  // Another port comes first each time: a flooded one must not take all buffers for ever.
  arm_first_ = arm_first_ + 1 < ports_used_ ? arm_first_ + 1 : 0;
  for (std::uint32_t i = 0; i < ports_used_ && ports_to_arm_ > 0; ++i) {
    const std::uint32_t id = (arm_first_ + i) % ports_used_;
    Port& port = ports_[id];
    if (port.armed || port.handler == nullptr) {
      continue;
    }
    io_uring_sqe* const sqe = queue_.GetSqe();
    if (sqe == nullptr) {
      return;
    }
    io_uring_prep_recvmsg_multishot(sqe, port.fd.get(), &receive_header_, 0);
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = kBufferGroup;
    sqe->user_data = UserData(Op::kReceive, id, 0);
    port.armed = true;
    --ports_to_arm_;
  }
}

void RingDriver::ArmWatches() noexcept {
  while (cancel_count_ > 0) {
    io_uring_sqe* const sqe = queue_.GetSqe();
    if (sqe == nullptr) {
      return;
    }
    io_uring_prep_poll_remove(sqe, cancels_[--cancel_count_]);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = UserData(Op::kIgnore, 0, 0);
  }
  while (dirty_count_ > 0) {
    const std::uint32_t index = dirty_[dirty_count_ - 1];
    Watch& watch = watches_[index];
    if (watch.handler != nullptr && !watch.armed) {
      io_uring_sqe* const sqe = queue_.GetSqe();
      if (sqe == nullptr) {
        return;
      }
      // One shot, armed again after each event: it looks at the present state first, which makes
      // readiness a level. A quiet one is edge-triggered instead, see OnPoll.
      if (watch.quiet) {
        io_uring_prep_poll_multishot(sqe, watch.fd, watch.events);
      } else {
        io_uring_prep_poll_add(sqe, watch.fd, watch.events);
      }
      sqe->user_data = UserData(Op::kPoll, index, watch.generation);
      watch.armed = true;
      ++polls_in_flight_;
    }
    watch.dirty = false;
    --dirty_count_;
  }
}

// ---- the turn ----

Result<Instant> RingDriver::Turn(Instant deadline) {
  counters_.turns.Add();
  SLIP_TRY(PrepareTurn());
  const Instant begun = clock_.Now();
  const Duration wait = WaitFor(deadline, begun);
  const Duration gather = gather_.Left(begun);
  if (wait.ns != 0 && gather.ns != 0) {
    // As many as come in that time.
    SLIP_TRY(queue_.Enter(wait.ns < 0 ? gather : std::min(wait, gather),
                          limits::kCompletionsPerTurnMax));
  } else {
    SLIP_TRY(queue_.Enter(wait, 1));
  }
  FinishSends();
  const Instant now = clock_.Now();
  HandleCompletions(now);
  gather_.OnTurn(now);
  if (sent_credit_ > 0) {
    counters_.packets_sent.Add(static_cast<std::uint64_t>(sent_credit_));
    sent_credit_ = 0;
  }
  counters_.rx_buffers_free.Set(buffers_.with_kernel());
  return now;
}

Result<void> RingDriver::PrepareTurn() noexcept {
  if (!queue_.enabled()) {
    SLIP_TRY(queue_.Enable());
    thread_ = ::gettid();
  }
  PrepareSends();
  // A receive that ended for want of buffers needs those that wait for their sends: send first.
  if (ports_to_arm_ > 0 && buffers_.held() > 0) {
    SLIP_TRY(queue_.Submit());
    FinishSends();
  }
  ArmPorts();
  ArmWatches();
  return {};
}

Duration RingDriver::WaitFor(Instant deadline, Instant now) noexcept {
  const bool work_left = queue_.completions() > 0 || dirty_count_ > 0 || cancel_count_ > 0 ||
                         ports_to_arm_ > 0 || tx_prepared_ < tx_.size();
  if (work_left || deadline.ns <= 0) {
    return {0};
  }
  if (deadline == Instant::Never()) {
    return {-1};
  }
  return std::max(Duration{}, deadline - now);
}

void RingDriver::HandleCompletions(Instant now) {
  const unsigned count = std::min<unsigned>(queue_.completions(), limits::kCompletionsPerTurnMax);
  for (unsigned i = 0; i < count; ++i) {
    const io_uring_cqe& cqe = queue_.completion(i);
    switch (OpOf(cqe.user_data)) {
      case Op::kReceive:
        OnReceive(cqe, now);
        break;
      case Op::kPoll:
        OnPoll(cqe, now);
        break;
      case Op::kSend:
        // Successful ones make no completion; joint ones were tried again already.
        if (GenerationOf(cqe.user_data) != kJointSend) {
          counters_.send_errors.Add();
          --sent_credit_;
        }
        break;
      case Op::kIgnore:
      case Op::kProbe:
        break;
    }
  }
  DeliverBatch(now);
  queue_.Consume(count);
  completions_seen_ -= std::min(completions_seen_, count);
  buffers_.Publish();
}

void RingDriver::OnReceive(const io_uring_cqe& cqe, Instant now) {
  const PortId id = IndexOf(cqe.user_data);
  SLIP_CHECK(id < ports_used_);
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    // For whatever reason: no buffer, an empty datagram, an error taken off the socket.
    SLIP_CHECK(ports_[id].armed);
    ports_[id].armed = false;
    ++ports_to_arm_;
    counters_.rearms.Add();
  }
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) {
    return;
  }
  const std::uint32_t buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  buffers_.Take(buffer);
  if (cqe.res < static_cast<int>(limits::kPacketHeadroomBytes)) {
    buffers_.Return(buffer);
    return;
  }
  if (batch_size_ == packets_.size() || (batch_size_ > 0 && batch_port_ != id)) {
    DeliverBatch(now);
  }
  if (batch_size_ == 0) {
    batch_port_ = id;
    batch_drops_ = ports_[id].kernel_drops;
  }
  AddToBatch(buffer, static_cast<std::uint32_t>(cqe.res) -
                         static_cast<std::uint32_t>(limits::kPacketHeadroomBytes));
}

void RingDriver::AddToBatch(std::uint32_t id, std::uint32_t bytes) noexcept {
  const MutableByteSpan slot = buffers_.slot(id);
  SLIP_CHECK(bytes <= limits::kPacketBytesMax);
  io_uring_recvmsg_out out;
  std::memcpy(&out, slot.data(), sizeof(out));
  Packet& packet = packets_[batch_size_];
  packet = {};
  packet.buffer = slot;
  packet.data = slot.subspan(limits::kPacketHeadroomBytes, bytes);
  packet.truncated = (out.flags & MSG_TRUNC) != 0;
  const std::size_t name_bytes = std::min<std::size_t>(out.namelen, shard::kRxNameBytes);
  const std::size_t control_bytes = std::min<std::size_t>(out.controllen, shard::kRxControlBytes);
  shard::DecodeEnvelope(slot.subspan(sizeof(out), name_bytes),
                        slot.subspan(sizeof(out) + shard::kRxNameBytes, control_bytes), packet,
                        batch_drops_);
  if (packet.truncated) {
    counters_.truncated.Add();
  }
  batch_bytes_ += bytes;
  batch_ids_[batch_size_] = static_cast<std::uint16_t>(id);
  ++batch_size_;
}

void RingDriver::DeliverBatch(Instant now) {
  if (batch_size_ == 0) {
    return;
  }
  Port& port = ports_[batch_port_];
  counters_.packets_received.Add(batch_size_);
  counters_.bytes_received.Add(std::exchange(batch_bytes_, 0));
  // A 32-bit count that wraps: the difference is right all the same.
  counters_.kernel_drops.Add(batch_drops_ - port.kernel_drops);
  port.kernel_drops = batch_drops_;
  gather_.OnPackets(batch_size_, port.handler->gathers());
  port.handler->OnPackets(batch_port_, std::span(packets_).first(batch_size_), now);
  for (std::size_t i = 0; i < batch_size_; ++i) {
    buffers_.Return(batch_ids_[i]);
  }
  batch_size_ = 0;
}

void RingDriver::OnPoll(const io_uring_cqe& cqe, Instant now) {
  const std::uint32_t index = IndexOf(cqe.user_data);
  SLIP_CHECK(index < shard::kWatchesMax);
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if (!more) {
    SLIP_CHECK(polls_in_flight_ > 0);
    --polls_in_flight_;
  }
  Watch& watch = watches_[index];
  if (watch.handler == nullptr ||
      (watch.generation & kGenerationMask) != GenerationOf(cqe.user_data)) {
    return;
  }
  watch.armed = more;
  std::uint32_t events = shard::kHangup;
  if (cqe.res >= 0) {
    const auto seen = static_cast<std::uint32_t>(cqe.res);
    events = seen & (watch.events | shard::kHangup);
    if ((seen & (POLLERR | POLLNVAL)) != 0) {
      events |= shard::kHangup;
    }
    // A ring's poll also ends when the peer has half-closed (POLLRDHUP), asked or not. While that
    // is all there is to say, a new one-shot poll would end at once, again and again: wait for the
    // next change instead, by an edge-triggered poll.
    watch.quiet = events == 0;
    if (events != 0) {
      Disarm(index);
    }
    MarkDirty(index);
  }
  // After an error (the descriptor is not open any more) it stays unarmed until it is changed.
  if (events != 0) {
    DeliverBatch(now);
    watch.handler->OnReady(index, events, now);
  }
}

// Cancels everything and waits until the kernel has let go of sockets and buffers.
void RingDriver::DrainAll() noexcept {
  bool cancelled = false;
  for (int round = 0; round < 100; ++round) {
    if (!cancelled) {
      io_uring_sqe* const sqe = queue_.GetSqe();
      if (sqe != nullptr) {
        io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        sqe->user_data = UserData(Op::kIgnore, 0, 0);
        cancelled = true;
      }
    }
    if (!queue_.Enter(Duration::Millis(10), 1)) {
      return;
    }
    while (queue_.completions() > 0) {
      const io_uring_cqe& cqe = queue_.completion(0);
      const bool last = (cqe.flags & IORING_CQE_F_MORE) == 0;
      if (OpOf(cqe.user_data) == Op::kReceive && last) {
        ports_[IndexOf(cqe.user_data)].armed = false;
      } else if (OpOf(cqe.user_data) == Op::kPoll && last) {
        --polls_in_flight_;
      }
      queue_.Consume(1);
    }
    const bool receiving = std::any_of(ports_.get(), ports_.get() + ports_used_,
                                       [](const Port& port) { return port.armed; });
    if (!receiving && polls_in_flight_ == 0) {
      return;
    }
  }
}

}  // namespace

Result<std::unique_ptr<shard::Driver>> CreateRingDriver(Clock& clock, const RingOptions& options) {
  auto driver = std::make_unique<RingDriver>(clock);
  SLIP_TRY(driver->Open(options));
  return driver;
}

}  // namespace slipway::ring
