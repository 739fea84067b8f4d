// Time and allocations of one DHCPv6 exchange in the core: decode, decide, lease table, encode, and
// the lease's record; without sockets and disk.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "tests/support/dhcp6_lab.h"

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

namespace slipway::dhcp {
namespace {

using test::Dhcp6Lab;
using test::Request6;

config::SnapshotRef Slash64() {
  test::BootLab lab;
  lab.range6.first = test::V6("2001:db8:77::");
  lab.range6.last = test::V6("2001:db8:77::ffff:ffff:ffff:ffff");
  return Dhcp6Lab::AddNetworks(lab).Finish();
}

lease::TableOptions Options() {
  lease::TableOptions options;
  options.hash_seed = 42;
  return options;
}

// Where a run of bytes lies in a packet. REQUIRES: it is in there.
std::size_t Find(const std::vector<std::byte>& packet, std::span<const std::byte> bytes) {
  const auto at = std::search(packet.begin(), packet.end(), bytes.begin(), bytes.end());
  return static_cast<std::size_t>(at - packet.begin());
}

// Solicit, Advertise, Request, record, Reply of client after client in a /64, beside `bound`
// others.
void Exchange(benchmark::State& state, bool relayed) {
  Dhcp6Lab lab(Slash64(), Options());
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    if (!lab.Exchange(test::DuidLl(MacAddress::FromU64(0x0200'0000'0000 + number))).is_set()) {
      std::abort();
    }
  }
  std::vector<RelayHop> relays;
  if (relayed) {
    relays.push_back({.hops = 0, .link = test::V6("2001:db8:88::1"), .peer = test::V6("fe80::5")});
    lab.context.source = test::V6("2001:db8:88::1");
    lab.context.destination = test::kRack6;
  }
  const auto duid = test::DuidLl(MacAddress::FromU64(0x0400'0000'0000));
  auto solicit = Request6(MessageType6::kSolicit, 1, relays)
                     .Client(duid)
                     .IaNa()
                     .Asks({Option6::kDnsServers, Option6::kDomainList})
                     .Build();
  auto request = Request6(MessageType6::kRequest, 1, relays)
                     .Client(duid)
                     .Server(Dhcp6Lab::ServerId())
                     .IaNa(1, {test::kRack6})
                     .Asks({Option6::kDnsServers, Option6::kDomainList})
                     .Build();
  const std::size_t solicit_mac = Find(solicit, duid) + 4;
  const std::size_t request_mac = Find(request, duid) + 4;
  const std::array wanted_header{std::byte{0}, std::byte{5}, std::byte{0}, std::byte{24}};
  const std::size_t wanted = Find(request, wanted_header) + 4;
  std::uint64_t client = 0;
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    const MacAddress mac = MacAddress::FromU64(++client % 30'000 + 0x0400'0000'0000);
    const auto octets = std::as_bytes(std::span(mac.octets));
    std::ranges::copy(octets, solicit.begin() + static_cast<std::ptrdiff_t>(solicit_mac));
    std::ranges::copy(octets, request.begin() + static_cast<std::ptrdiff_t>(request_mac));
    lab.engine.Handle(solicit, lab.context, *lab.snapshot, lab.now, lab.out, lab.effects);
    const IpAddress& offered = lab.effects.ticket.address;
    std::ranges::copy(std::as_bytes(std::span(offered.v6().octets)),
                      request.begin() + static_cast<std::ptrdiff_t>(wanted));
    lab.engine.Handle(request, lab.context, *lab.snapshot, lab.now, lab.out, lab.effects);
    lab.engine.OnDurable(lab.effects.ticket);
    if (lab.effects.reason != Reason6::kReplied &&
        lab.effects.reason != Reason6::kRepliedFromMemory) {
      state.SkipWithError("no lease");
      break;
    }
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}

void BM_ExchangeOfPlainClients6(benchmark::State& state) { Exchange(state, false); }

void BM_ExchangeThroughARelay6(benchmark::State& state) { Exchange(state, true); }

BENCHMARK(BM_ExchangeOfPlainClients6)->Arg(0)->Arg(80'000);
BENCHMARK(BM_ExchangeThroughARelay6)->Arg(0)->Arg(80'000);

}  // namespace
}  // namespace slipway::dhcp
