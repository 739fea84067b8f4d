// What IPv6 adds to the lease table: pools too large for a bitmap, and a second family beside the
// first.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "dataplane/lease/lease_table.h"
#include "tests/support/boot_lab.h"

namespace slipway::lease {
namespace {

using test::BootLab;
using test::kSubnet;
using test::kSubnet6;
using test::kVlan;
using test::V6;

constexpr Duration kLease = Duration::Seconds(600);
constexpr std::uint32_t kLeases = 256;

MacAddress MacOf(std::uint64_t number) { return MacAddress::FromU64(0x0200'0000'0000 + number); }

Client ClientOf(std::uint64_t number, Family family = Family::kV6, RecordId machine = 9) {
  return {.key = ClientKey::FromMac(MacOf(number), family),
          .mac = MacOf(number),
          .vlan = kVlan,
          .machine = machine};
}

class LeaseTable6Test : public testing::Test {
 protected:
  static TableOptions Small() {
    TableOptions options;
    options.leases_max = kLeases;
    options.pools_max = 8;
    options.ranges_max = 32;
    options.pool_addresses_max = 4096;
    options.hash_seed = 7;
    return options;
  }

  RebuildResult UseRange(std::string_view first, std::string_view last,
                         std::string_view prefix = "2001:db8:77::/64") {
    BootLab lab;
    lab.subnet6.prefix = *IpPrefix::Parse(prefix);
    lab.range6.first = V6(first);
    lab.range6.last = V6(last);
    return Use(lab.AddNetwork().AddNetwork6().Finish());
  }

  RebuildResult Use(config::SnapshotRef next) {
    snapshot_ = std::move(next);
    return table_.Rebuild(*snapshot_);
  }

  IpAddress Offer(const Client& client, RecordId subnet = kSubnet6, IpAddress requested = {}) {
    const Result<const Lease*> lease = table_.Offer({.client = client,
                                                     .subnet = subnet,
                                                     .reserved = {},
                                                     .requested = requested,
                                                     .excluded = {}},
                                                    *snapshot_, now_);
    return lease ? (*lease)->address : IpAddress{};
  }

  IpAddress Bind(const Client& client, RecordId subnet = kSubnet6) {
    const IpAddress address = Offer(client, subnet);
    const Result<BindResult> bound = table_.Bind(client, address, kLease, now_, {});
    return bound ? address : IpAddress{};
  }

