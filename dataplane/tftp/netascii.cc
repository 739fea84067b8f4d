#include "dataplane/tftp/netascii.h"

namespace slipway::tftp {

std::size_t EncodeNetascii(ByteSpan source, NetasciiCursor& cursor, MutableByteSpan out) noexcept {
  constexpr std::byte kCr{0x0D};
  constexpr std::byte kLf{0x0A};
  std::size_t written = 0;
  std::size_t read = 0;
  while (written < out.size()) {
    if (cursor.pending) {
      out[written++] = cursor.pending_byte;
      cursor.pending = false;
      continue;
    }
    if (read == source.size()) {
      break;
    }
    const std::byte value = source[read++];
    if (value == kLf || value == kCr) {
      out[written++] = kCr;
      cursor.pending = true;
      cursor.pending_byte = value == kLf ? kLf : std::byte{0};
    } else {
      out[written++] = value;
    }
  }
  cursor.offset += read;
  return written;
}

}  // namespace slipway::tftp
