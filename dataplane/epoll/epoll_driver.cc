#include "dataplane/epoll/epoll_driver.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <utility>

#include "dataplane/base/check.h"
#include "dataplane/shard/fd.h"
#include "dataplane/shard/limits.h"
#include "dataplane/shard/message.h"
#include "dataplane/shard/tx_queue.h"

namespace slipway::epoll {

namespace {

using shard::Outgoing;
using shard::Packet;
using shard::PortId;
using shard::WatchId;

constexpr std::size_t kBatch = limits::kPacketBatchMax;
constexpr std::size_t kSlotBytes = limits::kPacketHeadroomBytes + limits::kPacketBytesMax;
constexpr int kEventsPerWait = 256;
// A hot port whose last batch was smaller than this goes back to epoll.
constexpr std::size_t kHotBatchMin = kBatch / 2;
constexpr std::uint32_t kIndexBits = 20;
static_assert(shard::kWatchesMax < (1U << kIndexBits) && shard::kPortsMax < (1U << kIndexBits));
static_assert(static_cast<std::uint32_t>(EPOLLIN) == static_cast<std::uint32_t>(shard::kReadable));
static_assert(static_cast<std::uint32_t>(EPOLLOUT) == static_cast<std::uint32_t>(shard::kWritable));
static_assert(static_cast<std::uint32_t>(EPOLLHUP) == static_cast<std::uint32_t>(shard::kHangup));

// What comes back with an event: the place, whether it is a port, and for watches the generation,
// so that an event fetched before RemoveWatch does not reach the next tenant.
constexpr std::uint64_t kPortBit = std::uint64_t{1} << 63;

struct Port {
  shard::OwnedFd fd;
  int family = 0;
  shard::PacketHandler* handler = nullptr;
  std::uint32_t kernel_drops = 0;
  // Read without being asked to by epoll, and not registered there: see Cool and Heat.
  bool hot = false;
};

struct Watch {
  shard::WatchHandler* handler = nullptr;
  int fd = -1;
  std::uint32_t generation = 0;
  std::uint32_t next_free = UINT32_MAX;
};

// The receive side of one batch. Slots are warm: every batch uses the same ones.
struct RxBatch {
  RxBatch() : slots(std::make_unique<std::byte[]>(kBatch * kSlotBytes)) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {.iov_base = slots.get() + kSlotBytes * i + limits::kPacketHeadroomBytes,
                    .iov_len = limits::kPacketBytesMax};
    }
  }

  void Prepare(std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      msghdr& header = messages[i].msg_hdr;
      header.msg_name = names[i].data();
      header.msg_namelen = shard::kRxNameBytes;
      header.msg_iov = &vectors[i];
      header.msg_iovlen = 1;
      header.msg_control = controls[i].bytes.data();
      header.msg_controllen = shard::kRxControlBytes;
      header.msg_flags = 0;
    }
  }

  struct alignas(cmsghdr) Control {
    std::array<std::byte, shard::kRxControlBytes> bytes;
  };

  std::unique_ptr<std::byte[]> slots;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  std::array<std::array<std::byte, shard::kRxNameBytes>, kBatch> names{};
  std::array<Control, kBatch> controls{};
  std::array<Packet, kBatch> packets{};
};