  config::SnapshotRef snapshot_;
  LeaseTable table_{Small()};
  Instant now_{1'000'000'000};
};

TEST_F(LeaseTable6Test, AWholeSubnetIsASparsePoolAndTakesNoMemory) {
  const RebuildResult result = UseRange("2001:db8:77::", "2001:db8:77::ffff:ffff:ffff:ffff");
  EXPECT_EQ(result.sparse_pools, 1U);
  EXPECT_EQ(result.addresses, 100U);  // of the IPv4 range
  EXPECT_EQ(result.addresses_cut, 0U);
  EXPECT_EQ(table_.CountsOf(kSubnet6).size, kPoolAddressesMax);
  std::set<IpAddress> seen;
  for (std::uint64_t i = 0; i < kLeases; ++i) {
    const IpAddress address = Bind(ClientOf(i));
    ASSERT_TRUE(IpPrefix::Parse("2001:db8:77::/64")->Contains(address));
    seen.insert(address);
  }
  EXPECT_EQ(seen.size(), kLeases);
  EXPECT_EQ(table_.CountsOf(kSubnet6).bound, kLeases);
  EXPECT_EQ(table_.CountsOf(kSubnet6).free, kPoolAddressesMax - kLeases);
  table_.CheckInvariants();
}

TEST_F(LeaseTable6Test, AddressesOfSparsePoolsAreStableAndInNoOrder) {
  UseRange("2001:db8:77::", "2001:db8:77::ffff:ffff:ffff:ffff");
  std::vector<IpAddress> first;
  for (std::uint64_t i = 0; i < 32; ++i) {
    first.push_back(Offer(ClientOf(i)));
  }
  EXPECT_FALSE(std::ranges::is_sorted(first));
  EXPECT_FALSE(std::ranges::is_sorted(first, std::greater<>()));
  // Another table of the same seed, clients in another order: the same addresses.
  LeaseTable other(Small());
  other.Rebuild(*snapshot_);
  for (std::uint64_t i = 32; i-- > 0;) {
    const Result<const Lease*> lease = other.Offer({.client = ClientOf(i),
                                                    .subnet = kSubnet6,
                                                    .reserved = {},
                                                    .requested = {},
                                                    .excluded = {}},
                                                   *snapshot_, now_);
    EXPECT_EQ((*lease)->address, first[i]);
  }
}

// At the edge between dense and sparse, and until no entry is left.
TEST_F(LeaseTable6Test, FillsPoolsOfBothKinds) {
  const RebuildResult dense = UseRange("2001:db8:77::1:0", "2001:db8:77::1:1ff");
  EXPECT_EQ(dense.sparse_pools, 0U);
  EXPECT_EQ(table_.CountsOf(kSubnet6).size, kSparseFactor * kLeases);
  const RebuildResult sparse = UseRange("2001:db8:77::1:0", "2001:db8:77::1:200");
  EXPECT_EQ(sparse.sparse_pools, 1U);
  for (std::uint64_t i = 0; i < kLeases; ++i) {
    ASSERT_TRUE(Bind(ClientOf(i)).is_set()) << i;
  }
  EXPECT_FALSE(Bind(ClientOf(kLeases)).is_set());
  table_.CheckInvariants();
  // A change from one kind to the other keeps what is there.
  UseRange("2001:db8:77::1:0", "2001:db8:77::1:1ff");
  EXPECT_GE(table_.CountsOf(kSubnet6).bound, kLeases - 1);  // ::1:200 may be one
  table_.CheckInvariants();
  // So does one of a smaller range, filled to its last address.
  UseRange("2001:db8:77::1:0", "2001:db8:77::1:f");
  table_.CheckInvariants();
}

TEST_F(LeaseTable6Test, ADensePoolGivesItsLastAddress) {
  UseRange("2001:db8:77::1:0", "2001:db8:77::1:f");
  std::set<IpAddress> seen;
  for (std::uint64_t i = 0; i < 16; ++i) {
    seen.insert(Bind(ClientOf(i)));
  }
  EXPECT_EQ(seen.size(), 16U);
  EXPECT_FALSE(Bind(ClientOf(16)).is_set());
  EXPECT_EQ(table_.CountsOf(kSubnet6).free, 0U);
}

TEST_F(LeaseTable6Test, NeverGivesAnycastAddressesOrTheGateway) {
  BootLab lab;
  lab.subnet6.prefix = *IpPrefix::Parse("2001:db8:77::/120");
  lab.subnet6.gateway = V6("2001:db8:77::1");
  lab.range6.first = V6("2001:db8:77::");
  lab.range6.last = V6("2001:db8:77::ff");
  Use(lab.AddNetwork().AddNetwork6().Finish());
  std::set<IpAddress> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    if (const IpAddress address = Bind(ClientOf(i)); address.is_set()) {
      seen.insert(address);
    }
  }
  // RFC 4291 2.6.1: ::0. RFC 2526: the last 128.
  EXPECT_EQ(seen.size(), 256U - 128U - 2U);
  EXPECT_EQ(*seen.begin(), V6("2001:db8:77::2"));
  EXPECT_EQ(*seen.rbegin(), V6("2001:db8:77::7f"));
  UseRange("2001:db8:77::fdff:ffff:ffff:ff7f", "2001:db8:77::fdff:ffff:ffff:ffff");
  EXPECT_EQ(Bind(ClientOf(1000)), V6("2001:db8:77::fdff:ffff:ffff:ff7f"));
  EXPECT_FALSE(Bind(ClientOf(1001)).is_set());
}

TEST_F(LeaseTable6Test, ReservedRangesCutHolesIntoSparsePools) {
  BootLab lab;
  lab.range6.first = V6("2001:db8:77::");
  lab.range6.last = V6("2001:db8:77::ffff");
  config::RangeRecord reserved = lab.range6;
  reserved.id = 7;
  reserved.kind = config::RangeKind::kReserved;
  reserved.first = V6("2001:db8:77::10");
  reserved.last = V6("2001:db8:77::ff0f");
  const RebuildResult result = Use(lab.AddNetwork().AddNetwork6().Put(reserved).Finish());
  EXPECT_EQ(result.sparse_pools, 0U);
  EXPECT_EQ(table_.CountsOf(kSubnet6).size, 256U);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const IpAddress address = Offer(ClientOf(i));
    ASSERT_TRUE(address < IpAddress(reserved.first) || address > IpAddress(reserved.last));
  }
}

TEST_F(LeaseTable6Test, AMachineHasOneLeasePerFamily) {
  UseRange("2001:db8:77::1:0", "2001:db8:77::1:ff");
  const IpAddress v4 = Bind(ClientOf(1, Family::kV4), kSubnet);
  const IpAddress v6 = Bind(ClientOf(1));
  EXPECT_TRUE(v4.is_v4());
  EXPECT_FALSE(v6.is_v4());
  EXPECT_EQ(table_.ByClient(ClientKey::FromMac(MacOf(1)), kVlan)->address, v4);
  EXPECT_EQ(table_.ByClient(ClientKey::FromMac(MacOf(1), Family::kV6), kVlan)->address, v6);
  EXPECT_EQ(Offer(ClientOf(1, Family::kV4), kSubnet), v4);
  EXPECT_EQ(Offer(ClientOf(1)), v6);
  ASSERT_TRUE(table_.Release(ClientOf(1), v6, now_).has_value());
  EXPECT_EQ(table_.ByAddress(v4)->state, State::kBound);
  table_.CheckInvariants();
}

TEST_F(LeaseTable6Test, UnknownClientsLeaveRoomInTheTable) {
  UseRange("2001:db8:77::", "2001:db8:77::ffff:ffff:ffff:ffff");
  std::uint32_t given = 0;
  for (std::uint64_t i = 0; i < 2 * kLeases; ++i) {
    given += Bind(ClientOf(i, Family::kV6, 0)).is_set() ? 1U : 0U;
  }
  EXPECT_EQ(given, kLeases - kLeases / kKnownShare);
  EXPECT_TRUE(Bind(ClientOf(5000)).is_set());
  table_.CheckInvariants();
}

TEST_F(LeaseTable6Test, QuarantineOfASparsePoolIsAShareOfTheTable) {
  UseRange("2001:db8:77::", "2001:db8:77::ffff:ffff:ffff:ffff");
  std::uint32_t declined = 0;
  for (std::uint64_t i = 0; i < kLeases; ++i) {
    const IpAddress address = Bind(ClientOf(i));
    declined += table_.Decline(ClientOf(i), address, now_).has_value() ? 1U : 0U;
  }
  EXPECT_EQ(declined, kLeases / kQuarantineShare);
  table_.CheckInvariants();
}

TEST_F(LeaseTable6Test, RequestedAddressOfASparsePoolIsGivenOnce) {
  UseRange("2001:db8:77::", "2001:db8:77::ffff:ffff:ffff:ffff");
  const IpAddress wanted = V6("2001:db8:77::cafe");
  EXPECT_EQ(Offer(ClientOf(1), kSubnet6, wanted), wanted);
  EXPECT_NE(Offer(ClientOf(2), kSubnet6, wanted), wanted);
  EXPECT_NE(Offer(ClientOf(3), kSubnet6, V6("2001:db8:78::1")), V6("2001:db8:78::1"));
}

TEST(LeaseMemoryTest, ALeaseTakesLessThan256Bytes) {
  TableOptions options;
  options.pools_max = 0;
  options.ranges_max = 0;
  options.pool_addresses_max = 0;
  options.leases_max = 1;
  const std::uint64_t rest = LeaseTable::MemoryBytes(options);
  options.leases_max = 1'000'001;
  const std::uint64_t bytes = (LeaseTable::MemoryBytes(options) - rest) / 1'000'000;
  RecordProperty("bytes_per_lease", static_cast<int>(bytes));
  EXPECT_LT(bytes, 256U);
}

TEST(JournalKeyTest, NeverZeroAndDistinctInANetwork) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    seen.insert(JournalKey(AddressNumber::Of(V6("2001:db8::1")).Plus(i * i * i).ToAddress()));
    seen.insert(JournalKey(AddressNumber::Of(test::kPoolFirst).Plus(i).ToAddress()));
  }
  EXPECT_EQ(seen.size(), 2000U);
  EXPECT_FALSE(seen.contains(0));
}

}  // namespace
}  // namespace slipway::lease
