// The server side of `slipway-bench echo`: a thread that sends every datagram back, over a driver
// of the packet interface or over a plain recvmmsg and sendmmsg loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>

#include "dataplane/base/posix_disk.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"
#include "dataplane/shard/socket.h"

namespace slipway::bench {

enum class EchoKind : std::uint8_t { kPlain, kRing, kEpoll };

[[nodiscard]] std::string_view ToString(EchoKind kind) noexcept;

struct EchoCounts {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t turns = 0;
  Duration cpu;  // of the server's thread
};

class EchoServer {
 public:
  virtual ~EchoServer() = default;

  // Starts the thread, pinned to `cpu` if that is not negative, on a loopback socket of its own.
  // `rx_buffers` is for the ring.
  [[nodiscard]] static Result<std::unique_ptr<EchoServer>> Start(EchoKind kind, int cpu,
                                                                 std::uint32_t rx_buffers);

  [[nodiscard]] virtual shard::LocalEnd end() const = 0;
  // Of this moment, while it runs.
  [[nodiscard]] virtual EchoCounts counts() const = 0;
  // Ends the thread. Returns the allocations that it made while it served.
  [[nodiscard]] virtual std::uint64_t Stop() = 0;
};

}  // namespace slipway::bench
