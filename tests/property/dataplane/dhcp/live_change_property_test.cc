// Hundreds of changes of ranges, reservations and lease times while clients come, renew and leave:
// every packet gets an answer, and no answer is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "dataplane/base/random.h"
#include "dataplane/dhcp/engine.h"
#include "tests/support/dhcp_lab.h"
#include "tests/support/seed.h"

namespace slipway::dhcp {
namespace {

using config::RangeState;
using test::BootLab;
using test::DhcpLab;
using test::kRack;
using test::Request;

constexpr std::uint32_t kRanges = 4;
constexpr std::uint32_t kRangeSize = 48;
constexpr std::uint32_t kClients = 30;
constexpr std::uint32_t kReservable = 6;  // clients that may have a reservation
constexpr int kSteps = 4000;
constexpr std::uint32_t kRangeFirst = 0x0A4D'0010;
constexpr std::uint32_t kReservedFirst = 0x0A4D'00E0;

// What the region says now.
struct World {
  std::array<std::optional<RangeState>, kRanges> ranges;
  std::array<bool, kReservable> reserved{};
  std::uint32_t lease_seconds = 600;
};

MacAddress MacOf(std::uint32_t client) {
  return MacAddress::FromU64(0x5254'0000'1000 + std::uint64_t{client});
}

Ipv4Address ReservedOf(std::uint32_t client) { return {kReservedFirst + client}; }

config::SnapshotRef Publish(const World& world) {
  BootLab lab;
  lab.subnet.lease_seconds = world.lease_seconds;
  lab.Put(lab.vlan).Put(lab.subnet).AddImages();
  for (std::uint32_t i = 0; i < kRanges; ++i) {
    if (world.ranges[i]) {
      config::RangeRecord range = lab.range;
      range.id = 100 + i;
      range.first = Ipv4Address{kRangeFirst + i * kRangeSize};
      range.last = Ipv4Address{kRangeFirst + (i + 1) * kRangeSize - 1};
      range.state = *world.ranges[i];
      lab.Put(range);
    }
  }
  for (std::uint32_t client = 0; client < kReservable; ++client) {
    lab.AddMachine(1000 + client, ToText(MacOf(client)).view(), config::BootTarget::kLocal,
                   world.reserved[client] ? ToText(ReservedOf(client)).view() : "",
                   "node" + std::to_string(client));
  }
  return lab.Finish();
}

class LiveChange {
 public:
  explicit LiveChange(std::uint64_t seed) : random_(seed) {
    world_.ranges[0] = RangeState::kActive;
    lab_.emplace(Publish(world_));
  }

  void Run() {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      const auto client = static_cast<std::uint32_t>(random_.Below(kClients));
      switch (random_.Below(8)) {
        case 0:
          Change();
          break;
        case 1:
          Pass(Duration::Seconds(static_cast<std::int64_t>(random_.Below(60))));
          break;
        case 2:
        case 3:
          Start(client);
          break;
        default:
          Renew(client);
      }
    }
    lab_->table.CheckInvariants();
    EXPECT_GT(changes_, 300);
    EXPECT_GT(naks_, 20);
  }

 private:
  struct Promise {
    Ipv4Address address;
    Instant ends;
  };

  void Change() {
    ++changes_;
    const std::size_t range = random_.Below(kRanges);
    switch (random_.Below(3)) {
      case 0:
        Toggle(random_.Below(kReservable));
        break;
      case 1:
        world_.lease_seconds = 120 + 60 * static_cast<std::uint32_t>(random_.Below(10));
        break;
      default: {
        const std::size_t state = random_.Below(4);
        world_.ranges[range].reset();
        if (state < 3) {
          world_.ranges[range] = static_cast<RangeState>(state);
        }
      }
    }
    bool any = false;
    for (const auto& state : world_.ranges) {
      any = any || state == RangeState::kActive;
    }
    if (!any) {
      world_.ranges[range] = RangeState::kActive;
    }
    lab_->Use(Publish(world_));
  }

  void Toggle(std::size_t client) { world_.reserved[client] = !world_.reserved[client]; }

  void Pass(Duration time) {
    lab_->Pass(time);
    while (lab_->engine.ExpireOne(lab_->now, lab_->effects)) {
      lab_->engine.OnDurable(lab_->effects.ticket);
    }
  }

