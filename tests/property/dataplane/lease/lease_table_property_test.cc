// The lease table against plain containers: what a client was promised, nobody else gets before it
// is over, through random operations, changes of ranges, crashes and restarts.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/lease/lease_table.h"
#include "dataplane/lease/record.h"
#include "tests/support/boot_lab.h"
#include "tests/support/seed.h"

namespace slipway::lease {
namespace {

using test::BootLab;
using test::kSubnet;
using test::kVlan;

struct Promise {
  std::uint64_t client = 0;
  Instant ends;
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    Use(Ranges(0));
    table_ = MakeTable();
  }

  void Step() {
    switch (random_.Below(12)) {
      case 0:
        now_.instant =
            now_.instant + Duration::Seconds(static_cast<std::int64_t>(random_.Below(200)));
        return Expire();
      case 1:
        return Release();
      case 2:
        return Decline();
      case 3:
        return random_.Below(20) == 0 ? Use(Ranges(random_.Below(3))) : Expire();
      case 4:
        return random_.Below(50) == 0 ? Crash() : Expire();
      case 5:
        return table_->Maintain(*snapshot_, {}, 64);
      default:
        return OfferAndBind();
    }
  }

  void Check() const {
    table_->CheckInvariants();
    const PoolCounts counts = table_->CountsOf(kSubnet);
    ASSERT_EQ(counts.size, counts.free + counts.offered + counts.bound + counts.reusable +
                               counts.declined + Marked());
    for (const auto& [address, promise] : promises_) {
      if (promise.ends <= now_.instant) {
        continue;
      }
      const Lease* lease = table_->ByAddress({address});
      ASSERT_NE(lease, nullptr);
      ASSERT_EQ(lease->state, State::kBound);
      ASSERT_EQ(lease->client, ClientOf(promise.client).key);
      ASSERT_GE(lease->ends, promise.ends);
    }
  }

 private:
  static std::unique_ptr<LeaseTable> NewTable() {
    TableOptions options;
    options.leases_max = 96;
    options.pools_max = 4;
    options.ranges_max = 16;
    options.pool_addresses_max = 512;
    options.hash_seed = 3;
    return std::make_unique<LeaseTable>(options);
  }

  std::unique_ptr<LeaseTable> MakeTable() const {
    auto table = NewTable();
    table->Rebuild(*snapshot_);
    return table;
  }

  static config::SnapshotRef Ranges(std::uint64_t which) {
    BootLab lab;
    lab.range.last = test::V4(which == 0 ? "10.77.0.150" : "10.77.0.180");
    lab.AddNetwork().AddMachine(1, "02:ff:00:00:00:01", config::BootTarget::kLocal, "10.77.0.120");
    if (which == 2) {
      config::RangeRecord reserved = lab.range;
      reserved.id = 7;
      reserved.kind = config::RangeKind::kReserved;
      reserved.first = test::V4("10.77.0.130");
      reserved.last = test::V4("10.77.0.140");
      lab.Put(reserved);
    }
    return lab.Finish();
  }

  void Use(config::SnapshotRef next) {
    snapshot_ = std::move(next);
    if (table_ != nullptr) {
      table_->Rebuild(*snapshot_);
    }
  }

  // Positions that are taken without an entry: reservations met on the way.
  std::uint32_t Marked() const {
    const PoolCounts counts = table_->CountsOf(kSubnet);
    const std::uint32_t held =
        counts.offered + counts.bound + counts.reusable + counts.declined + counts.free;
    EXPECT_LE(held, counts.size);
    EXPECT_LE(counts.size - held, 2U);
    return counts.size - held;
  }

  static Client ClientOf(std::uint64_t number) {
    const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number);
    return {.key = ClientKey::FromMac(mac), .mac = mac, .vlan = kVlan, .machine = 9};
  }

  Client AnyClient(std::uint64_t& number) {
    number = random_.Below(90);
    return ClientOf(number);
  }

