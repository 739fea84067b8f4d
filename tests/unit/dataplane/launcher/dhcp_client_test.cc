#include "dataplane/launcher/dhcp_client.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace slipway::launcher {
namespace {

constexpr MacAddress kMac{{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
constexpr std::uint32_t kXid = 0x1234'5678;
constexpr Ipv4Address kAddress{0x0A4D0064};
constexpr Ipv4Address kServer{0x0A4D0001};

std::vector<std::byte> Reply(std::uint8_t type, std::uint32_t xid, std::uint32_t lease_seconds) {
  std::array<std::byte, 400> buffer{};
  WireWriter writer(buffer);
  for (const std::uint8_t octet : std::array<std::uint8_t, 4>{2, 1, 6, 0}) {
    writer.U8(octet);
  }
  writer.U32(xid);
  writer.Fill(8);
  writer.U32(kAddress.value);
  writer.Fill(8);
  writer.Bytes(std::as_bytes(std::span(kMac.octets)));
  writer.Fill(202);
  writer.U32(0x63825363);
  for (const std::uint8_t octet : std::array<std::uint8_t, 2>{53, 1}) {
    writer.U8(octet);
  }
  writer.U8(type);
  for (const auto& [option, value] : std::initializer_list<std::pair<std::uint8_t, std::uint32_t>>{
           {54, kServer.value}, {1, 0xFFFF'FF00}, {3, kServer.value}, {51, lease_seconds}}) {
    writer.U8(option);
    writer.U8(4);
    writer.U32(value);
  }
  writer.U8(255);
  EXPECT_TRUE(writer.ok());
  return {writer.written().begin(), writer.written().end()};
}

class DhcpClientTest : public ::testing::Test {
 protected:
  // Discover, offer, request, ack at time 0.
  void Bind(std::uint32_t lease_seconds) {
    ASSERT_GE(client_.OnTimer(0, out_), 300U);
    ASSERT_GE(client_.OnPacket(Reply(2, kXid, lease_seconds), 0, out_).value(), 300U);
    ASSERT_EQ(client_.OnPacket(Reply(5, kXid, lease_seconds), 0, out_).value(), 0U);
    ASSERT_EQ(client_.state(), DhcpClient::State::kBound);
  }

  // Option 53 comes first.
  std::uint8_t SentType() const { return std::to_integer<std::uint8_t>(out_[242]); }

  DhcpClient client_{kMac, kXid, 0};
  std::array<std::byte, 576> out_{};
};

TEST_F(DhcpClientTest, GetsAnAddressInFourPackets) {
  Bind(600);
  EXPECT_EQ(client_.binding().address, kAddress);
  EXPECT_EQ(client_.binding().router, kServer);
  EXPECT_EQ(client_.binding().prefix_bits, 24);
  EXPECT_EQ(client_.deadline_ms(), 300'000);
}

TEST_F(DhcpClientTest, DiscoverAsksForABroadcastReply) {
  ASSERT_GE(client_.OnTimer(0, out_), 300U);
  EXPECT_EQ(SentType(), 1);
  EXPECT_EQ(std::to_integer<int>(out_[10]), 0x80);
  EXPECT_TRUE(client_.destination().is_broadcast());
}

TEST_F(DhcpClientTest, RenewsWithTheServerThenWithAnybodyThenStartsAgain) {
  Bind(600);
  ASSERT_GE(client_.OnTimer(300'000, out_), 300U);
  EXPECT_EQ(client_.state(), DhcpClient::State::kRenewing);
  EXPECT_EQ(client_.destination(), kServer);
  ASSERT_GE(client_.OnTimer(525'000, out_), 300U);
  EXPECT_EQ(client_.state(), DhcpClient::State::kRebinding);
  EXPECT_TRUE(client_.destination().is_broadcast());
  ASSERT_GE(client_.OnTimer(600'000, out_), 300U);
  EXPECT_EQ(client_.state(), DhcpClient::State::kSelecting);
  EXPECT_EQ(SentType(), 1);
}

TEST_F(DhcpClientTest, RenewalIsAcknowledged) {
  Bind(600);
  ASSERT_GE(client_.OnTimer(300'000, out_), 300U);
  ASSERT_TRUE(client_.OnPacket(Reply(5, kXid + 1, 600), 300'010, out_).has_value());
  EXPECT_EQ(client_.state(), DhcpClient::State::kBound);
  EXPECT_EQ(client_.binding().expires_at_ms, 900'010);
}

TEST_F(DhcpClientTest, NakStartsAgainButNotAtOnce) {
  ASSERT_GE(client_.OnTimer(0, out_), 300U);
  ASSERT_TRUE(client_.OnPacket(Reply(2, kXid, 600), 0, out_).has_value());
  ASSERT_TRUE(client_.OnPacket(Reply(6, kXid, 600), 5, out_).has_value());
  EXPECT_EQ(client_.state(), DhcpClient::State::kSelecting);
  EXPECT_EQ(client_.OnTimer(6, out_), 0U);
  EXPECT_GE(client_.OnTimer(1'005, out_), 300U);
}

TEST_F(DhcpClientTest, UnansweredRequestGoesBackToDiscover) {
  ASSERT_GE(client_.OnTimer(0, out_), 300U);
  ASSERT_TRUE(client_.OnPacket(Reply(2, kXid, 600), 0, out_).has_value());
  for (int i = 0; i < 8 && client_.state() == DhcpClient::State::kRequesting; ++i) {
    (void)client_.OnTimer(client_.deadline_ms(), out_);
  }
  EXPECT_EQ(client_.state(), DhcpClient::State::kSelecting);
}

TEST_F(DhcpClientTest, ForeignAndBrokenPacketsChangeNothing) {
  ASSERT_GE(client_.OnTimer(0, out_), 300U);
  EXPECT_EQ(client_.OnPacket(Reply(2, kXid + 7, 600), 0, out_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(client_.OnPacket(Reply(5, kXid, 600), 0, out_).error().code, ErrorCode::kUnsupported);
  const std::vector<std::byte> offer = Reply(2, kXid, 600);
  for (std::size_t size = 0; size < 240; ++size) {
    EXPECT_FALSE(client_.OnPacket(ByteSpan(offer).first(size), 0, out_).has_value());
  }
  EXPECT_EQ(client_.state(), DhcpClient::State::kSelecting);
}

}  // namespace
}  // namespace slipway::launcher
