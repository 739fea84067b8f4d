#include "dataplane/lease/lease_table.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/boot_lab.h"

namespace slipway::lease {
namespace {

using test::BootLab;
using test::kSubnet;
using test::kVlan;
using test::V4;

constexpr Duration kLease = Duration::Seconds(600);

class LeaseTableTest : public testing::Test {
 protected:
  LeaseTableTest() { Use(BootLab::Standard()); }

  static TableOptions Small() {
    TableOptions options;
    options.leases_max = 256;
    options.pools_max = 8;
    options.ranges_max = 32;
    options.pool_addresses_max = 4096;
    options.hash_seed = 7;
    return options;
  }

  RebuildResult Use(config::SnapshotRef next) {
    snapshot_ = std::move(next);
    return table_.Rebuild(*snapshot_);
  }

  static Client ClientOf(std::uint64_t number, RecordId machine = 9) {
    const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number);
    return {.key = ClientKey::FromMac(mac), .mac = mac, .vlan = kVlan, .machine = machine};
  }

  Ipv4Address Offer(std::uint64_t number, Ipv4Address requested = {}, Ipv4Address reserved = {},
                    RecordId machine = 9) {
    const Result<const Lease*> lease = table_.Offer({.client = ClientOf(number, machine),
                                                     .subnet = kSubnet,
                                                     .reserved = reserved,
                                                     .requested = requested,
                                                     .excluded = {}},
                                                    *snapshot_, now_);
    error_ = lease ? ErrorCode::kNone : lease.error().code;
    return lease ? (*lease)->address.v4() : Ipv4Address{};
  }

  bool Bind(std::uint64_t number, Ipv4Address address, Duration lease = kLease) {
    const Result<BindResult> bound =
        table_.Bind(ClientOf(number), address, lease, now_, LeaseDetail{});
    if (!bound) {
      return false;
    }
    needs_log_ = bound->needs_log;
    table_.MarkDurable(address, bound->lease->version);
    return true;
  }

  Ipv4Address Lease1(std::uint64_t number) {
    const Ipv4Address address = Offer(number);
    return Bind(number, address) ? address : Ipv4Address{};
  }

  std::size_t ExpireAll() {
    std::array<const Lease*, 8> out{};
    std::size_t total = 0;
    for (std::size_t n = out.size(); n == out.size();) {
      n = table_.Expire(now_, out);
      total += n;
    }
    return total;
  }

  void Pass(Duration duration) { now_ = now_ + duration; }

  config::SnapshotRef snapshot_;
  LeaseTable table_{Small()};
  Instant now_{1'000};
  ErrorCode error_ = ErrorCode::kNone;
  bool needs_log_ = false;
};

TEST_F(LeaseTableTest, OffersTheSameAddressToTheSameClient) {
  const Ipv4Address address = Offer(1);
  ASSERT_FALSE(address.is_any());
  EXPECT_EQ(Offer(1), address);
  Pass(kOfferHold - Duration::Seconds(1));
  EXPECT_EQ(Offer(1), address);
  EXPECT_NE(Offer(2), address);
}

TEST_F(LeaseTableTest, ExpiredOfferReturnsToPool) {
  Offer(1);
  EXPECT_EQ(table_.CountsOf(kSubnet).offered, 1U);
  EXPECT_EQ(table_.CountsOf(kSubnet).free, 99U);
  Pass(kOfferHold);
  EXPECT_EQ(ExpireAll(), 0U);
  EXPECT_EQ(table_.CountsOf(kSubnet).free, 100U);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(LeaseTableTest, PrefersTheRequestedAddressIfItIsFree) {
  EXPECT_EQ(Offer(1, V4("10.77.0.150")), V4("10.77.0.150"));
  EXPECT_NE(Offer(2, V4("10.77.0.150")), V4("10.77.0.150"));
  EXPECT_NE(Offer(3, V4("10.77.0.5")), V4("10.77.0.5"));  // in no range
}

TEST_F(LeaseTableTest, SpreadsClientsOverThePool) {
  std::set<std::uint32_t> seen;
  bool in_order = true;
  std::uint32_t before = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Ipv4Address address = Offer(i);
    in_order = in_order && address.value > before;
    before = address.value;
    seen.insert(address.value);
  }
  EXPECT_EQ(seen.size(), 20U);
  EXPECT_FALSE(in_order);
}

TEST_F(LeaseTableTest, FillsThePoolToTheLastAddress) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 100; ++i) {
    seen.insert(Lease1(i).value);
  }
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_TRUE(Offer(100).is_any());
  EXPECT_EQ(error_, ErrorCode::kFull);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, KeepsAShareForKnownMachines) {
  int given = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    given += Offer(i, {}, {}, 0).is_any() ? 0 : 1;
  }
  EXPECT_EQ(given, 100 - 100 / static_cast<int>(kKnownShare));
  EXPECT_FALSE(Offer(1000).is_any());
}