  void OfferAndBind() {
    std::uint64_t number = 0;
    const Client client = AnyClient(number);
    const OfferRequest request{
        .client = client,
        .subnet = kSubnet,
        .reserved = {},
        .requested = {static_cast<std::uint32_t>(test::kPoolFirst.value + random_.Below(120))},
        .excluded = {}};
    const Result<const Lease*> offer = table_->Offer(request, *snapshot_, now_.instant);
    if (!offer || random_.Below(3) == 0) {
      return;
    }
    const Ipv4Address address = (*offer)->address;
    const auto seconds = static_cast<std::int64_t>(30 + random_.Below(600));
    const Result<BindResult> bound =
        table_->Bind(client, address, Duration::Seconds(seconds), now_.instant, {});
    ASSERT_TRUE(bound.has_value());
    if (bound->needs_log) {
      Record(*bound->lease);
      if (random_.Below(4) == 0) {
        return;  // The commit is under way: nothing was said to the client.
      }
    }
    const Instant ends = now_.instant + Duration::Seconds(seconds);
    const auto held = promises_.find(address.value);
    if (held != promises_.end() && held->second.client != number) {
      ASSERT_LE(held->second.ends, now_.instant) << "an address in two live leases";
    }
    const bool same = held != promises_.end() && held->second.client == number;
    promises_[address.value] = {number, same ? std::max(ends, held->second.ends) : ends};
  }

  void Record(const Lease& lease) {
    const ByteSpan fact = encoder_.Encode(lease, table_->DetailOf(lease), now_);
    log_.emplace_back(fact.begin(), fact.end());
    table_->MarkDurable(lease.address, lease.version);
  }

  void Release() {
    std::uint64_t number = 0;
    const Client client = AnyClient(number);
    const Lease* lease = table_->ByClient(client.key, kVlan);
    if (lease == nullptr) {
      return;
    }
    const Ipv4Address address = lease->address;
    if (const auto ended = table_->Release(client, address, now_.instant)) {
      Record(**ended);
      promises_.erase(address.value);
    }
  }

  void Decline() {
    std::uint64_t number = 0;
    const Client client = AnyClient(number);
    const Lease* lease = table_->ByClient(client.key, kVlan);
    if (lease == nullptr || lease->state != State::kBound) {
      return;
    }
    const Ipv4Address address = lease->address;
    (void)table_->Decline(client, address, now_.instant);
    Record(*table_->ByAddress(address));
    promises_.erase(address.value);
  }

  void Expire() {
    std::array<const Lease*, 4> out{};
    for (std::size_t n = out.size(); n == out.size();) {
      n = table_->Expire(now_.instant, out);
      for (std::size_t i = 0; i < n; ++i) {
        Record(*out[i]);
      }
    }
  }

  // The process dies and starts again from its records; sometimes the whole machine did.
  void Crash() {
    if (random_.Below(2) == 0) {
      const auto away = static_cast<std::int64_t>(random_.Below(100));
      const Instant before = now_.instant;
      now_.boot_id += 1;
      now_.instant = {Duration::Seconds(3).ns};
      now_.wall = {now_.wall.ns + Duration::Seconds(away).ns};
      for (auto& [address, promise] : promises_) {
        promise.ends = now_.instant + (promise.ends - (before + Duration::Seconds(away)));
      }
    }
    table_ = MakeTable();
    for (const auto& fact : log_) {
      const Result<RestoredLease> restored = DecodeLease(fact);
      ASSERT_TRUE(restored.has_value());
      ASSERT_TRUE(table_->Restore(*restored, now_).has_value());
    }
  }

  SeededRandom random_;
  config::SnapshotRef snapshot_;
  std::unique_ptr<LeaseTable> table_;
  LeaseEncoder encoder_;
  std::vector<std::vector<std::byte>> log_;
  std::map<std::uint32_t, Promise> promises_;
  Now now_{.instant = {Duration::Seconds(100).ns},
           .wall = {Duration::Seconds(1'700'000'000).ns},
           .boot_id = 1,
           .wall_synchronised = true};
};

TEST(LeaseTablePropertyTest, PromisesAreKept) {
  const std::uint64_t seed = test::TestSeed(1);
  for (std::uint64_t run = 0; run < 40; ++run) {
    Model model(seed + run);
    for (int step = 0; step < 1500; ++step) {
      model.Step();
      if (step % 16 == 0) {
        model.Check();
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "run " << run << " step " << step;
    }
  }
}

}  // namespace
}  // namespace slipway::lease
