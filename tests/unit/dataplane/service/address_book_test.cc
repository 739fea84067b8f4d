#include "dataplane/service/address_book.h"

#include <gtest/gtest.h>

#include "dataplane/base/cursor.h"
#include "dataplane/base/random.h"

namespace slipway::service {
namespace {

[[nodiscard]] Peer PeerAt(std::uint32_t address, std::uint64_t mac) {
  return {.address = Ipv4Address{address}, .mac = MacAddress::FromU64(mac), .vlan = 1};
}

TEST(AddressBookTest, FindsWhatWasPutAndNothingElse) {
  AddressBook book(1000);
  book.OnPeer(PeerAt(0x0A000001, 1));
  ASSERT_NE(book.Find(Ipv4Address{0x0A000001}), nullptr);
  EXPECT_EQ(book.Find(Ipv4Address{0x0A000001})->mac, MacAddress::FromU64(1));
  EXPECT_EQ(book.Find(Ipv4Address{0x0A000002}), nullptr);
}

TEST(AddressBookTest, NewerHolderOfAnAddressReplacesTheOlder) {
  AddressBook book(1000);
  book.OnPeer(PeerAt(0x0A000001, 1));
  book.OnPeer(PeerAt(0x0A000001, 2));
  EXPECT_EQ(book.Find(Ipv4Address{0x0A000001})->mac, MacAddress::FromU64(2));
}

TEST(AddressBookTest, HoldsAsManyConsecutiveAddressesAsPromised) {
  AddressBook book(10'000);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    book.OnPeer(PeerAt(0x0A000000 + i, i + 1));
  }
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    found += book.Find(Ipv4Address{0x0A000000 + i}) != nullptr ? 1U : 0U;
  }
  EXPECT_EQ(found, 10'000U);
}

TEST(AddressBookTest, HoldsAsManyScatteredAddressesOfBothFamiliesAsPromised) {
  constexpr std::uint32_t kPeers = 1 << 16;
  AddressBook book(kPeers);
  const auto address = [](std::uint32_t i) {
    if (i % 2 == 0) {
      return IpAddress(Ipv4Address{static_cast<std::uint32_t>(Mix64(i))});
    }
    Ipv6Address v6;
    v6.octets[0] = 0x20;
    StoreBig(std::as_writable_bytes(std::span(v6.octets)).data() + 8, Mix64(i));
    return IpAddress(v6);
  };
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    book.OnPeer({.address = address(i), .mac = MacAddress::FromU64(i + 1), .vlan = 1});
  }
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    const Peer* const peer = book.Find(address(i));
    ASSERT_NE(peer, nullptr) << i;
    ASSERT_EQ(peer->mac, MacAddress::FromU64(i + 1)) << i;
  }
}

TEST(AddressBookTest, FullTableForgetsTheOldestOfASetOnly) {
  AddressBook book(8);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    book.OnPeer(PeerAt(0x0A000000 + i, i + 1));
    ASSERT_NE(book.Find(Ipv4Address{0x0A000000 + i}), nullptr) << i;
  }
}

}  // namespace
}  // namespace slipway::service
