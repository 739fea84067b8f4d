// The shell of a pair of racks: two DHCP services with their pair services, joined by hand.
#include "dataplane/service/pair_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/service/dhcp_service.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/dhcp_service_lab.h"

namespace slipway::service {
namespace {

using lease::PairState;
using test::Request;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() noexcept override { return now; }

  [[nodiscard]] WallTime WallNow() noexcept override {
    return {1'700'000'000'000'000'000 + now.ns};
  }

  [[nodiscard]] bool WallIsSynchronised() noexcept override { return true; }

  [[nodiscard]] std::uint64_t BootId() noexcept override { return 7; }

  Instant now{10'000'000'000};
};

class Rack {
 public:
  explicit Rack(std::uint8_t side, bool paired = true, HandClock* clock = nullptr)
      : side_(side), clock_(clock), random_(side + 1) {
    box = *PairBox::Create();
    auto owned = std::make_unique<test::FakeDriver>();
    driver = owned.get();
    shard_ = *shard::Shard::Create({.timers_max = 16}, std::move(owned), clock_->now);
    view_ = *ServingView::Create();
    pair = std::make_unique<PairService>(PairService::Parts{.shard = shard_.get(),
                                                            .serving = view_.get(),
                                                            .leases = &lab.table,
                                                            .rules = &rules_,
                                                            .facts = &facts,
                                                            .peers = &peers,
                                                            .events = &events,
                                                            .clock = clock_,
                                                            .random = &random_,
                                                            .box = box.get(),
                                                            .memory = {.store = 100U + side}});
    shared_ = std::make_unique<DhcpShared>(DhcpShared::Parts{.serving = view_.get(),
                                                             .leases = &lab.table,
                                                             .facts = &facts,
                                                             .peers = &peers,
                                                             .events = &events,
                                                             .clock = clock_,
                                                             .pair = pair.get()});
    dhcp = std::make_unique<DhcpService>(DhcpService::Parts{.shard = shard_.get(),
                                                            .raw_port = 1,
                                                            .shared = shared_.get(),
                                                            .engine = &lab.engine,
                                                            .packets = &packets_,
                                                            .watch = &watch_});
    EXPECT_TRUE(dhcp->Start({.dhcp = 0, .boot_server = 2, .arp_replies = {}}, clock_->now));
    EXPECT_TRUE(pair->Start());
    Configure(paired);
  }

  // A new generation, of a pair or of none.
  void Configure(bool paired) {
    test::BootLab boot;
    boot.AddNetwork().AddImages();
    if (paired) {
      boot.AddPair(side_);
    }
    auto next = std::make_unique<Serving>();
    next->snapshot = boot.Finish();
    ServedLink link{.ifindex = 2, .name = {}, .mac = {}, .vlan = test::kVlan, .addresses = {}};
    (void)link.addresses.push_back(*IpPrefix::Parse("10.77.0.1/24"));
    (void)next->links.Add(link);
    EXPECT_TRUE(view_->Publish(next.get(), ++generation_));
    view_->OnReady(0, 0, clock_->now);
    servings_.push_back(std::move(next));
    pair->Follow();
  }

  void Receive(std::vector<std::byte> bytes, bool broadcast = true) {
    shard::Packet packet;
    packet.data = bytes;
    packet.ifindex = 2;
    packet.source = Ipv4Address{};
    packet.destination = broadcast ? Ipv4Address{0xFFFF'FFFF} : test::kRack;
    packet.source_port = 68;
    dhcp->OnPackets(0, std::span(&packet, 1), clock_->now);
  }

  void Turn() {
    driver->now = clock_->now;
    ASSERT_TRUE(shard_->RunTurn().has_value());
  }

  // All that was logged is on disk.
  void Commit() {
    dhcp->OnDurable(facts.next_position(), clock_->now);
    pair->OnDurable(facts.next_position(), clock_->now);
  }

  void Hear() { pair->OnReady(0, 0, clock_->now); }

  // The control thread's part.
  void Keep() {
    (void)box->to_control->Drain(kPairWordsMax, [this](PairWord& word) {
      if (word.kind == PairWord::Kind::kRemember) {
        EXPECT_TRUE(box->from_control->Push(word));
      } else {
        ++rights;
      }
    });
    Hear();
  }

  [[nodiscard]] PairState state() const { return pair->core().state(); }

  [[nodiscard]] bool Told(EventCode code) const {
    return std::ranges::any_of(events.told, [code](const auto& one) { return one.code == code; });
  }

  test::FakeDriver* driver = nullptr;
  testing_support::FakeFactPort facts;
  test::KeptEvents events;
  test::KeptPeers peers;
  std::unique_ptr<PairBox> box;
  std::unique_ptr<PairService> pair;
  std::unique_ptr<DhcpService> dhcp;
  int rights = 0;

 private:
  std::uint8_t side_;
  HandClock* clock_;
  SeededRandom random_;
  lease::PairRules rules_{test::DhcpLab::SmallTable().leases_max};

 public:
  test::DhcpLab lab{test::BootLab::Standard(), test::DhcpLab::SmallTable(), &rules_};

 private:
  PacketLog packets_;
  DhcpWatch watch_{&events, &lab.table};
  std::unique_ptr<shard::Shard> shard_;
  std::vector<std::unique_ptr<Serving>> servings_;
  std::unique_ptr<ServingView> view_;
  std::unique_ptr<DhcpShared> shared_;
  std::uint64_t generation_ = 0;
};

class PairServiceTest : public testing::Test {
 protected:
  // What a pair link carries.
  static void Carry(Rack& from, Rack& to) {
    (void)from.box->to_partner->DrainInPlace(kPairParcelsMax, [&](const PairParcel& parcel) {
      EXPECT_TRUE(to.box->from_partner->Emplace([&](PairParcel& place) {
        place.size = parcel.size;
        std::copy_n(parcel.bytes.begin(), parcel.size, place.bytes.begin());
      }));
    });
    to.Hear();
  }

