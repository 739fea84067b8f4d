#include "dataplane/dhcp/client.h"

#include <gtest/gtest.h>

#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::DhcpLab;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

TEST(ClientTest, GetsALeaseFromOurServer) {
  DhcpLab lab;
  std::array<std::byte, 600> packet{};
  ClientRequest request{.xid = 99, .mac = kMac, .hostname = "node-1"};
  std::size_t size = EncodeRequest(packet, request).value_or(0);
  ASSERT_EQ(lab.Handle({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)}),
            Reason::kOffered);
  const Result<ClientLease> offer = DecodeReply(lab.ReplyBytes(), 99, kMac);
  ASSERT_TRUE(offer.has_value());
  EXPECT_EQ(offer->type, MessageType::kOffer);
  request.type = MessageType::kRequest;
  request.requested = offer->address;
  request.server = offer->server;
  size = EncodeRequest(packet, request).value_or(0);
  ASSERT_EQ(lab.Handle({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)}),
            Reason::kAcked);
  const Result<ClientLease> lease = DecodeReply(lab.ReplyBytes(), 99, kMac);
  ASSERT_TRUE(lease.has_value());
  EXPECT_EQ(lease->type, MessageType::kAck);
  EXPECT_EQ(lease->address, offer->address);
  EXPECT_EQ(lease->prefix_bits, 24);
  EXPECT_EQ(lease->router, test::kRack);
  ASSERT_EQ(lease->dns_servers.size(), 1U);
  ASSERT_EQ(lease->ntp_servers.size(), 1U);
  EXPECT_EQ(lease->domain.view(), "rack.test");
  EXPECT_EQ(lease->lease_seconds, 600U);
  EXPECT_LE(lease->renewal_seconds, 300U);
  EXPECT_GE(lease->renewal_seconds, 270U);
  EXPECT_EQ(lease->rebinding_seconds, 525U);
}

TEST(ClientTest, IgnoresRepliesToOthers) {
  DhcpLab lab;
  lab.Handle(test::Request(MessageType::kDiscover, kMac, 5).Build());
  EXPECT_TRUE(DecodeReply(lab.ReplyBytes(), 5, kMac).has_value());
  EXPECT_EQ(DecodeReply(lab.ReplyBytes(), 6, kMac).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(DecodeReply(lab.ReplyBytes(), 5, MacAddress{{2, 0, 0, 0, 0, 9}}).error().code,
            ErrorCode::kNotFound);
  const auto own = test::Request(MessageType::kDiscover, kMac, 5).Build();
  EXPECT_EQ(DecodeReply(own, 5, kMac).error().code, ErrorCode::kNotFound);
}

TEST(ClientTest, RefusesARaggedMask) {
  DhcpLab lab;
  lab.Handle(test::Request(MessageType::kDiscover, kMac, 5).Build());
  const std::array<std::byte, 6> mask = {std::byte{1},   std::byte{4},   std::byte{255},
                                         std::byte{255}, std::byte{255}, std::byte{0}};
  const auto found = std::search(lab.out.begin(), lab.out.end(), mask.begin(), mask.end());
  ASSERT_NE(found, lab.out.end());
  *(found + 5) = std::byte{0x0F};
  EXPECT_EQ(DecodeReply(lab.ReplyBytes(), 5, kMac).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace slipway::dhcp
