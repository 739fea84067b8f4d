#include "dataplane/dhcp/conflict_probes.h"

#include <gtest/gtest.h>

#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using test::DhcpLab;
using test::kRack;
using test::Request;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
const MacAddress kSquatter{{0x52, 0x54, 0, 0, 0, 9}};
constexpr Ipv4Address kAddress{0x0A4D'0064};
constexpr std::uint32_t kIfindex = 2;
constexpr Instant kStart{1'000'000'000'000};

TEST(ConflictProbesTest, AnAnswerCountsOnceAndOnItsInterface) {
  ConflictProbes probes;
  EXPECT_TRUE(probes.Answered(kAddress, kSquatter, kIfindex, kStart).is_zero());
  ASSERT_TRUE(probes.Begin(kAddress, kMac, kIfindex, kStart));
  EXPECT_TRUE(probes.Answered(kAddress, kSquatter, kIfindex + 1, kStart).is_zero());
  EXPECT_TRUE(
      probes.Answered(Ipv4Address{kAddress.value + 1}, kSquatter, kIfindex, kStart).is_zero());
  EXPECT_TRUE(probes.Answered(kAddress, kMac, kIfindex, kStart).is_zero());
  EXPECT_EQ(probes.Answered(kAddress, kSquatter, kIfindex, kStart), kMac);
  EXPECT_TRUE(probes.Answered(kAddress, kSquatter, kIfindex, kStart).is_zero());
}

TEST(ConflictProbesTest, AnAnswerMayBeTooLate) {
  ConflictProbes probes;
  ASSERT_TRUE(probes.Begin(kAddress, kMac, kIfindex, kStart));
  EXPECT_TRUE(probes.Answered(kAddress, kSquatter, kIfindex, kStart + kProbeLife).is_zero());
}

TEST(ConflictProbesTest, AsksOnceAndWithinItsBudget) {
  ConflictProbes probes;
  ASSERT_TRUE(probes.Begin(kAddress, kMac, kIfindex, kStart));
  EXPECT_FALSE(probes.Begin(kAddress, kMac, kIfindex, kStart));
  std::uint32_t asked = 1;
  for (std::uint32_t i = 1; i < 4 * kProbesPerSecondMax; ++i) {
    asked += probes.Begin(Ipv4Address{kAddress.value + i}, kMac, kIfindex, kStart) ? 1U : 0U;
  }
  EXPECT_EQ(asked, kProbesPerSecondMax);
  EXPECT_TRUE(probes.Begin(Ipv4Address{1}, kMac, kIfindex, kStart + Duration::Seconds(1)));
}

std::vector<std::byte> Selecting(Ipv4Address address) {
  return Request(MessageType::kRequest, kMac)
      .Address(Option::kRequestedAddress, address)
      .Address(Option::kServerIdentifier, kRack)
      .Build();
}

// The offer leaves at once; the answer takes it back, and the client gets another address.
TEST(ConflictProbesTest, AConflictQuarantinesTheOffer) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  const Ipv4Address offered = lab.Reply().yiaddr;
  ASSERT_EQ(lab.effects.probe, offered);
  ASSERT_TRUE(lab.engine.OnArpReply(offered, kSquatter, lab.context.ifindex, lab.now, lab.effects));
  EXPECT_FALSE(lab.effects.record.empty());
  EXPECT_EQ(lab.effects.ticket.address, offered);
  EXPECT_EQ(lab.effects.reply.delivery, Delivery::kNone);
  EXPECT_EQ(lab.table.ByAddress(offered)->state, lease::State::kDeclined);
  EXPECT_EQ(lab.Handle(Selecting(offered)), Reason::kNaked);
  const Ipv4Address next = lab.Dora(kMac);
  EXPECT_FALSE(next.is_any());
  EXPECT_NE(next, offered);
  lab.Pass(lease::kQuarantine + Duration::Seconds(1));
  while (lab.engine.ExpireOne(lab.now, lab.effects)) {
  }
  const lease::Lease* after = lab.table.ByAddress(offered);
  EXPECT_TRUE(after == nullptr || after->state != lease::State::kDeclined);
  lab.table.CheckInvariants();
}

TEST(ConflictProbesTest, WhatNobodyAskedChangesNothing) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  EXPECT_FALSE(lab.engine.OnArpReply({address.value + 1}, kSquatter, lab.context.ifindex, lab.now,
                                     lab.effects));
  lab.Pass(Duration::Seconds(5));
  EXPECT_FALSE(
      lab.engine.OnArpReply(address, kSquatter, lab.context.ifindex, lab.now, lab.effects));
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kBound);
  EXPECT_EQ(lab.engine.counters().conflicts.value(), 0U);
}

// The ACK has left: the lease stands, and the client's own check will say DECLINE.
TEST(ConflictProbesTest, ABoundLeaseStands) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  EXPECT_FALSE(
      lab.engine.OnArpReply(address, kSquatter, lab.context.ifindex, lab.now, lab.effects));
  EXPECT_EQ(lab.engine.counters().conflicts_late.value(), 1U);
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kBound);
}

TEST(ConflictProbesTest, AClientsOwnAddressAndRelayedOffersAreNotAskedFor) {
  DhcpLab lab;
  ASSERT_FALSE(lab.Dora(kMac).is_any());
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  EXPECT_TRUE(lab.effects.probe.is_any());
  const MacAddress other{{0x52, 0x54, 0, 0, 0, 2}};
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, other).Giaddr(test::kRelay).Build()),
            Reason::kOffered);
  EXPECT_TRUE(lab.effects.probe.is_any());
}

// A squatter that answers for every address takes a tenth of the pool and no more.
TEST(ConflictProbesTest, AFloodOfAnswersNeverEmptiesThePool) {
  DhcpLab lab;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const MacAddress mac = MacAddress::FromU64(0x5254'0000'0100 + std::uint64_t{i});
    ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, mac).Build()), Reason::kOffered);
    if (!lab.effects.probe.is_any()) {
      (void)lab.engine.OnArpReply(lab.effects.probe, kSquatter, lab.context.ifindex, lab.now,
                                  lab.effects);
    }
  }
  EXPECT_EQ(lab.table.CountsOf(test::kSubnet).declined, 10U);
  EXPECT_EQ(lab.engine.counters().conflicts_late.value(), 30U);
  lab.table.CheckInvariants();
}

}  // namespace
}  // namespace slipway::dhcp
