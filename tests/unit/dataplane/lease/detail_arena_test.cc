#include "dataplane/lease/detail_arena.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace slipway::lease {
namespace {

LeaseDetail Detail(std::size_t id_bytes, std::size_t name_bytes, char fill = 'x') {
  LeaseDetail detail;
  EXPECT_TRUE(detail.client_id.Assign(AsBytes(std::string(id_bytes, fill))));
  EXPECT_TRUE(detail.hostname.Assign(std::string(name_bytes, fill)));
  return detail;
}

bool Same(const LeaseDetail& a, const LeaseDetail& b) {
  return a.client_id == b.client_id && a.hostname == b.hostname;
}

TEST(DetailArenaTest, ReadsWhatWasAssigned) {
  DetailArena arena(8);
  std::uint32_t handle = DetailArena::kNothing;
  for (std::size_t id = 0; id <= kClientIdBytesMax; id += 7) {
    for (std::size_t name = 0; name <= limits::kHostnameBytesMax; ++name) {
      const LeaseDetail detail = Detail(id, name);
      arena.Assign(handle, detail);
      ASSERT_TRUE(Same(arena.Read(handle), detail)) << id << " " << name;
      ASSERT_TRUE(arena.Equals(handle, detail));
    }
  }
  arena.Release(handle);
  EXPECT_EQ(arena.chunks_free(), 8U);
  EXPECT_EQ(arena.dropped(), 0U);
}

TEST(DetailArenaTest, TellsDetailsApart) {
  DetailArena arena(8);
  std::uint32_t handle = DetailArena::kNothing;
  EXPECT_TRUE(arena.Equals(handle, {}));
  EXPECT_FALSE(arena.Equals(handle, Detail(1, 0)));
  arena.Assign(handle, Detail(20, 40));
  EXPECT_FALSE(arena.Equals(handle, {}));
  EXPECT_FALSE(arena.Equals(handle, Detail(21, 40)));
  EXPECT_FALSE(arena.Equals(handle, Detail(20, 39)));
  EXPECT_FALSE(arena.Equals(handle, Detail(20, 40, 'y')));
}

TEST(DetailArenaTest, WhatFindsNoRoomIsCountedAndHarmsNobody) {
  DetailArena arena(3);
  std::uint32_t first = DetailArena::kNothing;
  std::uint32_t second = DetailArena::kNothing;
  arena.Assign(first, Detail(20, 30));
  arena.Assign(second, Detail(20, 30));
  EXPECT_EQ(arena.dropped(), 1U);
  EXPECT_TRUE(Same(arena.Read(first), Detail(20, 30)));
  EXPECT_TRUE(Same(arena.Read(second), {}));
  EXPECT_TRUE(arena.Equals(second, Detail(20, 30)));  // no reason to log it again and again
  arena.Release(first);
  arena.Assign(second, Detail(20, 30));
  EXPECT_TRUE(Same(arena.Read(second), Detail(20, 30)));
}

TEST(DetailArenaTest, GivesBackEveryChunk) {
  DetailArena arena(64);
  std::vector<std::uint32_t> handles(16, DetailArena::kNothing);
  for (std::size_t round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < handles.size(); ++i) {
      arena.Assign(handles[i], Detail((round * 5 + i) % 40, (round + i * 3) % 60));
    }
  }
  for (std::uint32_t& handle : handles) {
    arena.Release(handle);
  }
  EXPECT_EQ(arena.chunks_free(), 64U);
}

}  // namespace
}  // namespace slipway::lease
