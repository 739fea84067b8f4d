// DHCP clients of any number on the far end of the rack's wire: frames through a packet socket, so
// that neither addresses nor a kernel's UDP are needed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/base/address.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/client.h"
#include "dataplane/shard/socket.h"

namespace slipway::bench {

struct WireReply {
  dhcp::MessageType type = dhcp::MessageType::kNone;
  std::uint32_t xid = 0;
  MacAddress mac;
  Ipv4Address address;
  Ipv4Address server;
};

class DhcpWire {
 public:
  [[nodiscard]] static Result<DhcpWire> Open(std::string_view interface);

  // False: the kernel had no room; nothing was sent.
  [[nodiscard]] bool Send(const dhcp::ClientRequest& request);
  // What has come, without waiting; at most kBatch.
  [[nodiscard]] std::span<const WireReply> Receive();
  // Waits for something to receive, here or on `other_fd`.
  void Wait(int other_fd, std::int64_t ns) const;

  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kFrameBytes = 1536;

 private:
  explicit DhcpWire(shard::OwnedFd fd) : fd_(std::move(fd)), frames_(kBatch * kFrameBytes) {}

  shard::OwnedFd fd_;
  std::array<std::byte, kFrameBytes> out_{};
  std::vector<std::byte> frames_;
  std::array<WireReply, kBatch> replies_{};
};

}  // namespace slipway::bench
