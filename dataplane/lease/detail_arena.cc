#include "dataplane/lease/detail_arena.h"

#include <algorithm>

#include "dataplane/base/check.h"

namespace slipway::lease {

DetailArena::Flat::Flat(const LeaseDetail& detail) noexcept {
  const ByteSpan id = detail.client_id.view();
  const ByteSpan name = AsBytes(detail.hostname.view());
  if (id.empty() && name.empty()) {
    return;
  }
  bytes[0] = static_cast<std::byte>(id.size());
  bytes[1] = static_cast<std::byte>(name.size());
  std::ranges::copy(id, bytes.begin() + 2);
  std::ranges::copy(name, bytes.begin() + 2 + static_cast<std::ptrdiff_t>(id.size()));
  size = 2 + id.size() + name.size();
}

DetailArena::DetailArena(std::uint32_t chunks_max) : chunks_(chunks_max) {
  SLIP_CHECK(chunks_max < kNoRoom);
  for (std::uint32_t at = chunks_max; at > 0; --at) {
    chunks_[at - 1].next = free_head_;
    free_head_ = at - 1;
  }
  free_count_ = chunks_max;
}

void DetailArena::Release(std::uint32_t& handle) noexcept {
  if (handle != kNothing && handle != kNoRoom) {
    std::uint32_t last = handle;
    ++free_count_;
    while (chunks_[last].next != kNothing) {
      last = chunks_[last].next;
      ++free_count_;
    }
    chunks_[last].next = free_head_;
    free_head_ = handle;
  }
  handle = kNothing;
}

void DetailArena::Assign(std::uint32_t& handle, const LeaseDetail& detail) noexcept {
  Release(handle);
  const Flat flat(detail);
  if (flat.size > std::size_t{free_count_} * kChunkBytes) {
    ++dropped_;
    handle = kNoRoom;
    return;
  }
  std::uint32_t* link = &handle;
  for (std::size_t done = 0; done < flat.size; done += kChunkBytes) {
    const std::uint32_t at = free_head_;
    Chunk& chunk = chunks_[at];
    free_head_ = chunk.next;
    --free_count_;
    const ByteSpan piece =
        ByteSpan(flat.bytes).subspan(done, std::min(kChunkBytes, flat.size - done));
    std::ranges::copy(piece, chunk.bytes.begin());
    *link = at;
    link = &chunk.next;
    chunk.next = kNothing;
  }
}

LeaseDetail DetailArena::Read(std::uint32_t handle) const noexcept {
  LeaseDetail detail;
  if (handle == kNothing || handle == kNoRoom) {
    return detail;
  }
  Flat flat;
  for (std::uint32_t at = handle; at != kNothing; at = chunks_[at].next) {
    const std::size_t bytes = std::min(kChunkBytes, flat.bytes.size() - flat.size);
    std::ranges::copy(ByteSpan(chunks_[at].bytes).first(bytes), flat.bytes.data() + flat.size);
    flat.size += bytes;
  }
  const auto id_bytes = std::to_integer<std::size_t>(flat.bytes[0]);
  const auto name_bytes = std::to_integer<std::size_t>(flat.bytes[1]);
  SLIP_CHECK(2 + id_bytes + name_bytes <= flat.size);
  const ByteSpan fields = ByteSpan(flat.bytes).subspan(2);
  (void)detail.client_id.Assign(fields.first(id_bytes));
  (void)detail.hostname.Assign(AsText(fields.subspan(id_bytes, name_bytes)));
  return detail;
}

bool DetailArena::Equals(std::uint32_t handle, const LeaseDetail& detail) const noexcept {
  if (handle == kNoRoom) {
    return true;
  }
  const Flat flat(detail);
  std::size_t done = 0;
  for (std::uint32_t at = handle; at != kNothing; at = chunks_[at].next) {
    if (done >= flat.size) {
      return false;
    }
    const ByteSpan piece =
        ByteSpan(flat.bytes).subspan(done, std::min(kChunkBytes, flat.size - done));
    if (!std::ranges::equal(piece, ByteSpan(chunks_[at].bytes).first(piece.size()))) {
      return false;
    }
    done += piece.size();
  }
  // The sizes come first, so what is longer or shorter has differed there already.
  return done == flat.size;
}

}  // namespace slipway::lease