  [[nodiscard]] std::optional<RangeState> StateOf(Ipv4Address address) const {
    const std::uint32_t index = (address.value - kRangeFirst) / kRangeSize;
    return index < kRanges ? world_.ranges[index] : std::nullopt;
  }

  [[nodiscard]] bool IsReservedFor(std::uint32_t client, Ipv4Address address) const {
    return client < kReservable && world_.reserved[client] && ReservedOf(client) == address;
  }

  // Whoever was promised the address may use it until then.
  void ExpectFree(std::uint32_t client, Ipv4Address address) {
    for (const auto& [other, promise] : promises_) {
      EXPECT_FALSE(other != client && promise.address == address &&
                   promise.ends > lab_->now.instant)
          << "client " << client << " got what client " << other << " holds";
    }
  }

  // A DISCOVER is always answered, with an address that may be given now; sometimes things change
  // before the REQUEST, which is answered all the same.
  void Start(std::uint32_t client) {
    ASSERT_EQ(lab_->Handle(Request(MessageType::kDiscover, MacOf(client)).Build()),
              Reason::kOffered);
    const Ipv4Address offered = lab_->Reply().yiaddr;
    EXPECT_TRUE(StateOf(offered) == RangeState::kActive || IsReservedFor(client, offered));
    ExpectFree(client, offered);
    const bool changed = random_.Below(4) == 0;
    if (changed) {
      Change();
    }
    const Reason reason = lab_->HandleDurably(Request(MessageType::kRequest, MacOf(client))
                                                  .Address(Option::kRequestedAddress, offered)
                                                  .Address(Option::kServerIdentifier, kRack)
                                                  .Build());
    if (reason == Reason::kNaked) {
      ++naks_;
      EXPECT_TRUE(changed);
      return;  // it goes on with what it has, until that ends or it asks again
    }
    Acked(client, offered, reason, Duration::Seconds(world_.lease_seconds));
  }

  void Renew(std::uint32_t client) {
    const auto found = promises_.find(client);
    if (found == promises_.end() || found->second.ends <= lab_->now.instant) {
      return;
    }
    const Promise before = found->second;
    const Reason reason = lab_->Renew(MacOf(client), before.address);
    const bool active = StateOf(before.address) == RangeState::kActive;
    const bool moves =
        client < kReservable && world_.reserved[client] && ReservedOf(client) != before.address;
    const bool stays = active || IsReservedFor(client, before.address);
    if (reason == Reason::kNaked) {
      ++naks_;
      promises_.erase(found);
      const bool short_rest = before.ends - lab_->now.instant < Duration::Seconds(30);
      EXPECT_TRUE(moves ||
                  (!stays && (short_rest || StateOf(before.address) == RangeState::kRevoked)))
          << "client " << client << " lost its address without reason";
      return;
    }
    EXPECT_FALSE(StateOf(before.address) == RangeState::kRevoked);
    Acked(client, before.address, reason,
          stays ? Duration::Seconds(world_.lease_seconds) : before.ends - lab_->now.instant);
  }

  void Acked(std::uint32_t client, Ipv4Address address, Reason reason, Duration at_most) {
    ASSERT_TRUE(reason == Reason::kAcked || reason == Reason::kAckedFromMemory) << ToString(reason);
    ExpectFree(client, address);
    const Duration lease = Duration::Seconds(lab_->Reply().GetNumber(Option::kLeaseTime));
    EXPECT_GT(lease, Duration{});
    EXPECT_LE(lease, at_most);
    // A shorter promise of later may get lost: the longer one counts.
    const auto before = promises_.find(client);
    const bool same = before != promises_.end() && before->second.address == address;
    const Instant ends = lab_->now.instant + lease;
    promises_[client] = {address, same ? std::max(before->second.ends, ends) : ends};
  }

  SeededRandom random_;
  World world_;
  std::optional<DhcpLab> lab_;
  std::map<std::uint32_t, Promise> promises_;
  int changes_ = 0;
  int naks_ = 0;
};

TEST(LiveChangePropertyTest, EveryPacketIsAnsweredRightlyThroughChanges) {
  const std::uint64_t seed = test::TestSeed(1);
  for (std::uint64_t run = 0; run < 8 && !HasFailure(); ++run) {
    SCOPED_TRACE(seed + run);
    LiveChange(seed + run).Run();
  }
}

}  // namespace
}  // namespace slipway::dhcp
