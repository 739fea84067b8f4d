// Many DHCPv4 clients' packets in batches, for the generator of `slipway-bench dhcp`: through one
// relay's UDP socket, or as frames of clients on the wire. Packets are templates in which a few
// fields are patched, so that the generator costs less than what it measures.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/load/rig.h"
#include "dataplane/base/address.h"
#include "dataplane/base/result.h"
#include "dataplane/dhcp/message.h"
#include "dataplane/shard/fd.h"

namespace slipway::bench {

enum class LoadPacket : std::uint8_t { kDiscover, kRequest, kRenew };

struct LoadReply {
  dhcp::MessageType type = dhcp::MessageType::kNone;
  std::uint32_t xid = 0;
  MacAddress mac;
  Ipv4Address address;
  Ipv4Address server;
};

// One thread's.
class LoadWire {
 public:
  static constexpr std::size_t kBatch = 64;

  // In the namespace of the far end. kRelayed or kLocal.
  [[nodiscard]] static Result<LoadWire> Open(Clients clients);

  // Puts a packet of the client into the batch; sends the batch when it is full.
  void Queue(LoadPacket kind, std::uint32_t client, Ipv4Address address, Ipv4Address server);
  // Sends what is queued. What the kernel has no room for counts as lost on the wire.
  void Flush();
  // What has come, without waiting; at most kBatch.
  [[nodiscard]] std::span<const LoadReply> Receive();

  [[nodiscard]] static MacAddress MacOf(std::uint32_t client);

 private:
  static constexpr std::size_t kBufferBytes = 1536;

  LoadWire(shard::OwnedFd fd, Clients clients);
  void MakeTemplate(LoadPacket kind);

  shard::OwnedFd fd_;
  bool frames_;
  std::size_t head_bytes_;  // Ethernet, IP and UDP in front of each message
  std::array<std::size_t, 3> template_bytes_{};
  std::vector<std::byte> out_;  // kBatch of each kind
  std::vector<std::byte> in_;   // kBatch
  std::array<mmsghdr, kBatch> send_{};
  std::array<iovec, kBatch> send_parts_{};
  std::array<mmsghdr, kBatch> receive_{};
  std::array<iovec, kBatch> receive_parts_{};
  std::size_t queued_ = 0;
  std::array<LoadReply, kBatch> replies_{};
};

}  // namespace slipway::bench
