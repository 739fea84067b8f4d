#include "dataplane/service/ra_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/dhcp6_lab.h"
#include "tests/support/dhcp_service_lab.h"

namespace slipway::service {
namespace {

const MacAddress kRackMac{{0x52, 0x54, 0, 0, 0, 1}};
const MacAddress kHostMac{{0x52, 0x54, 0, 0, 0, 2}};

ServedLink Link() {
  ServedLink link{.ifindex = test::kServiceIfindex,
                  .name = {},
                  .mac = kRackMac,
                  .vlan = test::kVlan,
                  .addresses = {}};
  (void)link.addresses.push_back({.address = test::kRackLinkLocal, .bits = 64});
  return link;
}

config::SnapshotRef SnapshotWith(config::RouterAdvertisement mode) {
  test::BootLab lab;
  lab.vlan.router_advertisement = mode;
  return test::Dhcp6Lab::AddNetworks(lab).Finish();
}

class KeptSteps final : public BootStepSink {
 public:
  void Record(const BootStep& step, Instant /*now*/) override { names.emplace_back(step.name); }

  std::vector<std::string> names;
};

class KeptNeighbours final : public NeighbourSink {
 public:
  struct Told {
    Ipv6Address address;
    MacAddress by;
    std::uint32_t ifindex;
  };

  void OnNeighbour(const Ipv6Address& address, MacAddress by, std::uint32_t ifindex,
                   Instant /*now*/) override {
    told.push_back({address, by, ifindex});
  }

  std::vector<Told> told;
};

class RaServiceTest : public testing::Test {
 protected:
  // Serves a link whose VLAN wants this.
  void Serve(config::RouterAdvertisement mode) {
    around_ = std::make_unique<test::DhcpServiceLab>(SnapshotWith(mode), &table_, Link());
    ra_ = std::make_unique<RaService>(*around_->driver, 1, *around_->view, steps_, neighbours_, 7);
    ASSERT_TRUE(ra_->Start(around_->shard->timers(), around_->driver->now).has_value());
  }

  void Pass(Duration time) { around_->driver->now = around_->driver->now + time; }

  // Seconds until something is sent, at most `most`; -1: nothing was.
  int SecondsUntilSent(int most) {
    const std::size_t before = around_->driver->sent.size();
    for (int second = 1; second <= most; ++second) {
      Pass(Duration::Seconds(1));
      EXPECT_TRUE(around_->shard->RunTurn().has_value());
      if (around_->driver->sent.size() > before) {
        return second;
      }
    }
    return -1;
  }

  void Receive(std::vector<std::byte> message, const Ipv6Address& source) {
    shard::Packet packet;
    packet.data = message;
    packet.ifindex = test::kServiceIfindex;
    packet.source = source;
    packet.destination = net::kAllRouters;
    ra_->OnPackets(3, std::span(&packet, 1), around_->driver->now);
  }

  void Solicit(bool with_mac) {
    auto message = test::Bytes({133, 0, 0, 0, 0, 0, 0, 0});
    if (with_mac) {
      for (const int octet : {1, 1, 0x52, 0x54, 0, 0, 0, 2}) {
        message.push_back(static_cast<std::byte>(octet));
      }
    }
    Receive(message, test::LinkLocalOf(kHostMac));
  }

  [[nodiscard]] net::RouterAdvertisement Sent(std::size_t index) const {
    const ByteSpan frame = around_->driver->sent.at(index).bytes;
    return *net::ParseRouterAdvertisement(frame.subspan(14 + net::kIpv6HeaderBytes), 255);
  }

