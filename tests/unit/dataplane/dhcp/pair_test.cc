// What an engine asks of the rules of a pair: whether to answer, for how long to promise, and when
// to say no (docs/adr/0009-pair-of-racks.md).
#include <gtest/gtest.h>

#include <memory>

#include "dataplane/dhcp/trace.h"
#include "tests/support/dhcp6_lab.h"
#include "tests/support/dhcp_lab.h"

namespace slipway::dhcp {
namespace {

using lease::PairState;
using test::DhcpLab;
using test::Request;

constexpr Duration kMclt = Duration::Seconds(60);

class PairTest : public testing::Test {
 protected:
  PairTest() {
    rules_.SetPair(0, kMclt);
    lab_.table.SetPair(&rules_, 100);
  }

  void Become(PairState state) {
    rules_.SetState(state, lab_.now.instant);
    rules_.SetPartnerServes(state == PairState::kNormal);
  }

  // One whose hash names the rack of `side`.
  [[nodiscard]] MacAddress ClientOf(unsigned side) {
    for (std::uint64_t i = 1;; ++i) {
      const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + i);
      if (rules_.WouldAnswer(lease::ClientKey::FromMac(mac), nullptr, lab_.now.instant) ==
          (side == 0)) {
        return mac;
      }
    }
  }

  [[nodiscard]] Reason Discover(MacAddress mac) {
    return lab_.Handle(Request(MessageType::kDiscover, mac).Build());
  }

  [[nodiscard]] Reason Reboot(MacAddress mac, Ipv4Address address) {
    return lab_.Handle(
        Request(MessageType::kRequest, mac).Address(Option::kRequestedAddress, address).Build());
  }

  [[nodiscard]] std::uint32_t LeaseSeconds() {
    const ByteSpan value = lab_.Reply().Get(Option::kLeaseTime);
    return value.size() == 4 ? LoadBig<std::uint32_t>(value.data()) : 0;
  }

  lease::PairRules rules_{DhcpLab::SmallTable().leases_max};
  DhcpLab lab_{test::BootLab().AddNetwork().AddRelayedNetwork().AddImages().AddPair(0).Finish(),
               DhcpLab::SmallTable(), &rules_};
};

TEST_F(PairTest, RecoveringRackAnswersNobody) {
  Become(PairState::kNormal);
  const MacAddress mac = ClientOf(0);
  const Ipv4Address address = lab_.Dora(mac);
  Become(PairState::kRecover);
  EXPECT_EQ(Discover(mac), Reason::kPairRecovering);
  EXPECT_EQ(lab_.Renew(mac, address), Reason::kPairRecovering);
  EXPECT_EQ(lab_.Handle(Request(MessageType::kRelease, mac)
                            .Ciaddr(address)
                            .Address(Option::kServerIdentifier, test::kRack)
                            .Build()),
            Reason::kPairRecovering);
  EXPECT_EQ(lab_.effects.reply.delivery, Delivery::kNone);
}

TEST_F(PairTest, OneRackAnswersABroadcastAndTheOtherOneWhoAsksAgain) {
  Become(PairState::kNormal);
  EXPECT_EQ(Discover(ClientOf(0)), Reason::kOffered);
  const MacAddress others = ClientOf(1);
  EXPECT_EQ(Discover(others), Reason::kPartnersTurn);
  lab_.Pass(Duration::Seconds(2));
  EXPECT_EQ(Discover(others), Reason::kPartnersTurn);
  lab_.Pass(Duration::Seconds(1));
  EXPECT_EQ(Discover(others), Reason::kOffered);
  // From the own share, whoever asks.
  EXPECT_EQ(lab_.Reply().yiaddr.value & 1, 0U);
}

TEST_F(PairTest, RelayedClientsOfASharedVlanAreDividedToo) {
  Become(PairState::kNormal);
  const MacAddress others = ClientOf(1);
  EXPECT_EQ(
      lab_.Handle(Request(MessageType::kDiscover, others).Giaddr(test::V4("10.77.0.9")).Build()),
      Reason::kPartnersTurn);
}

TEST_F(PairTest, VlanThatThisRackServesAloneIsAnsweredAtOnce) {
  Become(PairState::kNormal);
  EXPECT_EQ(lab_.Handle(Request(MessageType::kDiscover, ClientOf(1)).Giaddr(test::kRelay).Build()),
            Reason::kOffered);
  EXPECT_EQ(lab_.Reply().yiaddr.value & 1, 0U);
}

TEST_F(PairTest, UnicastRenewalIsAnsweredByWhoIsAsked) {
  Become(PairState::kInterrupted);
  const MacAddress mac = ClientOf(0);
  const Ipv4Address address = lab_.Dora(mac);
  ASSERT_FALSE(address.is_any());
  Become(PairState::kNormal);
  EXPECT_EQ(lab_.Renew(mac, address), Reason::kAcked);  // Logged: the partner is to know it.
  EXPECT_TRUE(lab_.effects.reply.wait_durable);
}

TEST_F(PairTest, AloneNoMoreThanMcltIsPromised) {
  Become(PairState::kInterrupted);
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0001);
  ASSERT_EQ(Discover(mac), Reason::kOffered);
  EXPECT_EQ(LeaseSeconds(), 60U);
  const Ipv4Address address = lab_.Dora(mac);
  EXPECT_EQ(LeaseSeconds(), 60U);
  EXPECT_EQ(lab_.table.ByAddress(address)->lease, kMclt);
}