class EpollDriver final : public shard::Driver {
 public:
  EpollDriver(Clock& clock, shard::OwnedFd epoll) noexcept
      : clock_(clock),
        epoll_(std::move(epoll)),
        ports_(std::make_unique<Port[]>(shard::kPortsMax)),
        watches_(std::make_unique<Watch[]>(shard::kWatchesMax)) {
    for (std::uint32_t i = shard::kWatchesMax; i > 0; --i) {
      watches_[i - 1].next_free = free_watch_;
      free_watch_ = i - 1;
    }
    counters_.rx_buffers_free.Set(kBatch);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

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
  [[nodiscard]] Result<void> Control(int operation, int fd, std::uint32_t events,
                                     std::uint64_t tag) noexcept;
  [[nodiscard]] Result<int> Wait(Instant deadline) noexcept;
  [[nodiscard]] bool Dispatch(const epoll_event& event, Instant now, std::size_t& budget);
  [[nodiscard]] std::size_t Receive(PortId id, Instant now, std::size_t packets_max);
  void Deliver(PortId id, std::size_t count, Instant now);
  void Heat(PortId id) noexcept;
  void Cool(PortId id) noexcept;
  void Flush() noexcept;
  void FlushRun(std::uint32_t begin, std::uint32_t end, int fd) noexcept;

  Clock& clock_;
  shard::OwnedFd epoll_;
  std::unique_ptr<Port[]> ports_;
  std::unique_ptr<Watch[]> watches_;
  shard::TxQueue tx_;
  RxBatch rx_;
  // What a wait returned, and the hot ports.
  std::array<epoll_event, kEventsPerWait + shard::kPortsMax> events_{};
  shard::DriverCounters counters_;
  std::uint32_t ports_used_ = 0;
  std::uint32_t hot_count_ = 0;
  std::uint32_t free_watch_ = UINT32_MAX;
  bool has_pwait2_ = true;
};

Result<PortId> EpollDriver::AddUdp(int fd, shard::PacketHandler* handler) {
  shard::OwnedFd owned(fd);
  SLIP_CHECK(handler != nullptr);
  int family = 0;
  socklen_t bytes = sizeof(family);
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) != 0) {
    return FailErrno(errno);
  }
  return AddPort(std::move(owned), family, handler);
}

Result<PortId> EpollDriver::AddRaw(int fd) {
  return AddPort(shard::OwnedFd(fd), AF_PACKET, nullptr);
}

Result<PortId> EpollDriver::AddPort(shard::OwnedFd fd, int family, shard::PacketHandler* handler) {
  if (ports_used_ == shard::kPortsMax) {
    return Fail(ErrorCode::kFull, shard::kPortsMax);
  }
  const PortId id = ports_used_;
  if (handler != nullptr) {
    SLIP_TRY(Control(EPOLL_CTL_ADD, fd.get(), EPOLLIN, kPortBit | id));
  }
  Port& port = ports_[id];
  port.fd = std::move(fd);
  port.family = family;
  port.handler = handler;
  ++ports_used_;
  return id;
}

Result<void> EpollDriver::Control(int operation, int fd, std::uint32_t events,
                                  std::uint64_t tag) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) {
    return FailErrno(errno);
  }
  return {};
}

Result<WatchId> EpollDriver::AddWatch(int fd, std::uint32_t events, shard::WatchHandler* handler) {
  SLIP_CHECK(handler != nullptr);
  if (free_watch_ == UINT32_MAX) {
    return Fail(ErrorCode::kFull, shard::kWatchesMax);
  }
  const std::uint32_t index = free_watch_;
  Watch& watch = watches_[index];
  SLIP_CHECK(watch.handler == nullptr);
  SLIP_TRY(
      Control(EPOLL_CTL_ADD, fd, events, std::uint64_t{watch.generation} << kIndexBits | index));
  free_watch_ = watch.next_free;
  watch.handler = handler;
  watch.fd = fd;
  return index;
}

Result<void> EpollDriver::ChangeWatch(WatchId id, std::uint32_t events) {
  SLIP_CHECK(id < shard::kWatchesMax && watches_[id].handler != nullptr);
  const Watch& watch = watches_[id];
  return Control(EPOLL_CTL_MOD, watch.fd, events,
                 std::uint64_t{watch.generation} << kIndexBits | id);
}

void EpollDriver::RemoveWatch(WatchId id) {
  SLIP_CHECK(id < shard::kWatchesMax && watches_[id].handler != nullptr);
  Watch& watch = watches_[id];
  // Fails if the caller has closed the descriptor first: then the kernel has removed it.
  (void)Control(EPOLL_CTL_DEL, watch.fd, 0, 0);
  ++watch.generation;
  watch.handler = nullptr;
  watch.fd = -1;
  watch.next_free = free_watch_;
  free_watch_ = id;
}

MutableByteSpan EpollDriver::AllocateTx() {
  const MutableByteSpan buffer = tx_.AllocateBuffer();
  if (buffer.empty()) {
    counters_.send_dropped.Add();
  }
  return buffer;
}

