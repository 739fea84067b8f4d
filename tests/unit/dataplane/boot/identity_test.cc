#include "dataplane/boot/identity.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::boot {
namespace {

using config::Uuid;

constexpr Uuid kUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
constexpr Uuid kOtherUuid = {9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
constexpr MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
constexpr MacAddress kOtherMac{{0x52, 0x54, 0, 0, 0, 2}};
constexpr MacAddress kUsbMac{{0x00, 0xE0, 0x4C, 0x68, 0x00, 0x01}};

Match Compare(const Uuid& a, std::vector<MacAddress> a_macs, const Uuid& b,
              std::vector<MacAddress> b_macs) {
  std::string_view reason;
  const Match match =
      MatchMachine({.uuid = a, .macs = a_macs}, {.uuid = b, .macs = b_macs}, reason);
  EXPECT_FALSE(reason.empty());
  return match;
}

TEST(IdentityTest, KnowsJunkUuids) {
  EXPECT_TRUE(IsJunkUuid({}));
  Uuid all_f;
  all_f.fill(0xFF);
  EXPECT_TRUE(IsJunkUuid(all_f));
  const Uuid ami = {3, 0, 2, 0, 4, 0, 5, 0, 0, 6, 0, 7, 0, 8, 0, 9};
  EXPECT_TRUE(IsJunkUuid(ami));
  EXPECT_TRUE(IsJunkUuid(SwapSmbiosOrder(ami)));
  EXPECT_FALSE(IsJunkUuid(kUuid));
}

TEST(IdentityTest, KnowsSharedMacs) {
  EXPECT_TRUE(IsSharedMac({}));
  EXPECT_TRUE(IsSharedMac(kBroadcastMac));
  EXPECT_TRUE(IsSharedMac(kUsbMac));
  EXPECT_FALSE(IsSharedMac(kMac));
}

TEST(IdentityTest, ComparesBothByteOrders) {
  EXPECT_TRUE(SameUuid(kUuid, SwapSmbiosOrder(kUuid)));
  EXPECT_EQ(SwapSmbiosOrder(SwapSmbiosOrder(kUuid)), kUuid);
  EXPECT_FALSE(SameUuid(kUuid, kOtherUuid));
  EXPECT_FALSE(SameUuid({}, {}));
}

TEST(IdentityTest, SameMacIsTheSameMachine) {
  EXPECT_EQ(Compare(kUuid, {kMac}, kUuid, {kOtherMac, kMac}), Match::kSame);
  EXPECT_EQ(Compare({}, {kMac}, kUuid, {kMac}), Match::kSame);
  EXPECT_EQ(Compare(SwapSmbiosOrder(kUuid), {kMac}, kUuid, {kMac}), Match::kSame);
}

TEST(IdentityTest, SameMacWithAnotherUuidIsAConflict) {
  EXPECT_EQ(Compare(kUuid, {kMac}, kOtherUuid, {kMac}), Match::kConflict);
}

TEST(IdentityTest, SharedMacsNeverMerge) {
  EXPECT_EQ(Compare(kUuid, {kUsbMac}, kOtherUuid, {kUsbMac}), Match::kNone);
  EXPECT_EQ(Compare({}, {kUsbMac}, {}, {kUsbMac}), Match::kNone);
}

TEST(IdentityTest, UuidWithOtherMacsIsAConflictAndNeverAMerge) {
  EXPECT_EQ(Compare(kUuid, {kMac}, kUuid, {kOtherMac}), Match::kConflict);
  EXPECT_EQ(Compare(kUuid, {kUsbMac}, kUuid, {kMac}), Match::kSame);
  EXPECT_EQ(Compare({}, {kMac}, {}, {kOtherMac}), Match::kNone);
}

}  // namespace
}  // namespace slipway::boot
