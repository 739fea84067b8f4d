// Time and allocations of one DHCP exchange in the core: decode, decide, lease table, encode, and
// the lease's record; without sockets and disk.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "dataplane/dhcp/engine.h"
#include "dataplane/net/frame.h"
#include "tests/support/dhcp_lab.h"

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

using test::kRack;
using test::Request;

// A /16 pool with `leases` clients bound.
struct Fleet {
  explicit Fleet(std::uint64_t leases, bool options = false) : lab(Snapshot(options), Options()) {
    for (std::uint64_t i = 0; i < leases; ++i) {
      const MacAddress mac = MacAddress::FromU64(0x0200'0000'0000 + i);
      if (lab.Dora(mac).is_any()) {
        std::abort();
      }
    }
  }

  // With `options`: twenty of them in four scopes, and two classes that all clients are looked at
  // for.
  static config::SnapshotRef Snapshot(bool options) {
    test::BootLab lab;
    lab.subnet.prefix = *IpPrefix::Parse("10.76.0.0/14");
    lab.range.first = test::V4("10.78.0.0");
    lab.range.last = test::V4("10.79.255.255");
    lab.AddNetwork().AddImages();
    for (config::RecordId i = 0; options && i < 20; ++i) {
      constexpr OptionScope kScopes[] = {OptionScope::kGlobal, OptionScope::kVlan,
                                         OptionScope::kSubnet, OptionScope::kRange};
      constexpr config::RecordId kPlaces[] = {0, test::kVlan, test::kSubnet, test::kRange};
      lab.Put(config::DhcpOptionRecord{.id = 1 + i,
                                       .scope = kScopes[i % 4],
                                       .of = kPlaces[i % 4],
                                       .code = static_cast<std::uint16_t>(224 + i),
                                       .value = AsBytes("12345678")});
    }
    for (config::RecordId id = 1; options && id <= 2; ++id) {
      config::DhcpClassRecord record;
      record.id = id;
      record.vendor_class = std::string_view("nobody");
      lab.Put(record);
    }
    return lab.Finish();
  }

  static lease::TableOptions Options() {
    lease::TableOptions options;
    options.hash_seed = 42;
    return options;
  }

  test::DhcpLab lab;
};

// DISCOVER, OFFER, REQUEST, record, ACK of client after client, each with a frame for its reply.
void Exchange(benchmark::State& state, bool boots, bool options = false) {
  Fleet fleet(static_cast<std::uint64_t>(state.range(0)), options);
  test::DhcpLab& lab = fleet.lab;
  Request discover_request(MessageType::kDiscover, {});
  Request request_request(MessageType::kRequest, {});
  if (boots) {
    for (Request* request : {&discover_request, &request_request}) {
      request->Text(Option::kVendorClass, "PXEClient:Arch:00007:UNDI:003000")
          .Bytes(Option::kClientArchitecture, {0, 7});
    }
  }
  auto discover = discover_request.Build();
  auto request = request_request.Address(Option::kServerIdentifier, kRack)
                     .Address(Option::kRequestedAddress, kRack)
                     .Build();
  const std::array<std::byte, 2> requested = {std::byte{50}, std::byte{4}};
  const auto at =
      std::search(request.begin() + 240, request.end(), requested.begin(), requested.end()) + 2;
  std::array<std::byte, 2048> frame{};
  std::uint64_t client = 0x0300'0000'0000;
  const auto send = [&] {
    benchmark::DoNotOptimize(net::BuildUdp4Frame(
        frame, {.mac = {}, .address = kRack, .port = kServerPort},
        {lab.effects.reply.mac, lab.effects.reply.address, kClientPort}, lab.ReplyBytes()));
  };
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    const MacAddress mac = MacAddress::FromU64(++client % 30'000 + 0x0400'0000'0000);
    std::ranges::copy(std::as_bytes(std::span(mac.octets)), discover.begin() + 28);
    std::ranges::copy(std::as_bytes(std::span(mac.octets)), request.begin() + 28);
    lab.engine.Handle(discover, lab.context, *lab.snapshot, lab.now, lab.out, lab.effects);
    send();
    StoreBig(&*at, LoadBig<std::uint32_t>(&lab.out[16]));
    lab.engine.Handle(request, lab.context, *lab.snapshot, lab.now, lab.out, lab.effects);
    lab.engine.OnDurable(lab.effects.ticket);
    send();
    if (lab.effects.reason != Reason::kAcked && lab.effects.reason != Reason::kAckedFromMemory) {
      state.SkipWithError("no lease");
      break;
    }
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}

void BM_DoraOfPlainClients(benchmark::State& state) { Exchange(state, false); }

void BM_DoraOfFirmware(benchmark::State& state) { Exchange(state, true); }

void BM_DoraWithTwentyOptions(benchmark::State& state) { Exchange(state, false, true); }

BENCHMARK(BM_DoraWithTwentyOptions)->Arg(0);

// With nobody else, and beside 80,000 bound clients.
BENCHMARK(BM_DoraOfPlainClients)->Arg(0)->Arg(80'000);
BENCHMARK(BM_DoraOfFirmware)->Arg(0)->Arg(80'000);

void BM_Decode(benchmark::State& state) {
  const auto packet = test::ReadHex(SLIPWAY_SOURCE_DIR "/tests/vectors/dhcp/ipxe-bios-request.hex");
  Message message;
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Decode(packet, message));
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}

BENCHMARK(BM_Decode);

// An address for a client that was never seen, from a /16 of which `bound` addresses are taken; the
// offer lapses, so that the range stays as full as it is.
void Allocate(benchmark::State& state, std::uint32_t bound) {
  test::BootLab boot;
  boot.subnet.prefix = *IpPrefix::Parse("10.76.0.0/14");
  boot.range.first = test::V4("10.78.0.0");
  boot.range.last = test::V4("10.78.255.255");
  const config::SnapshotRef snapshot = boot.AddNetwork().Finish();
  lease::LeaseTable table(Fleet::Options());
  table.Rebuild(*snapshot);
  Instant now{1'000'000'000};
  std::uint64_t last_mac = 0x0400'0000'0000;
  // Machines that are known: unknown ones leave a part of each range to them.
  const auto next_client = [&] {
    const MacAddress mac = MacAddress::FromU64(++last_mac);
    return lease::Client{
        .key = lease::ClientKey::FromMac(mac), .mac = mac, .vlan = boot.vlan.id, .machine = 1};
  };
  const auto allocate = [&](const lease::Client& client) {
    return table.Offer({.client = client,
                        .subnet = boot.subnet.id,
                        .reserved = {},
                        .requested = {},
                        .excluded = {}},
                       *snapshot, now);
  };
  const Duration years = Duration::Seconds(100'000'000);
  for (std::uint32_t i = 0; i < bound; ++i) {
    const lease::Client client = next_client();
    const auto given = allocate(client);
    if (!given || !table.Bind(client, (*given)->address, years, now, {})) {
      std::abort();
    }
  }
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    const auto given = allocate(next_client());
    if (!given) {
      state.SkipWithError("no address");
      break;
    }
    now = now + lease::kOfferHold + Duration::Millis(1);
    const lease::Lease* ended = nullptr;
    benchmark::DoNotOptimize(table.Expire(now, std::span(&ended, 1)));
  }
  state.counters["allocations"] = static_cast<double>(allocations - before);
}

void AllocateEmpty(benchmark::State& state) { Allocate(state, 0); }

void AllocateFull(benchmark::State& state) { Allocate(state, 65'470); }

BENCHMARK(AllocateEmpty);
BENCHMARK(AllocateFull);

}  // namespace
}  // namespace slipway::dhcp