bool EpollDriver::Send(PortId id, const Outgoing& out) {
  SLIP_CHECK(id < ports_used_);
  const Port& port = ports_[id];
  switch (tx_.Push(port.fd.get(), port.family, out)) {
    case shard::TxQueue::Pushed::kQueued:
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

Result<Instant> EpollDriver::Turn(Instant deadline) {
  const std::uint64_t turn = counters_.turns.value();
  counters_.turns.Add();
  Flush();
  const int count = SLIP_TRY(Wait(deadline));
  const Instant now = clock_.Now();
  // Each ready port gets one batch in a round, and another one comes first each time: a flooded one
  // must not have the turn to itself. What is left over is still ready in the next turn.
  std::size_t ready = static_cast<std::size_t>(count);
  for (PortId id = 0; id < ports_used_ && hot_count_ > 0; ++id) {
    if (ports_[id].hot) {
      events_[ready].events = EPOLLIN;
      events_[ready++].data.u64 = kPortBit | id;
    }
  }
  std::size_t budget = limits::kCompletionsPerTurnMax;
  if (ready > 1) {
    std::rotate(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(turn % ready),
                events_.begin() + static_cast<std::ptrdiff_t>(ready));
  }
  while (ready > 0 && budget > 0) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ready && budget > 0; ++i) {
      if (Dispatch(events_[i], now, budget)) {
        events_[kept++] = events_[i];
      }
    }
    ready = kept;
  }
  return now;
}

Result<int> EpollDriver::Wait(Instant deadline) noexcept {
  timespec timeout{};
  const timespec* limit = nullptr;
  int timeout_ms = -1;
  if (deadline != Instant::Never() || hot_count_ > 0) {
    const std::int64_t ns = std::max<std::int64_t>(
        0, deadline.ns <= 0 || hot_count_ > 0 ? 0 : (deadline - clock_.Now()).ns);
    timeout.tv_sec = ns / 1'000'000'000;
    timeout.tv_nsec = ns % 1'000'000'000;
    limit = &timeout;
    timeout_ms = static_cast<int>(std::min<std::int64_t>((ns + 999'999) / 1'000'000, 60'000));
  }
  int count = -1;
  if (has_pwait2_) {
    count = ::epoll_pwait2(epoll_.get(), events_.data(), kEventsPerWait, limit, nullptr);
    // Sandboxes lack it, and may say EPERM: whole milliseconds will do there.
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
      has_pwait2_ = false;
    }
  }
  if (!has_pwait2_) {
    count = ::epoll_wait(epoll_.get(), events_.data(), kEventsPerWait, timeout_ms);
  }
  if (count < 0 && errno == EINTR) {
    return 0;
  }
  if (count < 0) {
    return FailErrno(errno);
  }
  return count;
}

// True if the port may have more.
bool EpollDriver::Dispatch(const epoll_event& event, Instant now, std::size_t& budget) {
  const std::uint64_t tag = event.data.u64;
  if ((tag & kPortBit) != 0) {
    const auto id = static_cast<PortId>(tag & (kPortBit - 1));
    SLIP_CHECK(id < ports_used_);
    const std::size_t wanted = std::min(budget, kBatch);
    const std::size_t got = Receive(id, now, wanted);
    budget -= got;
    if (got == kBatch) {
      Heat(id);
    } else if (got < kHotBatchMin && got < wanted) {
      Cool(id);
    }
    // Fewer than asked for: the socket was empty just now, and a second look costs a system call.
    return got == wanted;
  }
  const auto index = static_cast<std::uint32_t>(tag & ((1U << kIndexBits) - 1));
  SLIP_CHECK(index < shard::kWatchesMax);
  const Watch& watch = watches_[index];
  if (watch.handler == nullptr ||
      watch.generation != static_cast<std::uint32_t>(tag >> kIndexBits)) {
    return false;
  }
  std::uint32_t events = event.events & (shard::kReadable | shard::kWritable | shard::kHangup);
  if ((event.events & EPOLLERR) != 0) {
    events |= shard::kHangup;
  }
  --budget;
  watch.handler->OnReady(index, events, now);
  return false;
}

