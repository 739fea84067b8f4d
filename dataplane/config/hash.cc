// The only file that sees xxhash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/base/random.h"
#include "dataplane/config/frames.h"
#include "dataplane/config/snapshot.h"

namespace slipway::config {

void ContentHash::Add(ContentHash other) noexcept {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
}

void ContentHash::Subtract(ContentHash other) noexcept {
  const std::uint64_t borrow = low < other.low ? 1 : 0;
  low -= other.low;
  high -= other.high + borrow;
}

ContentHash HashRecord(std::uint8_t table, RecordId id, ByteSpan body) noexcept {
  // Table and id are the key: the same body under another id counts differently. docs/formats.md
  // has this rule, since both ends of the link must agree on it.
  const std::uint64_t seed = Mix64(id ^ Mix64(table));
  const XXH128_hash_t hash = XXH3_128bits_withSeed(body.data(), body.size(), seed);
  return {.low = hash.low64, .high = hash.high64};
}

std::uint64_t FileChecksum(ByteSpan bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace slipway::config
