#include "dataplane/net/arp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace slipway::net {
namespace {

const MacAddress kRack{{0x52, 0x54, 0, 0, 0, 1}};
constexpr Ipv4Address kAddress{0x0A4D'0064};

// RFC 5227 2.1.1: sender address zero, target MAC zero, to everybody.
TEST(ArpTest, ProbeClaimsNoAddress) {
  std::array<std::byte, 64> out{};
  const auto size = BuildArpProbe(out, kRack, kAddress);
  ASSERT_TRUE(size);
  const std::vector<std::uint8_t> expected = {
      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x52, 0x54, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6,  4, 0,
      1,    0x52, 0x54, 0,    0,    0,    1,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 77, 0, 100};
  EXPECT_TRUE(std::ranges::equal(std::span(out).first(*size), std::as_bytes(std::span(expected))));
  EXPECT_FALSE(BuildArpProbe(std::span(out).first(kArpFrameBytes - 1), kRack, kAddress));
}

TEST(ArpTest, ReadsAReply) {
  std::array<std::byte, kArpFrameBytes> frame{};
  ASSERT_TRUE(BuildArpProbe(frame, kRack, kAddress));
  frame[21] = std::byte{2};
  frame[28] = std::byte{10};
  frame[31] = std::byte{9};
  const auto view = ParseArpFrame(frame);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->operation, ArpOperation::kReply);
  EXPECT_EQ(view->sender_mac, kRack);
  EXPECT_EQ(view->sender, Ipv4Address{0x0A00'0009});
  EXPECT_EQ(view->target, kAddress);
}

TEST(ArpTest, RefusesOtherHardwareProtocolsAndOperations) {
  std::array<std::byte, kArpFrameBytes> frame{};
  ASSERT_TRUE(BuildArpProbe(frame, kRack, kAddress));
  for (const std::size_t at : {12U, 15U, 16U, 18U, 19U, 21U}) {
    auto changed = frame;
    changed[at] = std::byte{9};
    EXPECT_EQ(ParseArpFrame(changed).error().code, ErrorCode::kUnsupported) << at;
  }
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_EQ(ParseArpFrame(std::span(frame).first(size)).error().code, ErrorCode::kTruncated);
  }
}

}  // namespace
}  // namespace slipway::net
