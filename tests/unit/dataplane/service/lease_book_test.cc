#include "dataplane/service/lease_book.h"

#include <gtest/gtest.h>

#include "tests/support/boot_lab.h"

namespace slipway::service {
namespace {

constexpr MacAddress kMac{{2, 0, 0, 0, 0, 1}};
constexpr Duration kLease = Duration::Seconds(600);

class LeaseBookTest : public testing::Test {
 protected:
  LeaseBookTest() : snapshot_(test::BootLab().AddNetwork().Finish()) { table_.Rebuild(*snapshot_); }

  [[nodiscard]] IpAddress Offer(MacAddress mac) {
    const auto offer = table_.Offer({.client = ClientOf(mac),
                                     .subnet = test::kSubnet,
                                     .reserved = {},
                                     .requested = {},
                                     .excluded = {}},
                                    *snapshot_, now_);
    return offer ? (*offer)->address : IpAddress();
  }

  [[nodiscard]] static lease::Client ClientOf(MacAddress mac) {
    return {.key = lease::ClientKey::FromMac(mac), .mac = mac, .vlan = test::kVlan};
  }

  config::SnapshotRef snapshot_;
  lease::LeaseTable table_{{.leases_max = 64, .hash_seed = 1}};
  LeaseBook book_{&table_, 64};
  Instant now_{1'000'000'000};
};

TEST_F(LeaseBookTest, KnowsTheHolderOfALeaseAndTheLastOne) {
  const IpAddress address = Offer(kMac);
  ASSERT_TRUE(table_.Bind(ClientOf(kMac), address, kLease, now_, {}));
  ASSERT_NE(book_.Find(address), nullptr);
  EXPECT_EQ(book_.Find(address)->mac, kMac);
  EXPECT_EQ(book_.Find(address)->vlan, test::kVlan);
  // Offered again to the client that has it, and given back by it: its own all the same.
  EXPECT_EQ(Offer(kMac), address);
  ASSERT_NE(book_.Find(address), nullptr);
  ASSERT_TRUE(table_.Release(ClientOf(kMac), address, now_));
  ASSERT_NE(book_.Find(address), nullptr);
  EXPECT_EQ(Offer(kMac), address);
  ASSERT_NE(book_.Find(address), nullptr);
}

TEST_F(LeaseBookTest, AnOfferAloneNamesNobody) {
  const IpAddress address = Offer(kMac);
  ASSERT_TRUE(address.is_set());
  EXPECT_EQ(book_.Find(address), nullptr);
}

TEST_F(LeaseBookTest, AQuarantinedAddressNamesNobody) {
  const IpAddress address = Offer(kMac);
  ASSERT_TRUE(table_.Bind(ClientOf(kMac), address, kLease, now_, {}));
  ASSERT_TRUE(table_.Decline(ClientOf(kMac), address, now_));
  EXPECT_EQ(book_.Find(address), nullptr);
}

TEST_F(LeaseBookTest, KeepsPeersOfOtherServersUntilTheyHaveALease) {
  const IpAddress address = Offer(kMac);
  const MacAddress other{{2, 0, 0, 0, 0, 2}};
  book_.OnPeer({.address = address, .mac = other, .vlan = test::kVlan});
  ASSERT_NE(book_.Find(address), nullptr);
  EXPECT_EQ(book_.Find(address)->mac, other);
  ASSERT_TRUE(table_.Bind(ClientOf(kMac), address, kLease, now_, {}));
  EXPECT_EQ(book_.Find(address)->mac, kMac);
}

}  // namespace
}  // namespace slipway::service
