// Many DHCP clients' packets in batches, for the generator of `slipway-bench dhcp`: through one
// relay's UDP socket, or as frames of clients on the wire.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/load/load_codec.h"
#include "bench/load/rig.h"
#include "dataplane/base/address.h"
#include "dataplane/base/result.h"
#include "dataplane/shard/fd.h"

namespace slipway::bench {

// One thread's.
class LoadWire {
 public:
  static constexpr std::size_t kBatch = 64;

  // In the namespace of the far end. Not kReserved.
  [[nodiscard]] static Result<LoadWire> Open(Clients clients);

  // Puts a packet of the client into the batch; sends the batch when it is full. Packets that name
  // a server name the one that answered last.
  void Queue(LoadPacket kind, std::uint32_t client, const IpAddress& address);
  // Sends what is queued. What the kernel has no room for counts as lost on the wire.
  void Flush();
  // What has come, without waiting; at most kBatch.
  [[nodiscard]] std::span<const LoadReply> Receive();

 private:
  static constexpr std::size_t kBufferBytes = 1536;

  LoadWire(shard::OwnedFd fd, Clients clients);
  void MakeTemplates(ByteSpan server);

  shard::OwnedFd fd_;
  std::unique_ptr<LoadCodec> codec_;
  std::vector<std::byte> server_;
  std::array<std::size_t, kLoadPackets> template_bytes_{};
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