std::size_t EpollDriver::Receive(PortId id, Instant now, std::size_t packets_max) {
  rx_.Prepare(packets_max);
  const int got = ::recvmmsg(ports_[id].fd.get(), rx_.messages.data(),
                             static_cast<unsigned int>(packets_max), MSG_DONTWAIT, nullptr);
  if (got <= 0) {
    // EAGAIN, or an error queued by ICMP that this call has taken off: nothing to do either way.
    return 0;
  }
  Deliver(id, static_cast<std::size_t>(got), now);
  return static_cast<std::size_t>(got);
}

void EpollDriver::Deliver(PortId id, std::size_t count, Instant now) {
  Port& port = ports_[id];
  std::uint32_t drops = port.kernel_drops;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const mmsghdr& message = rx_.messages[i];
    Packet& packet = rx_.packets[i];
    packet = {};
    packet.buffer = {rx_.slots.get() + kSlotBytes * i, kSlotBytes};
    packet.data = packet.buffer.subspan(limits::kPacketHeadroomBytes, message.msg_len);
    packet.truncated = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
    shard::DecodeEnvelope(std::span(rx_.names[i]).first(message.msg_hdr.msg_namelen),
                          std::span(rx_.controls[i].bytes).first(message.msg_hdr.msg_controllen),
                          packet, drops);
    bytes += message.msg_len;
    if (packet.truncated) {
      counters_.truncated.Add();
    }
  }
  counters_.packets_received.Add(count);
  counters_.bytes_received.Add(bytes);
  // A 32-bit count that wraps: the difference is right all the same.
  counters_.kernel_drops.Add(drops - port.kernel_drops);
  port.kernel_drops = drops;
  port.handler->OnPackets(id, std::span(rx_.packets).first(count), now);
  // Replies may lie in the slots, which the next batch overwrites.
  Flush();
}

// A socket that is registered with epoll pays for it with every datagram that it sends: each one
// freed wakes the socket's waiters to say that there is room, about 8 % of the whole. So a busy
// port leaves epoll and is read in every turn.
void EpollDriver::Heat(PortId id) noexcept {
  Port& port = ports_[id];
  if (!port.hot && Control(EPOLL_CTL_DEL, port.fd.get(), 0, 0)) {
    port.hot = true;
    ++hot_count_;
  }
}

// Registering looks at the socket's state: what has come meanwhile is reported by the next wait.
void EpollDriver::Cool(PortId id) noexcept {
  Port& port = ports_[id];
  if (port.hot && Control(EPOLL_CTL_ADD, port.fd.get(), EPOLLIN, kPortBit | id)) {
    port.hot = false;
    SLIP_CHECK(hot_count_ > 0);
    --hot_count_;
  }
}

void EpollDriver::Flush() noexcept {
  std::uint32_t begin = 0;
  while (begin < tx_.size()) {
    const int fd = tx_.fd(begin);
    std::uint32_t end = begin + 1;
    while (end < tx_.size() && tx_.fd(end) == fd) {
      ++end;
    }
    FlushRun(begin, end, fd);
    begin = end;
  }
  if (!tx_.empty()) {
    counters_.bytes_sent.Add(tx_.bytes());
    counters_.sends_joined.Add(tx_.joined());
    tx_.Clear();
  }
}

// Messages begin .. end - 1, all of one socket.
void EpollDriver::FlushRun(std::uint32_t begin, std::uint32_t end, int fd) noexcept {
  std::uint32_t done = begin;
  while (done < end) {
    const int sent = ::sendmmsg(fd, tx_.messages() + done, end - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      for (int i = 0; i < sent; ++i) {
        counters_.packets_sent.Add(tx_.DatagramsOf(done++));
      }
    } else if (errno != EINTR && tx_.IsJoint(done)) {
      const std::uint32_t taken = tx_.SendApart(done, errno);
      counters_.packets_sent.Add(taken);
      counters_.sends_apart.Add(taken);
      counters_.send_errors.Add(tx_.DatagramsOf(done) - taken);
      ++done;
    } else if (errno != EINTR) {
      // The first one of the rest was refused (a full socket buffer too): it is lost, as on a wire.
      counters_.send_errors.Add();
      ++done;
    }
  }
}

}  // namespace

Result<std::unique_ptr<shard::Driver>> CreateEpollDriver(Clock& clock) {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    return FailErrno(errno);
  }
  return std::make_unique<EpollDriver>(clock, shard::OwnedFd(fd));
}

}  // namespace slipway::epoll
