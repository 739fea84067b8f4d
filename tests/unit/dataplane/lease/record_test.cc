#include "dataplane/lease/record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/boot_lab.h"

namespace slipway::lease {
namespace {

using test::V4;

const MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};

Now At(std::int64_t seconds, std::uint64_t boot_id) {
  return {.instant = {Duration::Seconds(seconds).ns},
          .wall = {Duration::Seconds(1'700'000'000 + seconds).ns},
          .boot_id = boot_id,
          .wall_synchronised = true};
}

struct Rack {
  Rack() : snapshot(test::BootLab::Standard()), table(Options()) { table.Rebuild(*snapshot); }

  static TableOptions Options() {
    TableOptions options;
    options.leases_max = 128;
    options.pools_max = 4;
    options.ranges_max = 8;
    options.pool_addresses_max = 1024;
    return options;
  }

  std::vector<std::byte> Record(const Lease& lease, const Now& now) {
    const ByteSpan fact = encoder.Encode(lease, table.DetailOf(lease), now);
    return {fact.begin(), fact.end()};
  }

  config::SnapshotRef snapshot;
  LeaseTable table;
  LeaseEncoder encoder;
};

const Client kClient{
    .key = ClientKey::FromMac(kMac), .mac = kMac, .vlan = test::kVlan, .machine = 3};

LeaseDetail Detail() {
  LeaseDetail detail;
  detail.hostname = config::HostName(std::string_view("node-1"));
  const std::string id(64, 'i');
  EXPECT_TRUE(detail.client_id.Assign(AsBytes(id)));
  return detail;
}

const Lease* Grant(Rack& rack, const Now& now, const Client& client = kClient) {
  const OfferRequest request{
      .client = client, .subnet = test::kSubnet, .reserved = {}, .requested = {}, .excluded = {}};
  const Result<const Lease*> offer = rack.table.Offer(request, *rack.snapshot, now.instant);
  const Result<BindResult> bound =
      rack.table.Bind(client, (*offer)->address, Duration::Seconds(600), now.instant, Detail());
  return bound->lease;
}

TEST(LeaseRecordTest, ReadsWhatItWrote) {
  Rack rack;
  const Now now = At(1000, 1);
  const Lease* lease = Grant(rack, now);
  const Result<RestoredLease> read = DecodeLease(rack.Record(*lease, now));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->lease.address, lease->address);
  EXPECT_EQ(read->lease.state, State::kBound);
  EXPECT_EQ(read->lease.mac, kMac);
  EXPECT_EQ(read->lease.client, kClient.key);
  EXPECT_EQ(read->lease.vlan, test::kVlan);
  EXPECT_EQ(read->lease.subnet, test::kSubnet);
  EXPECT_EQ(read->lease.machine, 3U);
  EXPECT_EQ(read->lease.version, lease->version);
  EXPECT_EQ(read->lease.lease, Duration::Seconds(600));
  EXPECT_EQ(read->detail.hostname.view(), "node-1");
  EXPECT_EQ(read->detail.client_id, Detail().client_id);
  EXPECT_EQ(read->stamp, now.stamp());
  EXPECT_EQ(read->horizon, Duration::Seconds(1200));
}

TEST(LeaseRecordTest, AfterACrashTheHorizonIsTheEnd) {
  Rack rack;
  const Lease* lease = Grant(rack, At(1000, 1));
  const Result<RestoredLease> read = DecodeLease(rack.Record(*lease, At(1000, 1)));
  ASSERT_TRUE(read.has_value());
  Rack restarted;  // the process, not the machine
  ASSERT_TRUE(restarted.table.Restore(*read, At(1100, 1)).has_value());
  EXPECT_EQ(restarted.table.ByAddress(lease->address)->ends, At(2200, 1).instant);
  Rack rebooted;  // 300 s later by a good clock
  Now now = At(1300, 2);
  now.instant = {Duration::Seconds(20).ns};
  ASSERT_TRUE(rebooted.table.Restore(*read, now).has_value());
  EXPECT_EQ(rebooted.table.ByAddress(lease->address)->ends, now.instant + Duration::Seconds(900));
  rebooted.table.CheckInvariants();
}

// The clock was an hour behind until it was set: the lease may not lose that hour.
TEST(LeaseRecordTest, ALeaseRecordedByADoubtfulClockDoesNotShrinkAfterAReboot) {
  Rack rack;
  Now behind = At(1000, 1);
  behind.wall.ns -= Duration::Seconds(3600).ns;
  behind.wall_synchronised = false;
  const Lease* lease = Grant(rack, behind);
  const Result<RestoredLease> read = DecodeLease(rack.Record(*lease, behind));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->stamp, behind.stamp());
  Rack rebooted;
  Now now = At(1010, 2);
  now.instant = {Duration::Seconds(5).ns};
  ASSERT_TRUE(rebooted.table.Restore(*read, now).has_value());
  EXPECT_EQ(rebooted.table.ByAddress(lease->address)->ends, now.instant + Duration::Seconds(1200));
}

TEST(LeaseRecordTest, RestoredLeaseIsTheClientsAndDurable) {
  Rack rack;
  const Now now = At(1000, 1);
  const Lease* lease = Grant(rack, now);
  Rack next;
  ASSERT_TRUE(next.table.Restore(*DecodeLease(rack.Record(*lease, now)), now).has_value());
  EXPECT_EQ(Grant(next, now)->address, lease->address);
  EXPECT_TRUE(next.table.ByAddress(lease->address)->durable);
  EXPECT_EQ(next.table.CountsOf(test::kSubnet).bound, 1U);
}

// A second crash may still take the record: a renewal has to be logged before it is promised.
TEST(LeaseRecordTest, RenewalOfALeaseWhoseRecordIsNotProvenIsLogged) {
  Rack rack;
  const Now now = At(1000, 1);
  const Lease* lease = Grant(rack, now);
  for (const bool durable : {false, true}) {
    RestoredLease restored = *DecodeLease(rack.Record(*lease, now));
    restored.durable = durable;
    Rack next;
    ASSERT_TRUE(next.table.Restore(restored, now).has_value());
    const Result<BindResult> renewed = next.table.Bind(
        kClient, lease->address, Duration::Seconds(600), At(1300, 1).instant, Detail());
    ASSERT_TRUE(renewed.has_value());
    EXPECT_EQ(renewed->needs_log, !durable);
  }
}

// Found by the simulation, seed 53: the clock was set after the reboot, a renewal was answered from
// memory, and the next start of the process counted the time that the first had forgiven.
TEST(LeaseRecordTest, RenewalAfterARebootWithADoubtfulClockIsLogged) {
  Rack rack;
  const Lease* lease = Grant(rack, At(1000, 1));
  const RestoredLease restored = *DecodeLease(rack.Record(*lease, At(1000, 1)));
  Now now = At(1030, 2);
  now.instant = {Duration::Seconds(5).ns};
  now.wall_synchronised = false;
  Rack rebooted;
  ASSERT_TRUE(rebooted.table.Restore(restored, now).has_value());
  const Result<BindResult> renewed =
      rebooted.table.Bind(kClient, lease->address, Duration::Seconds(600), now.instant, Detail());
  ASSERT_TRUE(renewed.has_value());
  EXPECT_TRUE(renewed->needs_log);
}

TEST(LeaseRecordTest, NewerRecordWinsAndVersionsGoOn) {
  Rack rack;
  const Now now = At(1000, 1);
  const Lease* lease = Grant(rack, now);
  const auto bound = rack.Record(*lease, now);
  const std::uint64_t version = lease->version;
  ASSERT_TRUE(rack.table.Release(kClient, lease->address, now.instant).has_value());
  const auto released = rack.Record(*lease, now);
  Rack next;
  ASSERT_TRUE(next.table.Restore(*DecodeLease(released), now).has_value());
  ASSERT_TRUE(next.table.Restore(*DecodeLease(bound), now).has_value());
  EXPECT_EQ(next.table.ByAddress(lease->address)->state, State::kReleased);
  EXPECT_GT(Grant(next, now)->version, version + 1);
  next.table.CheckInvariants();
}

TEST(LeaseRecordTest, CheckpointTakenLaterGivesTheSameEnd) {
  Rack rack;
  const Lease* lease = Grant(rack, At(1000, 1));
  const auto later = rack.Record(*lease, At(1500, 1));
  Rack next;
  ASSERT_TRUE(next.table.Restore(*DecodeLease(later), At(1500, 1)).has_value());
  EXPECT_EQ(next.table.ByAddress(lease->address)->ends, At(2200, 1).instant);
  // And so does one of a table that itself came from a record of an earlier boot.
  Now rebooted = At(1600, 2);
  rebooted.instant = {Duration::Seconds(10).ns};
  Rack third;
  ASSERT_TRUE(third.table.Restore(*DecodeLease(later), rebooted).has_value());
  const Lease* restored = third.table.ByAddress(lease->address);
  const auto again = third.Record(*restored, rebooted);
  Rack fourth;
  ASSERT_TRUE(fourth.table.Restore(*DecodeLease(again), rebooted).has_value());
  EXPECT_EQ(fourth.table.ByAddress(lease->address)->ends,
            rebooted.instant + Duration::Seconds(600));
}

TEST(LeaseRecordTest, ClientsWithoutAMacAreKnownByTheirId) {
  Rack rack;
  Client client = kClient;
  client.mac = {};
  client.key = ClientKey::FromClientId(Detail().client_id.view());
  const Now now = At(1000, 1);
  const Result<RestoredLease> read = DecodeLease(rack.Record(*Grant(rack, now, client), now));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->lease.client, client.key);
}

TEST(LeaseRecordTest, RefusesDamage) {
  Rack rack;
  const Now now = At(1000, 1);
  auto fact = rack.Record(*Grant(rack, now), now);
  for (std::size_t size = 0; size < fact.size(); ++size) {
    EXPECT_FALSE(DecodeLease(std::span(fact).first(size)).has_value());
  }
  for (std::size_t at = 0; at < fact.size(); ++at) {
    for (const std::byte mask : {std::byte{0xFF}, std::byte{0x80}, std::byte{1}}) {
      fact[at] ^= mask;
      (void)DecodeLease(fact);  // Any answer, no crash.
      fact[at] ^= mask;
    }
  }
  EXPECT_TRUE(DecodeLease(fact).has_value());
}

}  // namespace
}  // namespace slipway::lease
