// Random DHCPv6 packets of many clients, honest and not, under a clock that jumps: no address is in
// two live leases, the same client keeps its address, nobody's valid lease is taken back.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "dataplane/base/random.h"
#include "dataplane/dhcp/trace.h"
#include "tests/support/dhcp6_lab.h"
#include "tests/support/seed.h"
#include "tests/support/table_fingerprint.h"

namespace slipway::dhcp {
namespace {

using test::Dhcp6Lab;
using test::DuidEn;
using test::DuidLl;
using test::Request6;

struct Holder {
  IpAddress address;
  Instant ends;
};

class Storm6 {
 public:
  explicit Storm6(std::uint64_t seed) : random_(seed) {}

  void Step() {
    switch (random_.Below(10)) {
      case 0:
        lab_.Pass(Duration::Seconds(static_cast<std::int64_t>(random_.Below(90))));
        return Expire();
      case 1:
        return Renew();
      case 2:
        return Attack();
      default:
        return Exchange();
    }
  }

  void Check() {
    lab_.table.CheckInvariants();
    std::map<IpAddress, std::uint64_t> live;
    for (const auto& [client, holder] : holders_) {
      if (holder.ends > lab_.now.instant) {
        ASSERT_TRUE(live.emplace(holder.address, client).second) << "two live leases";
        const lease::Lease* lease = lab_.table.ByAddress(holder.address);
        ASSERT_NE(lease, nullptr);
        ASSERT_EQ(lease->state, lease::State::kBound);
      }
    }
  }

  [[nodiscard]] const std::set<std::string>& rules() const { return rules_; }

 private:
  // Half of the clients show a MAC, the others only a DUID.
  static std::vector<std::byte> DuidOf(std::uint64_t client) {
    return client % 2 == 0 ? DuidLl(MacAddress::FromU64(0x0200'0000'0000 + client))
                           : DuidEn(static_cast<std::uint8_t>(client));
  }

  // What Explain says beforehand is what happens, and saying it changes nothing.
  Reason6 Ask(const std::vector<std::byte>& packet) {
    const std::uint64_t before = test::Fingerprint(lab_.table, *lab_.snapshot);
    Effects6 told;
    std::array<std::byte, kMessage6BytesMax> reply{};
    lab_.engine.Explain(packet, lab_.context, *lab_.snapshot, lab_.now, reply, told, trace_);
    EXPECT_EQ(before, test::Fingerprint(lab_.table, *lab_.snapshot));
    EXPECT_EQ(trace_.left_out, 0U);
    for (const TracedRule& rule : trace_.rules) {
      rules_.emplace(rule.tried.rule);
    }
    const Reason6 reason = lab_.HandleDurably(packet);
    const Effects6& done = lab_.effects;
    EXPECT_EQ(ToString(told.reason), ToString(reason));
    EXPECT_EQ(told.reply.bytes, done.reply.bytes);
    EXPECT_EQ(told.reply.address, done.reply.address);
    EXPECT_EQ(told.reply.source, done.reply.source);
    EXPECT_EQ(told.reply.wait_durable, done.reply.wait_durable);
    EXPECT_TRUE(told.steps.empty());
    EXPECT_FALSE(told.probe.is_set());
    EXPECT_TRUE(std::equal(reply.begin(), reply.begin() + static_cast<long>(told.reply.bytes),
                           lab_.out.begin()));
    return reason;
  }

  void Expire() {
    const lease::Lease* ended = nullptr;
    while (lab_.table.Expire(lab_.now.instant, std::span(&ended, 1)) != 0) {
    }
  }

  void Learn(std::uint64_t client) {
    const Message6& reply = lab_.Reply();
    ASSERT_EQ(reply.ias.size(), 1U);
    ASSERT_FALSE(reply.ias[0].addresses.empty());
    const IpAddress address = reply.ias[0].addresses[0];
    Holder& holder = holders_[client];
    if (holder.ends > lab_.now.instant) {
      ASSERT_EQ(holder.address, address) << "another address while the lease lives";
    }
    holder = {address, lab_.now.instant + Duration::Seconds(reply.ias[0].valid_seconds)};
  }

