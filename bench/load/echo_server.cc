#include "bench/load/echo_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>

#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/epoll/epoll_driver.h"
#include "dataplane/ring/ring_driver.h"
#include "dataplane/shard/seal.h"
#include "dataplane/shard/shard.h"

namespace slipway::bench {

namespace {

constexpr std::uint32_t kReceiveBufferBytes = 8 << 20;

Result<shard::OwnedFd> OpenLoopback() {
  return shard::OpenUdp(
      {.bind = Ipv4Address{0x7F00'0001}, .receive_buffer_bytes = kReceiveBufferBytes});
}

Duration CpuOf(std::thread& thread) {
  clockid_t clock{};
  timespec time{};
  if (::pthread_getcpuclockid(thread.native_handle(), &clock) != 0 ||
      ::clock_gettime(clock, &time) != 0) {
    return {};
  }
  return Duration::Seconds(time.tv_sec) + Duration::Nanos(time.tv_nsec);
}

void PinTo(int cpu) {
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    (void)::sched_setaffinity(0, sizeof(set), &set);
  }
}

// ---- over the packet interface, as a service does it ----

class EchoHandler final : public shard::PacketHandler {
 public:
  explicit EchoHandler(shard::Driver& driver) : driver_(driver) {}

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant /*now*/) override {
    for (const shard::Packet& packet : packets) {
      shard::Outgoing out;
      out.data = packet.data;
      out.destination = packet.source;
      out.destination_port = packet.source_port;
      out.source = packet.destination;
      (void)driver_.Send(port, out);
    }
  }

 private:
  shard::Driver& driver_;
};

class DriverServer final : public EchoServer {
 public:
  static Result<std::unique_ptr<EchoServer>> Start(EchoKind kind, int cpu,
                                                   std::uint32_t rx_buffers) {
    auto server = std::make_unique<DriverServer>();
    auto driver = kind == EchoKind::kRing
                      ? SLIP_TRY(ring::CreateRingDriver(server->clock_, {.rx_buffers = rx_buffers}))
                      : SLIP_TRY(epoll::CreateEpollDriver(server->clock_));
    shard::OwnedFd fd = SLIP_TRY(OpenLoopback());
    server->end_ = SLIP_TRY(shard::LocalAddress(fd.get()));
    server->shard_ =
        SLIP_TRY(shard::Shard::Create({.cpu = cpu}, std::move(driver), server->clock_.Now()));
    server->handler_ = std::make_unique<EchoHandler>(server->shard_->driver());
    (void)SLIP_TRY(server->shard_->driver().AddUdp(fd.Release(), server->handler_.get()));
    server->name_ = kind == EchoKind::kRing ? "echo-ring" : "echo-epoll";
    server->thread_ = std::thread([raw = server.get()] { raw->Serve(); });
    return server;
  }

  ~DriverServer() override { (void)Stop(); }

  [[nodiscard]] shard::LocalEnd end() const override { return end_; }

  [[nodiscard]] EchoCounts counts() const override {
    const shard::DriverCounters& counters = shard_->driver().counters();
    return {.received = counters.packets_received.value(),
            .sent = counters.packets_sent.value(),
            .kernel_drops = counters.kernel_drops.value(),
            .turns = counters.turns.value(),
            .cpu = CpuOf(thread_)};
  }

  [[nodiscard]] std::uint64_t Stop() override {
    if (thread_.joinable()) {
      shard_->Stop();
      thread_.join();
    }
    return allocations_;
  }

 private:
  void Serve() {
    (void)::pthread_setname_np(::pthread_self(), name_.data());
    const std::uint64_t before = shard::AllocationsOnThisThread();
    (void)shard_->Run();
    allocations_ = shard::AllocationsOnThisThread() - before;
  }

  PosixClock clock_;
  std::unique_ptr<shard::Shard> shard_;
  std::unique_ptr<EchoHandler> handler_;
  shard::LocalEnd end_;
  std::string_view name_;  // of the thread, for profiles
  mutable std::thread thread_;
  std::uint64_t allocations_ = 0;
};

// ---- the plain loop that the drivers are measured against: the same socket options, no more ----

class PlainServer final : public EchoServer {
 public:
  static Result<std::unique_ptr<EchoServer>> Start(int cpu) {
    auto server = std::make_unique<PlainServer>();
    server->fd_ = SLIP_TRY(OpenLoopback());
    server->end_ = SLIP_TRY(shard::LocalAddress(server->fd_.get()));
    // Blocking, so that one system call waits and receives.
    (void)::fcntl(server->fd_.get(), F_SETFL, 0);
    const timeval limit{.tv_sec = 0, .tv_usec = 50'000};
    (void)::setsockopt(server->fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    server->thread_ = std::thread([raw = server.get(), cpu] { raw->Serve(cpu); });
    return server;
  }

  ~PlainServer() override { (void)Stop(); }

  [[nodiscard]] shard::LocalEnd end() const override { return end_; }

  [[nodiscard]] EchoCounts counts() const override {
    return {.received = received_.value(),
            .sent = sent_.value(),
            .kernel_drops = 0,
            .turns = turns_.value(),
            .cpu = CpuOf(thread_)};
  }

  [[nodiscard]] std::uint64_t Stop() override {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
    return allocations_;
  }

 private:
  static constexpr std::size_t kBatch = limits::kPacketBatchMax;

  struct Slot {
    std::array<std::byte, limits::kPacketBytesMax> data;
    sockaddr_in name;
    alignas(cmsghdr) std::array<std::byte, 64> control;
    iovec vector;
  };

  void Serve(int cpu) {
    PinTo(cpu);
    (void)::pthread_setname_np(::pthread_self(), "echo-plain");
    const std::uint64_t before = shard::AllocationsOnThisThread();
    while (!stop_) {
      for (std::size_t i = 0; i < kBatch; ++i) {
        Prepare(i);
      }
      const int got = ::recvmmsg(fd_.get(), messages_.data(), kBatch, MSG_WAITFORONE, nullptr);
      if (got <= 0) {
        continue;
      }
      turns_.Add();
      received_.Add(static_cast<std::uint64_t>(got));
      for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
        // The control data received holds the local address: it serves as the reply's source.
        slots_[i].vector.iov_len = messages_[i].msg_len;
      }
      const int sent = ::sendmmsg(fd_.get(), messages_.data(), static_cast<unsigned>(got), 0);
      sent_.Add(sent > 0 ? static_cast<std::uint64_t>(sent) : 0);
    }
    allocations_ = shard::AllocationsOnThisThread() - before;
  }

  void Prepare(std::size_t i) {
    Slot& slot = slots_[i];
    slot.vector = {.iov_base = slot.data.data(), .iov_len = slot.data.size()};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &slot.name;
    header.msg_namelen = sizeof(slot.name);
    header.msg_iov = &slot.vector;
    header.msg_iovlen = 1;
    header.msg_control = slot.control.data();
    header.msg_controllen = slot.control.size();
    header.msg_flags = 0;
  }

  shard::OwnedFd fd_;
  shard::LocalEnd end_;
  std::array<Slot, kBatch> slots_{};
  std::array<mmsghdr, kBatch> messages_{};
  Counter received_;
  Counter sent_;
  Counter turns_;
  std::atomic<bool> stop_{false};
  mutable std::thread thread_;
  std::uint64_t allocations_ = 0;
};

}  // namespace

std::string_view ToString(EchoKind kind) noexcept {
  switch (kind) {
    case EchoKind::kPlain:
      return "plain";
    case EchoKind::kRing:
      return "ring";
    case EchoKind::kEpoll:
      return "epoll";
  }
  return "unknown";
}

Result<std::unique_ptr<EchoServer>> EchoServer::Start(EchoKind kind, int cpu,
                                                      std::uint32_t rx_buffers) {
  return kind == EchoKind::kPlain ? PlainServer::Start(cpu)
                                  : DriverServer::Start(kind, cpu, rx_buffers);
}

}  // namespace slipway::bench