TEST_F(LeaseTableTest, ReusesTheOldestExpiredFirst) {
  std::vector<Ipv4Address> held;
  for (std::uint64_t i = 0; i < 100; ++i) {
    held.push_back(Lease1(i));
    Pass(Duration::Seconds(1));
  }
  Pass(kLease);
  EXPECT_EQ(ExpireAll(), 100U);
  // A client that comes back gets its own; new ones get the oldest that is left.
  EXPECT_EQ(Offer(0), held[0]);
  EXPECT_EQ(Offer(500), held[1]);
  EXPECT_EQ(Offer(501), held[2]);
  EXPECT_EQ(Offer(50), held[50]);
  // The first owner of a reused address gets another one.
  EXPECT_EQ(Offer(1), held[3]);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, UnusedOfferOfAnExpiredLeaseKeepsTheBinding) {
  const Ipv4Address address = Lease1(1);
  Pass(kLease);
  ExpireAll();
  EXPECT_EQ(Offer(1), address);
  Pass(kOfferHold);
  ExpireAll();
  EXPECT_EQ(table_.ByAddress(address)->state, State::kExpired);
  EXPECT_EQ(Offer(1), address);
}

TEST_F(LeaseTableTest, ExhaustedPoolTakesOldOffersBackButNoYoungOnes) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    Offer(i);
  }
  EXPECT_TRUE(Offer(200).is_any());
  Pass(kOfferHoldMin);
  EXPECT_FALSE(Offer(200).is_any());
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, LogsWhatTheHorizonDoesNotCover) {
  const Ipv4Address address = Lease1(1);
  EXPECT_TRUE(needs_log_);
  EXPECT_EQ(table_.ByAddress(address)->horizon, now_ + kLease * 2);
  Pass(kLease);
  ASSERT_TRUE(Bind(1, address));
  EXPECT_FALSE(needs_log_);
  Pass(Duration::Nanos(1));
  ASSERT_TRUE(Bind(1, address));
  EXPECT_TRUE(needs_log_);
}

TEST_F(LeaseTableTest, NothingIsFromMemoryBeforeTheRecordIsDurable) {
  const Ipv4Address address = Offer(1);
  const Result<BindResult> first = table_.Bind(ClientOf(1), address, kLease, now_, {});
  ASSERT_TRUE(first.has_value());
  const std::uint64_t version = first->lease->version;
  EXPECT_TRUE(table_.Bind(ClientOf(1), address, kLease, now_, {})->needs_log);
  table_.MarkDurable(address, version);  // of the older record: does not count
  EXPECT_TRUE(table_.Bind(ClientOf(1), address, kLease, now_, {})->needs_log);
  table_.MarkDurable(address, table_.ByAddress(address)->version);
  EXPECT_FALSE(table_.Bind(ClientOf(1), address, kLease, now_, {})->needs_log);
}

TEST_F(LeaseTableTest, ShorterLeaseNeverShrinksAPromise) {
  const Ipv4Address address = Lease1(1);
  const Instant promised = table_.ByAddress(address)->ends;
  ASSERT_TRUE(Bind(1, address, Duration::Seconds(30)));
  EXPECT_FALSE(needs_log_);
  EXPECT_EQ(table_.ByAddress(address)->ends, promised);
}

TEST_F(LeaseTableTest, OthersCanNotBindOrReleaseOrDecline) {
  const Ipv4Address address = Lease1(1);
  EXPECT_FALSE(Bind(2, address));
  EXPECT_FALSE(table_.Release(ClientOf(2), address, now_).has_value());
  EXPECT_FALSE(table_.Decline(ClientOf(2), address, now_).has_value());
  Client elsewhere = ClientOf(1);
  elsewhere.vlan = test::kRelayVlan;
  EXPECT_FALSE(table_.Release(elsewhere, address, now_).has_value());
  EXPECT_EQ(table_.ByAddress(address)->state, State::kBound);
}