TEST_F(PairTest, NoToAnAddressOfThePartnersShareIsThePartners) {
  Become(PairState::kInterrupted);
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0001);
  ASSERT_FALSE(lab_.Dora(mac).is_any());
  EXPECT_EQ(Reboot(mac, test::V4("10.77.0.151")), Reason::kPartnersToSay);
  EXPECT_EQ(Reboot(mac, test::V4("10.77.0.152")), Reason::kNaked);
  // One link's addresses are of no use on another, whoever gave them.
  EXPECT_EQ(Reboot(mac, test::V4("10.88.0.151")), Reason::kNaked);
}

TEST_F(PairTest, AddressOfThePartnersShareIsNotTakenBackAlone) {
  Become(PairState::kInterrupted);
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0001);
  const Ipv4Address address = lab_.Dora(mac);
  ASSERT_FALSE(address.is_any());
  rules_.SetPair(1, kMclt);  // Now it is the other one's share.
  lab_.Use(
      test::BootLab()
          .AddNetwork()
          .AddMachine(50, "02:00:00:00:00:99", config::BootTarget::kLocal, ToText(address).view())
          .AddPair(1)
          .Finish());
  EXPECT_EQ(lab_.Renew(mac, address), Reason::kPartnersToSay);
  EXPECT_EQ(lab_.table.ByAddress(address)->state, lease::State::kBound);
  Become(PairState::kNormal);
  EXPECT_EQ(lab_.Renew(mac, address), Reason::kNaked);
}

TEST_F(PairTest, PartnersOfferIsNoForeignServer) {
  Become(PairState::kNormal);
  auto offer = Request(MessageType::kOffer, MacAddress::FromU64(0x0200'0000'0001))
                   .Address(Option::kServerIdentifier, test::V4("10.77.0.2"))
                   .Build();
  offer[0] = std::byte{2};
  EXPECT_EQ(lab_.Handle(offer), Reason::kPartnersTurn);
  auto other = Request(MessageType::kOffer, MacAddress::FromU64(0x0200'0000'0001))
                   .Address(Option::kServerIdentifier, test::V4("10.77.0.3"))
                   .Build();
  other[0] = std::byte{2};
  EXPECT_EQ(lab_.Handle(other), Reason::kForeignServer);
}

TEST_F(PairTest, ExplainSaysWhoseTurnItIsAndRemembersNothing) {
  Become(PairState::kNormal);
  const MacAddress others = ClientOf(1);
  const auto packet = Request(MessageType::kDiscover, others).Build();
  auto trace = std::make_unique<DecisionTrace>();
  for (int i = 0; i < 2; ++i) {
    lab_.engine.Explain(packet, lab_.context, *lab_.snapshot, lab_.now, lab_.out, lab_.effects,
                        *trace);
    EXPECT_EQ(lab_.effects.reason, Reason::kPartnersTurn);
    lab_.Pass(Duration::Seconds(3));
  }
}

class Pair6Test : public testing::Test {
 protected:
  Pair6Test() {
    rules_.SetPair(0, kMclt);
    lab_.table.SetPair(&rules_, 100);
  }

  void Become(PairState state) {
    rules_.SetState(state, lab_.now.instant);
    rules_.SetPartnerServes(state == PairState::kNormal);
  }

  [[nodiscard]] Reason6 Solicit(std::uint8_t client) {
    return lab_.Handle(
        test::Request6(MessageType6::kSolicit).Client(test::DuidEn(client)).IaNa().Build());
  }

  lease::PairRules rules_{test::Dhcp6Lab::SmallTable().leases_max};
  test::Dhcp6Lab lab_{test::BootLab().AddNetwork().AddNetwork6().AddImages().AddPair(0).Finish(),
                      test::Dhcp6Lab::SmallTable(), &rules_};
};

TEST_F(Pair6Test, SolicitIsAnsweredByOneRackAndLaterByTheOther) {
  Become(PairState::kNormal);
  int ours = 0;
  int partners = 0;
  for (std::uint8_t client = 1; client <= 20; ++client) {
    const Reason6 reason = Solicit(client);
    ours += reason == Reason6::kAdvertised ? 1 : 0;
    partners += reason == Reason6::kPartnersTurn ? 1 : 0;
  }
  EXPECT_EQ(ours + partners, 20);
  EXPECT_GT(ours, 3);
  EXPECT_GT(partners, 3);
  lab_.now.instant = lab_.now.instant + Duration::Seconds(3);
  for (std::uint8_t client = 1; client <= 20; ++client) {
    EXPECT_EQ(Solicit(client), Reason6::kAdvertised);
  }
}

TEST_F(Pair6Test, RecoveringRackAnswersNobody) {
  Become(PairState::kRecover);
  EXPECT_EQ(Solicit(1), Reason6::kPairRecovering);
}

TEST_F(Pair6Test, RebindOfAnAddressThatOnlyThePartnerCanKnowIsMetWithSilence) {
  Become(PairState::kInterrupted);
  EXPECT_EQ(lab_.Handle(test::Request6(MessageType6::kRebind)
                            .Client(test::DuidEn(1))
                            .IaNa(1, {test::V6("2001:db8:77::1:11")})
                            .Build()),
            Reason6::kPartnersToSay);
}

}  // namespace
}  // namespace slipway::dhcp
