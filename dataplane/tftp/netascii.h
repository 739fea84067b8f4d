// The netascii form of a file (RFC 764, RFC 1350 1): LF becomes CR LF, a lone CR becomes CR NUL.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/cursor.h"

namespace slipway::tftp {

// A place in the converted stream: `offset` source bytes are consumed, and if `pending` is set the
// second byte of a pair, `pending_byte`, comes first.
struct NetasciiCursor {
  std::uint64_t offset = 0;
  bool pending = false;
  std::byte pending_byte{};
};

// Fills `out` from the source bytes at cursor.offset and moves the cursor. Returns the bytes
// written: fewer than out.size() only when `source` is used up.
[[nodiscard]] std::size_t EncodeNetascii(ByteSpan source, NetasciiCursor& cursor,
                                         MutableByteSpan out) noexcept;

}  // namespace slipway::tftp