TEST_F(LeaseTableTest, DeclinedAddressIsNotGivenOutUntilItsTimeIsOver) {
  const Ipv4Address address = Lease1(1);
  ASSERT_TRUE(table_.Decline(ClientOf(1), address, now_).has_value());
  for (std::uint64_t i = 0; i < 99; ++i) {
    EXPECT_NE(Offer(i), address);
  }
  EXPECT_TRUE(Offer(200).is_any());
  Pass(kQuarantine);
  ExpireAll();
  EXPECT_EQ(table_.ByAddress(address), nullptr);
}

TEST_F(LeaseTableTest, ReservedRangesAndReservationsAreLeftOut) {
  BootLab lab;
  config::RangeRecord reserved = lab.range;
  reserved.id = 101;
  reserved.kind = config::RangeKind::kReserved;
  reserved.first = V4("10.77.0.110");
  reserved.last = V4("10.77.0.189");
  lab.range.first = V4("10.77.0.0");
  lab.range.last = V4("10.77.0.255");
  lab.AddNetwork().Put(reserved).AddMachine(1, "02:ff:00:00:00:01", config::BootTarget::kLocal,
                                            "10.77.0.100");
  const RebuildResult result = Use(lab.Finish());
  EXPECT_TRUE(result.changed);
  EXPECT_EQ(result.addresses, 256U - 80U);
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Ipv4Address address = Offer(i);
    if (!address.is_any()) {
      seen.insert(address.value);
    }
  }
  // Without network, broadcast, gateway and the reservation.
  EXPECT_EQ(seen.size(), 256U - 80U - 4U);
  for (const std::string_view never : {"10.77.0.0", "10.77.0.1", "10.77.0.255", "10.77.0.100",
                                       "10.77.0.110", "10.77.0.150", "10.77.0.189"}) {
    EXPECT_FALSE(seen.contains(V4(never).value)) << never;
  }
}

TEST_F(LeaseTableTest, RebuildKeepsLeasesAndFollowsRanges) {
  const Ipv4Address address = Lease1(1);
  BootLab lab;
  lab.range.first = V4("10.77.0.10");
  lab.range.last = V4("10.77.0.19");
  EXPECT_TRUE(Use(lab.AddNetwork().Finish()).changed);
  EXPECT_EQ(table_.ByAddress(address)->state, State::kBound);
  EXPECT_EQ(table_.CountsOf(kSubnet).size, 10U);
  EXPECT_EQ(table_.CountsOf(kSubnet).bound, 0U);
  table_.CheckInvariants();
  // Its next question gets it an address of the new range; the old promise stands.
  const Ipv4Address moved = Offer(1);
  EXPECT_NE(moved, address);
  EXPECT_TRUE(Bind(1, address));
  Use(BootLab::Standard());
  EXPECT_EQ(table_.CountsOf(kSubnet).bound, 1U);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, RebuildWithoutChangeDoesNothing) {
  Lease1(1);
  const RebuildResult result = Use(BootLab::Standard());
  EXPECT_FALSE(result.changed);
  EXPECT_EQ(table_.CountsOf(kSubnet).bound, 1U);
}

