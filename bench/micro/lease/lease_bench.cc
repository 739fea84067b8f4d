// The lease table alone: what it costs to find an address for a new client in an IPv6 subnet, empty
// and beside many; and the memory of a lease. (A full /16 of IPv4 is a row of slipway_dhcp_bench.)
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

constexpr std::uint64_t kClients = 100'000;

Client ClientOf(std::uint64_t number) {
  const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + number);
  return {
      .key = ClientKey::FromMac(mac, Family::kV6), .mac = mac, .vlan = test::kVlan, .machine = 9};
}

// A /64 with `bound` leases.
struct Rack {
  explicit Rack(std::uint64_t bound) : table(Options()) {
    test::BootLab lab;
    lab.range6.first = test::V6("2001:db8:77::");
    lab.range6.last = test::V6("2001:db8:77::ffff:ffff:ffff:ffff");
    snapshot = lab.AddNetwork().AddNetwork6().Finish();
    table.Rebuild(*snapshot);
    for (std::uint64_t i = 0; i < bound; ++i) {
      const Lease* lease = Offer(i);
      if (!table.Bind(ClientOf(i), lease->address, Duration::Seconds(1 << 30), now, {})) {
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
    const Result<const Lease*> lease = table.Offer({.client = ClientOf(number),
                                                    .subnet = test::kSubnet6,
                                                    .reserved = {},
                                                    .requested = {},
                                                    .excluded = {}},
                                                   *snapshot, now);
    if (!lease) {
      std::abort();
    }
    return *lease;
  }

  config::SnapshotRef snapshot;
  LeaseTable table;
  Instant now{1'000'000'000};
};

// A new client's offer, and its end, so that the pool stays as full as it is.
void BM_NewClientInASlash64(benchmark::State& state) {
  Rack rack(static_cast<std::uint64_t>(state.range(0)));
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

BENCHMARK(BM_NewClientInASlash64)->Arg(0)->Arg(90'000);

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
