// The lease table against plain containers: what a client was promised, nobody else gets before it
// is over, through random operations, changes of ranges, crashes and restarts; in IPv4 and in dense
// and sparse IPv6 pools alike.
#include <gtest/gtest.h>

#include <array>
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
using test::kVlan;

enum class Kind { kV4, kDense6, kSparse6 };

struct Promise {
  std::uint64_t client = 0;
  Instant ends;
};

class Model {
 public:
  Model(std::uint64_t seed, Kind kind) : random_(seed), kind_(kind) {
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
    const PoolCounts counts = table_->CountsOf(Subnet());
    ASSERT_EQ(counts.size, counts.free + counts.offered + counts.bound + counts.reusable +
                               counts.declined + Marked());
    for (const auto& [address, promise] : promises_) {
      if (promise.ends <= now_.instant) {
        continue;
      }
      const Lease* lease = table_->ByAddress(address);
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

  // The n-th address of the pool.
  IpAddress Nth(std::uint64_t n) const {
    const IpAddress first =
        kind_ == Kind::kV4 ? IpAddress(test::kPoolFirst) : IpAddress(test::V6("2001:db8:77::1:0"));
    return AddressNumber::Of(first).Plus(n).ToAddress();
  }

  config::RecordId Subnet() const { return kind_ == Kind::kV4 ? test::kSubnet : test::kSubnet6; }

  config::SnapshotRef Ranges(std::uint64_t which) const {
    BootLab lab;
    config::RangeRecord& range = kind_ == Kind::kV4 ? lab.range : lab.range6;
    const std::uint64_t more = kind_ == Kind::kSparse6 ? std::uint64_t{1} << 40 : 0;
    range.last = Nth((which == 0 ? 50 : 80) + more);
    lab.AddNetwork().AddNetwork6().AddMachine(1, "02:ff:00:00:00:01", config::BootTarget::kLocal);
    config::InterfaceRecord interface;
    interface.id = 100'001;
    interface.machine = 1;
    interface.mac = test::Mac("02:ff:00:00:00:01");
    interface.subnet = Subnet();
    interface.address = Nth(20);
    lab.Put(interface);
    if (which == 2) {
      config::RangeRecord reserved = range;
      reserved.id = 7;
      reserved.kind = config::RangeKind::kReserved;
      reserved.first = Nth(30);
      reserved.last = Nth(40);
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
  std::uint64_t Marked() const {
    const PoolCounts counts = table_->CountsOf(Subnet());
    const std::uint64_t held =
        counts.offered + counts.bound + counts.reusable + counts.declined + counts.free;
    EXPECT_LE(held, counts.size);
    EXPECT_LE(counts.size - held, kind_ == Kind::kSparse6 ? 0U : 2U);
    return counts.size - held;
  }

  Client ClientOf(std::uint64_t number) const {
    const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number);
    const Family family = kind_ == Kind::kV4 ? Family::kV4 : Family::kV6;
    return {.key = ClientKey::FromMac(mac, family), .mac = mac, .vlan = kVlan, .machine = 9};
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
        .subnet = Subnet(),
        .reserved = {},
        .requested = random_.Below(2) == 0 ? Nth(random_.Below(120)) : IpAddress(),
        .excluded = {}};
    const Result<const Lease*> offer = table_->Offer(request, *snapshot_, now_.instant);
    if (!offer || random_.Below(3) == 0) {
      return;
    }
    const IpAddress address = (*offer)->address;
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
    const auto held = promises_.find(address);
    if (held != promises_.end() && held->second.client != number) {
      ASSERT_LE(held->second.ends, now_.instant) << "an address in two live leases";
    }
    const bool same = held != promises_.end() && held->second.client == number;
    promises_[address] = {number, same ? std::max(ends, held->second.ends) : ends};
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
    const IpAddress address = lease->address;
    if (const auto ended = table_->Release(client, address, now_.instant)) {
      Record(**ended);
      promises_.erase(address);
    }
  }

  void Decline() {
    std::uint64_t number = 0;
    const Client client = AnyClient(number);
    const Lease* lease = table_->ByClient(client.key, kVlan);
    if (lease == nullptr || lease->state != State::kBound) {
      return;
    }
    const IpAddress address = lease->address;
    (void)table_->Decline(client, address, now_.instant);
    Record(*table_->ByAddress(address));
    promises_.erase(address);
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
  Kind kind_;
  config::SnapshotRef snapshot_;
  std::unique_ptr<LeaseTable> table_;
  LeaseEncoder encoder_;
  std::vector<std::vector<std::byte>> log_;
  std::map<IpAddress, Promise> promises_;
  Now now_{.instant = {Duration::Seconds(100).ns},
           .wall = {Duration::Seconds(1'700'000'000).ns},
           .boot_id = 1,
           .wall_synchronised = true};
};

TEST(LeaseTablePropertyTest, PromisesAreKept) {
  const std::uint64_t seed = test::TestSeed(1);
  for (std::uint64_t run = 0; run < 60; ++run) {
    Model model(seed + run, std::array{Kind::kV4, Kind::kDense6, Kind::kSparse6}[run % 3]);
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
