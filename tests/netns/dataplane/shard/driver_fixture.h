// What the tests of the packet interface share. Every test runs against both drivers, in one thread
// unless it says otherwise, over the loopback interface of a network namespace of its own. With
// SLIPWAY_NO_NETNS set the process stays in the namespace it was started in.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/posix_disk.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/fd.h"
#include "dataplane/shard/socket.h"

namespace slipway::shard {

enum class DriverKind : std::uint8_t { kRing, kEpoll };

// Fails the test instead of skipping it if SLIPWAY_NO_SKIP is set.
#define SLIP_SKIP_OR_FAIL(reason)                    \
  do {                                               \
    if (std::getenv("SLIPWAY_NO_SKIP") != nullptr) { \
      FAIL() << "would be skipped: " << (reason);    \
    }                                                \
    GTEST_SKIP() << (reason);                        \
  } while (false)

// True if the process runs in a namespace of its own, where it may make interfaces.
[[nodiscard]] bool HasOwnNamespace();

// Runs a program to its end; its exit status, or -1.
[[nodiscard]] int RunProgram(const std::vector<std::string>& arguments);

inline constexpr Ipv4Address kLoopback{0x7F00'0001};

// A packet as a handler saw it, copied.
struct SeenPacket {
  PortId port = 0;
  std::vector<std::byte> data;
  IpAddress source;
  IpAddress destination;
  std::uint32_t ifindex = 0;
  std::uint16_t source_port = 0;
  bool truncated = false;
};

class RecordingHandler : public PacketHandler {
 public:
  void OnPackets(PortId port, std::span<Packet> packets, Instant now) override;

  std::vector<SeenPacket> packets;
  std::size_t batch_max = 0;
};

// Answers every packet with itself, sent from the buffer that it came in.
class EchoHandler final : public PacketHandler {
 public:
  explicit EchoHandler(Driver& driver) : driver_(driver) {}

  void OnPackets(PortId port, std::span<Packet> packets, Instant now) override;

  std::uint64_t refused = 0;

 private:
  Driver& driver_;
};

// A plain blocking socket with a time-out of two seconds, as the other side.
class Client {
 public:
  explicit Client(IpAddress bind = kLoopback, std::uint32_t receive_buffer_bytes = 8 << 20);

  void Send(const LocalEnd& to, std::span<const std::byte> data) const;

  // Not ok: nothing came in time.
  struct Received {
    bool ok = false;
    std::vector<std::byte> data;
    LocalEnd from;
  };

  [[nodiscard]] Received Receive() const;
  // Without waiting.
  [[nodiscard]] Received TryReceive() const;

  [[nodiscard]] LocalEnd end() const;

 private:
  [[nodiscard]] Received ReceiveWith(int flags) const;

  OwnedFd fd_;
};

class DriverTest : public ::testing::TestWithParam<DriverKind> {
 protected:
  void SetUp() override;

  [[nodiscard]] std::unique_ptr<Driver> MakeDriver(std::uint32_t rx_buffers = 512);
  // A bound socket given to the driver; `end` says where it is.
  [[nodiscard]] PortId AddUdp(Driver& driver, PacketHandler* handler, LocalEnd& end,
                              UdpOptions options = {.bind = kLoopback,
                                                    .receive_buffer_bytes = 8 << 20});
  // Turns until `done` or until two seconds have passed; says whether it was done.
  [[nodiscard]] bool TurnUntil(Driver& driver, const std::function<bool()>& done);
  // Turns that do not wait.
  void Turns(Driver& driver, int count);

  PosixClock clock;
};

[[nodiscard]] std::vector<std::byte> Pattern(std::size_t bytes, std::uint32_t seed);

}  // namespace slipway::shard