TEST_F(LeaseTableTest, MaintainGivesBackWhatIsNoLongerReserved) {
  BootLab lab;
  lab.range.last = V4("10.77.0.103");
  lab.AddNetwork().AddMachine(1, "02:ff:00:00:00:01", config::BootTarget::kLocal, "10.77.0.101");
  Use(lab.Finish());
  for (std::uint64_t i = 0; i < 5; ++i) {
    Offer(i);
  }
  EXPECT_EQ(table_.CountsOf(kSubnet).offered, 3U);
  EXPECT_EQ(table_.CountsOf(kSubnet).free, 0U);
  table_.Maintain(*snapshot_, {}, 100);
  EXPECT_EQ(table_.CountsOf(kSubnet).free, 0U);
  Use(lab.Remove(config::Table::kInterface, 100'001).Finish());
  table_.Maintain(*snapshot_, {}, 100);
  EXPECT_EQ(table_.CountsOf(kSubnet).free, 1U);
  EXPECT_EQ(Offer(77), V4("10.77.0.101"));
}

TEST_F(LeaseTableTest, ReservationWinsOverWhatTheClientHad) {
  const Ipv4Address before = Lease1(1);
  const Ipv4Address reserved = V4("10.77.0.20");
  EXPECT_EQ(Offer(1, {}, reserved), reserved);
  EXPECT_TRUE(Bind(1, reserved));
  EXPECT_EQ(table_.ByAddress(before)->state, State::kBound);  // promised is promised
  EXPECT_EQ(table_.ByClient(ClientOf(1).key, kVlan)->address, reserved);
  table_.CheckInvariants();
  Pass(kLease);
  EXPECT_EQ(ExpireAll(), 2U);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, ReservedAddressOfALivingLeaseIsAConflict) {
  const Ipv4Address taken = Lease1(1);
  EXPECT_TRUE(Offer(2, {}, taken).is_any());
  EXPECT_EQ(error_, ErrorCode::kConflict);
  ASSERT_TRUE(table_.Release(ClientOf(1), taken, now_).has_value());
  EXPECT_EQ(Offer(2, {}, taken), taken);
}

TEST_F(LeaseTableTest, FullTableForgetsTheOldestThatIsOver) {
  BootLab lab;
  lab.subnet.prefix = *IpPrefix::Parse("10.77.0.0/16");
  lab.range.first = V4("10.77.1.0");
  lab.range.last = V4("10.77.8.255");
  Use(lab.AddNetwork().Finish());
  for (std::uint64_t i = 0; i < 256; ++i) {
    ASSERT_FALSE(Lease1(i).is_any());
    Pass(Duration::Millis(1));
  }
  EXPECT_TRUE(Offer(1000).is_any());
  EXPECT_EQ(error_, ErrorCode::kFull);
  Pass(kLease);
  ExpireAll();
  EXPECT_FALSE(Offer(1000).is_any());
  EXPECT_EQ(table_.size(), 256U);
  EXPECT_EQ(table_.ByClient(ClientOf(0).key, kVlan), nullptr);
  EXPECT_NE(table_.ByClient(ClientOf(1).key, kVlan), nullptr);
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, FullTableDropsOldOffersOnly) {
  BootLab lab;
  lab.subnet.prefix = *IpPrefix::Parse("10.77.0.0/16");
  lab.range.first = V4("10.77.1.0");
  lab.range.last = V4("10.77.8.255");
  Use(lab.AddNetwork().Finish());
  for (std::uint64_t i = 0; i < 256; ++i) {
    Offer(i);
  }
  EXPECT_TRUE(Offer(1000).is_any());
  Pass(kOfferHoldMin);
  EXPECT_FALSE(Offer(1000).is_any());
  table_.CheckInvariants();
}

TEST_F(LeaseTableTest, RangesBeyondMemoryAreCutAndSaid) {
  BootLab lab;
  lab.subnet.prefix = *IpPrefix::Parse("10.0.0.0/8");
  lab.range.first = V4("10.1.0.0");
  lab.range.last = V4("10.1.255.255");
  const RebuildResult result = Use(lab.AddNetwork().Finish());
  EXPECT_EQ(result.addresses, 4096U);
  EXPECT_EQ(result.addresses_cut, 65536U - 4096U);
}

TEST_F(LeaseTableTest, NextDeadlineIsTheEarliestEnd) {
  EXPECT_EQ(table_.next_deadline(), Instant::Never());
  const Instant start = now_;
  Lease1(1);
  EXPECT_EQ(table_.next_deadline(), start + kLease);
  Pass(Duration::Seconds(1));
  Offer(2);
  EXPECT_EQ(table_.next_deadline(), start + Duration::Seconds(1) + kOfferHold);
}

// A subnet that was removed and made anew has another id, and its leases are in no pool until they
// end: their addresses are not given to others meanwhile.
TEST_F(LeaseTableTest, LeasesOfARemadeSubnetKeepTheirAddresses) {
  std::set<Ipv4Address> held;
  for (std::uint64_t i = 0; i < 50; ++i) {
    held.insert(Lease1(i));
  }
  BootLab lab;
  lab.subnet.id = kSubnet + 1;
  lab.range.subnet = kSubnet + 1;
  (void)Use(lab.AddNetwork().Finish());
  for (std::uint64_t i = 100; i < 150; ++i) {
    const Result<const Lease*> offer = table_.Offer({.client = ClientOf(i),
                                                     .subnet = kSubnet + 1,
                                                     .reserved = {},
                                                     .requested = *held.begin(),
                                                     .excluded = {}},
                                                    *snapshot_, now_);
    ASSERT_TRUE(offer.has_value());
    EXPECT_FALSE(held.contains((*offer)->address.v4()));
    table_.CheckInvariants();
  }
}

}  // namespace
}  // namespace slipway::lease
