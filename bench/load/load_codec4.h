#pragma once

#include "bench/load/load_codec.h"

namespace slipway::bench {

class LoadCodec4 final : public LoadCodec {
 public:
  // With `frames` each client sends its own; otherwise the relay's socket sends messages.
  explicit LoadCodec4(bool frames) noexcept;

  [[nodiscard]] std::size_t Make(LoadPacket kind, ByteSpan server,
                                 MutableByteSpan out) const override;
  void Patch(LoadPacket kind, std::byte* packet, std::uint32_t client,
             const IpAddress& address) const override;
  [[nodiscard]] bool Read(ByteSpan packet, LoadReply& reply) const override;

 private:
  bool frames_;
  std::size_t head_bytes_;  // Ethernet, IP and UDP in front of each message
};

}  // namespace slipway::bench