  static void Cut(Rack& rack) {
    EXPECT_TRUE(rack.box->from_partner->Emplace([](PairParcel& place) { place.size = 0; }));
    rack.Hear();
  }

  void Pass(Duration span) { clock_.now = clock_.now + span; }

  void Exchange() {
    for (int i = 0; i < 8; ++i) {
      a_.Turn();
      b_.Turn();
      Carry(a_, b_);
      Carry(b_, a_);
      a_.Keep();
      b_.Keep();
      a_.Commit();
      b_.Commit();
      Pass(Duration::Millis(100));
    }
  }

  void BecomeNormal() {
    for (int i = 0;
         i < 10 && (a_.state() != PairState::kNormal || b_.state() != PairState::kNormal); ++i) {
      Exchange();
    }
    ASSERT_EQ(a_.state(), PairState::kNormal);
    ASSERT_EQ(b_.state(), PairState::kNormal);
  }

  // One that rack A is to answer.
  [[nodiscard]] MacAddress ClientOfA() {
    for (std::uint64_t i = 1;; ++i) {
      const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + i);
      const std::size_t sent = a_.driver->sent.size();
      a_.Receive(Request(dhcp::MessageType::kDiscover, mac, 1).Build());
      if (a_.driver->sent.size() > sent) {
        return mac;
      }
    }
  }

  [[nodiscard]] static Ipv4Address AddressOf(const Rack& rack, MacAddress mac) {
    const lease::Lease* lease =
        rack.lab.table.ByClient(lease::ClientKey::FromMac(mac), test::kVlan);
    return lease == nullptr ? Ipv4Address{} : lease->address.v4();
  }

  void Ask(MacAddress mac) {
    a_.Receive(Request(dhcp::MessageType::kRequest, mac, 2)
                   .Address(dhcp::Option::kRequestedAddress, AddressOf(a_, mac))
                   .Address(dhcp::Option::kServerIdentifier, test::kRack)
                   .Build());
  }

  // Replies to REQUESTs.
  [[nodiscard]] static std::size_t Acks(const Rack& rack) {
    std::size_t acks = 0;
    for (const auto& sent : rack.driver->sent) {
      const std::size_t skip = sent.port == 1 ? net::kUdp4FrameHeaderBytes : 0;
      const bool message = sent.bytes.size() > skip + 240;
      acks += message && LoadBig<std::uint32_t>(&sent.bytes[skip + 4]) == 2 ? 1U : 0U;
    }
    return acks;
  }