  lease::LeaseTable table_{test::Dhcp6Lab::SmallTable()};
  std::unique_ptr<test::DhcpServiceLab> around_;
  KeptSteps steps_;
  KeptNeighbours neighbours_;
  std::unique_ptr<RaService> ra_;
};

// RFC 4861 6.2.4 and 10: three soon after the start, then each 200 to 600 s.
TEST_F(RaServiceTest, FullAdvertisementsAreSentUnasked) {
  Serve(config::RouterAdvertisement::kFull);
  EXPECT_LE(SecondsUntilSent(3), 2);
  for (int i = 0; i < kFirstAdvertisements; ++i) {
    const int pause = SecondsUntilSent(30);
    EXPECT_GE(pause, 15);
    EXPECT_LE(pause, 17);
  }
  for (int i = 0; i < 5; ++i) {
    const int pause = SecondsUntilSent(700);
    EXPECT_GE(pause, 199);
    EXPECT_LE(pause, 601);
  }
  EXPECT_EQ(ra_->counters().unsolicited.value(), around_->driver->sent.size());
  EXPECT_TRUE(Sent(0).has_prefix);
  EXPECT_TRUE(Sent(0).managed);
  EXPECT_EQ(Sent(0).router_lifetime_s, 0);
}

TEST_F(RaServiceTest, NoRouterHereIsOnlyAnAnswer) {
  Serve(config::RouterAdvertisement::kNoRouterHere);
  EXPECT_EQ(SecondsUntilSent(700), -1);
  Solicit(true);
  ASSERT_EQ(around_->driver->sent.size(), 1U);
  EXPECT_FALSE(Sent(0).has_prefix);
  EXPECT_FALSE(Sent(0).managed);
  EXPECT_EQ(steps_.names, std::vector<std::string>{"no router here"});
}

TEST_F(RaServiceTest, OffIsSilent) {
  Serve(config::RouterAdvertisement::kOff);
  Solicit(true);
  EXPECT_EQ(SecondsUntilSent(700), -1);
  EXPECT_EQ(ra_->counters().silent_by_policy.value(), 1U);
}

// RFC 4861 6.2.6: those to all are at least 3 s apart.
TEST_F(RaServiceTest, AnswersToAllArePaced) {
  Serve(config::RouterAdvertisement::kFull);
  ASSERT_LE(SecondsUntilSent(3), 2);
  Solicit(false);
  EXPECT_EQ(ra_->counters().silent_paced.value(), 1U);
  Pass(Duration::Seconds(4));
  Solicit(false);
  EXPECT_EQ(ra_->counters().advertised.value(), 1U);
  Solicit(true);  // to one alone: at once
  EXPECT_EQ(ra_->counters().advertised.value(), 2U);
}

TEST_F(RaServiceTest, ARealRouterSilencesNoRouterHere) {
  Serve(config::RouterAdvertisement::kNoRouterHere);
  Receive(test::Bytes({134, 0, 0, 0, 64, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0}), test::V6("fe80::99"));
  Solicit(true);
  EXPECT_EQ(ra_->counters().silent_router_seen.value(), 1U);
  Pass(Duration::Seconds(101));
  Solicit(true);
  EXPECT_EQ(ra_->counters().advertised.value(), 1U);
}

TEST_F(RaServiceTest, NeighboursThatAnswerArePassedOn) {
  Serve(config::RouterAdvertisement::kOff);
  auto message = test::Bytes({136, 0, 0, 0, 0x60, 0, 0, 0, 0x20, 1, 0x0D, 0xB8, 0, 0x77, 0, 0,
                              0,   0, 0, 0, 0,    0, 0, 5, 2,    1, 0x52, 0x54, 0, 0,    0, 9});
  Receive(message, test::V6("2001:db8:77::5"));
  ASSERT_EQ(neighbours_.told.size(), 1U);
  EXPECT_EQ(neighbours_.told[0].address, test::V6("2001:db8:77::5"));
  EXPECT_EQ(neighbours_.told[0].by, (MacAddress{{0x52, 0x54, 0, 0, 0, 9}}));
  EXPECT_EQ(neighbours_.told[0].ifindex, test::kServiceIfindex);
  message[24] = std::byte{1};  // not its own address
  Receive(message, test::V6("2001:db8:77::5"));
  EXPECT_EQ(neighbours_.told.size(), 1U);
}

}  // namespace
}  // namespace slipway::service