  void Exchange() {
    const std::uint64_t client = random_.Below(120);
    Request6 solicit(MessageType6::kSolicit);
    solicit.Client(DuidOf(client)).IaNa();
    const bool rapid = random_.Below(4) == 0;
    if (rapid) {
      solicit.Option(Option6::kRapidCommit);
    }
    const Reason6 offered = Ask(solicit.Build());
    if (rapid) {
      ASSERT_EQ(offered, Reason6::kRapidCommitted);
      return Learn(client);
    }
    ASSERT_EQ(offered, Reason6::kAdvertised);
    if (random_.Below(4) == 0) {
      return;
    }
    const IpAddress address = lab_.ReplyAddress();
    const Reason6 reason = Ask(Request6(MessageType6::kRequest)
                                   .Client(DuidOf(client))
                                   .Server(Dhcp6Lab::ServerId())
                                   .IaNa(1, {address.v6()})
                                   .Build());
    ASSERT_TRUE(reason == Reason6::kReplied || reason == Reason6::kRepliedFromMemory)
        << ToString(reason);
    Learn(client);
  }

  void Renew() {
    const std::uint64_t client = random_.Below(120);
    const auto held = holders_.find(client);
    if (held == holders_.end() || held->second.ends <= lab_.now.instant) {
      return;
    }
    const Reason6 reason = Ask(Request6(MessageType6::kRenew)
                                   .Client(DuidOf(client))
                                   .Server(Dhcp6Lab::ServerId())
                                   .IaNa(1, {held->second.address.v6()})
                                   .Build());
    ASSERT_TRUE(reason == Reason6::kReplied || reason == Reason6::kRepliedFromMemory)
        << ToString(reason);
    Learn(client);
  }

  // Somebody who holds nothing: claims, releases and declines of others' addresses, and noise.
  void Attack() {
    const auto duid = DuidOf(5000 + random_.Below(10) * 2);
    const auto victim = holders_.find(random_.Below(120));
    if (victim == holders_.end() || victim->second.ends <= lab_.now.instant) {
      return;
    }
    const std::array types = {MessageType6::kRenew, MessageType6::kRelease, MessageType6::kDecline};
    auto packet = Request6(types[random_.Below(types.size())])
                      .Client(duid)
                      .Server(Dhcp6Lab::ServerId())
                      .IaNa(1, {victim->second.address.v6()})
                      .Build();
    if (random_.Below(2) == 0) {
      packet[50 + random_.Below(20)] = static_cast<std::byte>(random_.Below(256));
    }
    const Reason6 reason = Ask(packet);
    ASSERT_NE(reason, Reason6::kReleased);
    ASSERT_NE(reason, Reason6::kDeclined);
    if (reason == Reason6::kReplied || reason == Reason6::kRepliedFromMemory) {
      ASSERT_NE(lab_.ReplyAddress(), victim->second.address);
    }
  }

  SeededRandom random_;
  Dhcp6Lab lab_;
  std::map<std::uint64_t, Holder> holders_;
  DecisionTrace trace_;
  std::set<std::string> rules_;
};

TEST(Engine6PropertyTest, LeasesAreExclusiveAndKept) {
  const std::uint64_t seed = test::TestSeed(1);
  std::set<std::string> rules;
  for (std::uint64_t run = 0; run < 20; ++run) {
    Storm6 storm(seed + run);
    for (int step = 0; step < 1000; ++step) {
      storm.Step();
      if (step % 16 == 0) {
        storm.Check();
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "run " << run << " step " << step;
    }
    rules.insert(storm.rules().begin(), storm.rules().end());
  }
  EXPECT_GE(rules.size(), 20U);
  std::stringstream page;
  page << std::ifstream(SLIPWAY_SOURCE_DIR "/docs/protocols/dhcp.md").rdbuf();
  for (const std::string& rule : rules) {
    EXPECT_NE(page.str().find("`" + rule + "`"), std::string::npos)
        << "docs/protocols/dhcp.md does not explain " << rule;
  }
}

}  // namespace
}  // namespace slipway::dhcp
