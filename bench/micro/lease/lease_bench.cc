// The lease table alone: what it costs to find an address for a new client in an empty pool, in one
// that is 99.9 % full, and in an IPv6 subnet; and the memory of a lease.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>

#include "dataplane/lease/lease_table.h"
#include "tests/support/boot_lab.h"

namespace {

std::uint64_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }

void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace slipway::lease {
namespace {

constexpr std::uint64_t kClients = 65'536;

Client ClientOf(std::uint64_t number, Family family) {
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number);
  return {.key = ClientKey::FromMac(mac, family), .mac = mac, .vlan = test::kVlan, .machine = 9};
}

// A /16 of IPv4 addresses and a /64 of IPv6 addresses, with `bound` leases in one of them.
struct Rack {
  Rack(Family which, std::uint64_t bound) : family(which), table(Options()) {
    test::BootLab lab;
    lab.subnet.prefix = *IpPrefix::Parse("10.76.0.0/15");
    lab.range.first = test::V4("10.77.0.0");
    lab.range.last = test::V4("10.77.255.255");
    lab.range6.first = test::V6("2001:db8:77::");
    lab.range6.last = test::V6("2001:db8:77::ffff:ffff:ffff:ffff");
    snapshot = lab.AddNetwork().AddNetwork6().Finish();
    table.Rebuild(*snapshot);
    for (std::uint64_t i = 0; i < bound; ++i) {
      const Lease* lease = Offer(i);
      if (!table.Bind(ClientOf(i, family), lease->address, Duration::Seconds(1 << 30), now, {})) {
        std::abort();
      }
    }
  }

  static TableOptions Options() {
    TableOptions options;
    options.hash_seed = 42;
    return options;
  }

  const Lease* Offer(std::uint64_t number) {
    const Result<const Lease*> lease =
        table.Offer({.client = ClientOf(number, family),
                     .subnet = family == Family::kV4 ? test::kSubnet : test::kSubnet6,
                     .reserved = {},
                     .requested = {},
                     .excluded = {}},
                    *snapshot, now);
    if (!lease) {
      std::abort();
    }
    return *lease;
  }

  Family family;
  config::SnapshotRef snapshot;
  LeaseTable table;
  Instant now{1'000'000'000};
};

// A new client's offer, and its end, so that the pool stays as full as it is.
void NewClient(benchmark::State& state, Family family) {
  Rack rack(family, static_cast<std::uint64_t>(state.range(0)));
  std::uint64_t client = kClients;
  std::array<const Lease*, 1> ended{};
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rack.Offer(++client));
    rack.now = rack.now + kOfferHold;
    if (rack.table.Expire(rack.now, ended) != 0) {
      state.SkipWithError("a lease ended");
      break;
    }
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}

void BM_NewClientInASlash16(benchmark::State& state) { NewClient(state, Family::kV4); }

void BM_NewClientInASlash64(benchmark::State& state) { NewClient(state, Family::kV6); }

// Empty; 99.9 % full.
BENCHMARK(BM_NewClientInASlash16)->Arg(0)->Arg(65'470);
BENCHMARK(BM_NewClientInASlash64)->Arg(0)->Arg(65'470);

void BM_MemoryPerLease(benchmark::State& state) {
  TableOptions options;
  options.leases_max = 1'000'000;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes = LeaseTable::MemoryBytes(options));
  }
  state.counters["bytes_per_lease"] = static_cast<double>(bytes) / options.leases_max;
}

BENCHMARK(BM_MemoryPerLease);

}  // namespace
}  // namespace slipway::lease
