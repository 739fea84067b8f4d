// Random packets of many clients, honest and not, under a clock that jumps: no address is in two
// live leases, the same client keeps its address, nobody with a valid lease gets a NAK.
#include <gtest/gtest.h>

#include <map>

#include "dataplane/base/random.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/seed.h"

namespace slipway::dhcp {
namespace {

using test::DhcpLab;
using test::kRack;
using test::Request;

struct Holder {
  Ipv4Address address;
  Instant ends;
};

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_(seed) {}

  void Step() {
    switch (random_.Below(10)) {
      case 0:
        lab_.Pass(Duration::Seconds(static_cast<std::int64_t>(random_.Below(90))));
        while (lab_.engine.ExpireOne(lab_.now, lab_.effects)) {
        }
        return;
      case 1:
        return Renew();
      case 2:
        return Attack();
      default:
        return Dora();
    }
  }

  void Check() {
    lab_.table.CheckInvariants();
    std::map<std::uint32_t, std::uint64_t> live;
    for (const auto& [client, holder] : holders_) {
      if (holder.ends > lab_.now.instant) {
        ASSERT_TRUE(live.emplace(holder.address.value, client).second) << "two live leases";
      }
    }
  }

 private:
  static MacAddress MacOf(std::uint64_t client) {
    return MacAddress::FromU64(0x0200'0000'0000 + client);
  }

  void Learn(std::uint64_t client) {
    const Message& reply = lab_.Reply();
    const Instant ends = lab_.now.instant + Duration::Seconds(reply.GetNumber(Option::kLeaseTime));
    Holder& holder = holders_[client];
    if (holder.ends > lab_.now.instant) {
      ASSERT_EQ(holder.address, reply.yiaddr) << "another address while the lease lives";
    }
    holder = {reply.yiaddr, ends};
  }

  void Dora() {
    const std::uint64_t client = random_.Below(120);
    const MacAddress mac = MacOf(client);
    if (lab_.Handle(Request(MessageType::kDiscover, mac).Build()) != Reason::kOffered) {
      ASSERT_EQ(lab_.effects.reason, Reason::kPoolExhausted);
      return;
    }
    const Ipv4Address address = lab_.Reply().yiaddr;
    if (random_.Below(4) == 0) {
      return;
    }
    const auto request = Request(MessageType::kRequest, mac)
                             .Address(Option::kRequestedAddress, address)
                             .Address(Option::kServerIdentifier, kRack)
                             .Build();
    const Reason reason = lab_.HandleDurably(request);
    ASSERT_TRUE(reason == Reason::kAcked || reason == Reason::kAckedFromMemory);
    Learn(client);
  }

  void Renew() {
    const std::uint64_t client = random_.Below(120);
    const auto held = holders_.find(client);
    if (held == holders_.end() || held->second.ends <= lab_.now.instant) {
      return;
    }
    const Reason reason = lab_.Renew(MacOf(client), held->second.address);
    ASSERT_TRUE(reason == Reason::kAcked || reason == Reason::kAckedFromMemory) << ToString(reason);
    Learn(client);
  }

  // Somebody who holds nothing: requests, releases and declines of others' addresses, and noise.
  void Attack() {
    const MacAddress mac = MacOf(5000 + random_.Below(10));
    const Ipv4Address address{
        static_cast<std::uint32_t>(test::kPoolFirst.value + random_.Below(100))};
    const lease::Lease* there = lab_.table.ByAddress(address);
    if (there == nullptr || there->state != lease::State::kBound || there->mac == mac) {
      return;
    }
    const std::array types = {MessageType::kRequest, MessageType::kRelease, MessageType::kDecline};
    const MessageType type = types[random_.Below(types.size())];
    Request request(type, mac);
    if (type == MessageType::kRelease) {
      request.Ciaddr(address);
    } else {
      request.Address(Option::kRequestedAddress, address);
    }
    request.Address(Option::kServerIdentifier, kRack);
    auto packet = request.Build();
    const bool damaged = random_.Below(2) == 0;
    if (damaged) {
      packet[240 + random_.Below(20)] = static_cast<std::byte>(random_.Below(256));
    }
    const MacAddress holder = there->mac;
    const Reason reason = lab_.HandleDurably(packet);
    // Damage may have made it a sound request for an address that is free, or its own.
    if (!damaged) {
      ASSERT_NE(reason, Reason::kAcked);
      ASSERT_NE(reason, Reason::kReleased);
      ASSERT_NE(reason, Reason::kDeclined);
    } else if (reason == Reason::kAcked) {
      for (const auto& [client, held] : holders_) {
        ASSERT_TRUE(held.ends <= lab_.now.instant || held.address != lab_.Reply().yiaddr);
      }
    }
    there = lab_.table.ByAddress(address);
    ASSERT_NE(there, nullptr);
    ASSERT_EQ(there->state, lease::State::kBound);
    ASSERT_EQ(there->mac, holder);
  }

  SeededRandom random_;
  DhcpLab lab_;
  std::map<std::uint64_t, Holder> holders_;
};

TEST(EnginePropertyTest, LeasesAreExclusiveAndKept) {
  const std::uint64_t seed = test::TestSeed(1);
  for (std::uint64_t run = 0; run < 20; ++run) {
    Storm storm(seed + run);
    for (int step = 0; step < 1000; ++step) {
      storm.Step();
      if (step % 16 == 0) {
        storm.Check();
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "run " << run << " step " << step;
    }
  }
}

}  // namespace
}  // namespace slipway::dhcp