  HandClock clock_;
  Rack a_{0, true, &clock_};
  Rack b_{1, true, &clock_};
};

TEST_F(PairServiceTest, RacksFindEachOtherAndSaySo) {
  EXPECT_EQ(a_.state(), PairState::kRecover);
  BecomeNormal();
  EXPECT_TRUE(a_.Told(EventCode::kPairNormal));
  EXPECT_TRUE(b_.Told(EventCode::kPairNormal));
  EXPECT_EQ(a_.events.told.back().subject, "partner");
  EXPECT_GT(a_.rights, 0);
  const PairService::Report report = a_.pair->Describe(clock_.now);
  EXPECT_EQ(report.pair.state, PairState::kNormal);
  EXPECT_EQ(report.pair.partner_state, PairState::kNormal);
  EXPECT_TRUE(report.pair.serves);
  EXPECT_EQ(report.pair.untold, 0U);
}

TEST_F(PairServiceTest, AckLeavesWhenTheLeaseIsOnBothDisks) {
  BecomeNormal();
  const MacAddress mac = ClientOfA();
  Ask(mac);
  a_.Turn();
  a_.Commit();
  EXPECT_EQ(Acks(a_), 0U) << "the partner has not heard of it";
  a_.Turn();
  Carry(a_, b_);
  b_.Turn();
  Carry(b_, a_);
  a_.Turn();
  EXPECT_EQ(Acks(a_), 0U) << "it is not on the partner's disk";
  EXPECT_EQ(AddressOf(b_, mac), AddressOf(a_, mac));
  ASSERT_FALSE(b_.peers.told.empty()) << "its files may come from there";
  EXPECT_EQ(b_.peers.told.back().mac, mac);
  b_.Commit();
  b_.Turn();
  Carry(b_, a_);
  a_.Turn();
  EXPECT_EQ(Acks(a_), 1U);
}

TEST_F(PairServiceTest, PartnerThatGoesWhileAnAckWaitsHoldsNobodyUp) {
  BecomeNormal();
  const MacAddress mac = ClientOfA();
  Ask(mac);
  a_.Turn();
  a_.Commit();
  Cut(a_);
  EXPECT_EQ(a_.state(), PairState::kInterrupted);
  a_.Turn();
  EXPECT_EQ(Acks(a_), 0U) << "it promised more than MCLT";
  EXPECT_TRUE(a_.Told(EventCode::kPairInterrupted));
  // The client asks again, and is promised what a rack may promise alone.
  Ask(mac);
  a_.Turn();
  a_.Commit();
  a_.Turn();
  EXPECT_EQ(Acks(a_), 1U);
  EXPECT_EQ(a_.lab.table.ByAddress(AddressOf(a_, mac))->lease, Duration::Seconds(60));
}

TEST_F(PairServiceTest, FullJournalKeepsThePartnersLeasesUnconfirmed) {
  BecomeNormal();
  b_.facts.SetFull(true);
  const MacAddress mac = ClientOfA();
  Ask(mac);
  a_.Turn();
  a_.Commit();
  a_.Turn();
  Carry(a_, b_);
  b_.Turn();
  Carry(b_, a_);
  a_.Turn();
  EXPECT_EQ(Acks(a_), 0U);
  EXPECT_GT(b_.pair->counters().log_refused.value(), 0U);
  b_.facts.SetFull(false);
  BecomeNormal();
  Exchange();
  EXPECT_EQ(AddressOf(b_, mac), AddressOf(a_, mac));
}

TEST_F(PairServiceTest, StaleWordOfTheRegionIsNoWord) {
  // The founder need not wait for a partner that it has never met, but for the region.
  EXPECT_TRUE(a_.box->from_region->Push(clock_.now - Duration::Seconds(5)));
  a_.Hear();
  for (int i = 0; i < 50; ++i) {
    a_.Turn();
    Pass(Duration::Millis(100));
  }
  EXPECT_EQ(a_.state(), PairState::kRecover);
  EXPECT_TRUE(a_.box->from_region->Push(Instant{clock_.now}));
  a_.Hear();
  a_.Turn();
  EXPECT_EQ(a_.state(), PairState::kInterrupted);
}

TEST(PairServiceConfigTest, FounderThatServesGoesOnAndTheNewOneWaits) {
  HandClock clock;
  Rack founder(0, false, &clock);
  Rack joins(1, false, &clock);
  EXPECT_EQ(founder.state(), PairState::kOff);
  founder.Configure(true);
  joins.Configure(true);
  EXPECT_EQ(founder.state(), PairState::kInterrupted);
  EXPECT_EQ(joins.state(), PairState::kRecover);
  founder.Configure(false);
  EXPECT_EQ(founder.state(), PairState::kOff);
  EXPECT_TRUE(founder.Told(EventCode::kPairEnded));
  founder.Receive(
      Request(dhcp::MessageType::kDiscover, MacAddress::FromU64(0x0200'0000'0001), 1).Build());
  EXPECT_FALSE(founder.driver->sent.empty());
}

TEST(PairServiceConfigTest, PacketOfTheNewGenerationIsDecidedByItsPair) {
  HandClock clock;
  Rack rack(1, true, &clock);
  rack.Receive(
      Request(dhcp::MessageType::kDiscover, MacAddress::FromU64(0x0200'0000'0001), 1).Build());
  EXPECT_TRUE(rack.driver->sent.empty());
  EXPECT_EQ(rack.lab.engine.counters()
                .by_reason[static_cast<std::size_t>(dhcp::Reason::kPairRecovering)]
                .value(),
            1U);
}

}  // namespace
}  // namespace slipway::service
