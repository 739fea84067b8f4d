// Ranges that are drained, revoked or removed while clients hold their addresses.
#include <gtest/gtest.h>

#include "dataplane/dhcp/engine.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using config::RangeState;
using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::Request;
using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
const MacAddress kOther{{0x52, 0x54, 0, 0, 0, 2}};
constexpr config::RecordId kSecondRange = 101;

bool IsFirst(Ipv4Address address) {
  return address >= test::kPoolFirst && address <= test::kPoolLast;
}

// The standard range in a state, and a second one that takes over.
config::SnapshotRef With(RangeState state) {
  BootLab lab;
  lab.range.state = state;
  config::RangeRecord second = lab.range;
  second.id = kSecondRange;
  second.first = V4("10.77.0.210");
  second.last = V4("10.77.0.219");
  second.state = RangeState::kActive;
  return lab.AddNetwork().AddImages().Put(second).Finish();
}

config::SnapshotRef WithoutFirst() {
  BootLab lab;
  lab.range.first = V4("10.77.0.210");
  lab.range.last = V4("10.77.0.219");
  return lab.AddNetwork().AddImages().Finish();
}

std::vector<std::byte> Selecting(Ipv4Address address) {
  return Request(MessageType::kRequest, kMac)
      .Address(Option::kRequestedAddress, address)
      .Address(Option::kServerIdentifier, kRack)
      .Build();
}

// As systemd-networkd sends it: without our identifier, but to our address.
TEST(ReleaseTest, NeedsNoIdentifierIfItIsSentToUs) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  const auto release = Request(MessageType::kRelease, kMac).Ciaddr(address).Build();
  EXPECT_EQ(lab.Handle(release), Reason::kNotHolder);  // broadcast: perhaps another server's
  lab.context.destination = kRack;
  EXPECT_EQ(lab.Handle(release), Reason::kNotHolder);  // from nowhere
  lab.context.source = address;
  EXPECT_EQ(lab.Handle(release), Reason::kReleased);
}

class LeavingTest : public testing::TestWithParam<RangeState> {};

TEST_P(LeavingTest, GivesNothingNew) {
  DhcpLab lab(With(GetParam()));
  for (std::uint8_t i = 1; i <= 9; ++i) {
    const Ipv4Address address = lab.Dora(MacAddress{{0x52, 0x54, 0, 0, 1, i}});
    EXPECT_FALSE(address.is_any());
    EXPECT_FALSE(IsFirst(address));
  }
}

// The offer was made before the change: no promise was.
TEST_P(LeavingTest, DoesNotHonourAnOfferOfBefore) {
  DhcpLab lab;
  ASSERT_EQ(lab.Handle(Request(MessageType::kDiscover, kMac).Build()), Reason::kOffered);
  const Ipv4Address offered = lab.Reply().yiaddr;
  lab.Use(With(GetParam()));
  EXPECT_EQ(lab.Handle(Selecting(offered)), Reason::kNaked);
  EXPECT_FALSE(IsFirst(lab.Dora(kMac)));
}

TEST_P(LeavingTest, AClientThatStartsAnewMoves) {
  DhcpLab lab;
  ASSERT_TRUE(IsFirst(lab.Dora(kMac)));
  lab.Use(With(GetParam()));
  const Ipv4Address moved = lab.Dora(kMac);
  EXPECT_FALSE(moved.is_any());
  EXPECT_FALSE(IsFirst(moved));
}

INSTANTIATE_TEST_SUITE_P(States, LeavingTest,
                         testing::Values(RangeState::kDraining, RangeState::kRevoked));

// What was promised is kept to its end and no longer; then the client is told to move.
void ExpectRunsOut(config::SnapshotRef after) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  lab.Use(std::move(after));
  lab.Pass(Duration::Seconds(300));
  ASSERT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.Reply().GetNumber(Option::kLeaseTime), 300U);
  lab.Pass(Duration::Seconds(150));
  ASSERT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.Reply().GetNumber(Option::kLeaseTime), 150U);
  lab.Pass(Duration::Seconds(130));
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kNaked);
  EXPECT_FALSE(lab.effects.record.empty());  // the end is on record
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kReleased);
  EXPECT_FALSE(IsFirst(lab.Dora(kMac)));
}

TEST(LiveChangeTest, LeasesOfADrainedRangeRunOut) { ExpectRunsOut(With(RangeState::kDraining)); }

TEST(LiveChangeTest, LeasesOfARemovedRangeRunOut) { ExpectRunsOut(WithoutFirst()); }

TEST(LiveChangeTest, LeasesOfARevokedRangeEndWhenTheirClientsAsk) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  lab.Use(With(RangeState::kRevoked));
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kBound);  // still promised
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kNaked);
  EXPECT_FALSE(lab.effects.record.empty());
  EXPECT_EQ(lab.effects.ticket.address, address);
  EXPECT_EQ(lab.table.ByAddress(address)->state, lease::State::kReleased);
}

TEST(LiveChangeTest, ARangeMayComeBack) {
  DhcpLab lab;
  const Ipv4Address address = lab.Dora(kMac);
  lab.Use(With(RangeState::kDraining));
  lab.Pass(Duration::Seconds(300));
  ASSERT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  lab.Use(With(RangeState::kActive));
  EXPECT_EQ(lab.Renew(kMac, address), Reason::kAckedFromMemory);
  EXPECT_EQ(lab.Reply().GetNumber(Option::kLeaseTime), 600U);
  EXPECT_EQ(lab.table.CountsOf(test::kSubnet).bound, 1U);
  lab.table.CheckInvariants();
}

TEST(LiveChangeTest, AReservationInARevokedRangeStays) {
  BootLab boot;
  boot.range.state = RangeState::kRevoked;
  boot.AddNetwork().AddImages().AddMachine(5, "52:54:00:00:00:01", config::BootTarget::kLocal,
                                           "10.77.0.150");
  DhcpLab lab(boot.Finish());
  EXPECT_EQ(lab.Dora(kMac), V4("10.77.0.150"));
  EXPECT_EQ(lab.Renew(kMac, V4("10.77.0.150")), Reason::kAckedFromMemory);
  EXPECT_TRUE(lab.Dora(kOther).is_any());
}

}  // namespace
}  // namespace slipway::dhcp
