#pragma once

#include "bench/load/load_codec.h"

namespace slipway::bench {

class LoadCodec6 final : public LoadCodec {
 public:
  [[nodiscard]] std::size_t Make(LoadPacket kind, ByteSpan server,
                                 MutableByteSpan out) const override;
  void Patch(LoadPacket kind, std::byte* packet, std::uint32_t client,
             const IpAddress& address) const override;
  [[nodiscard]] bool Read(ByteSpan packet, LoadReply& reply) const override;
};

}  // namespace slipway::bench
