// The snapshot with N machines of one interface each: build, one-record delta, lookup, memory.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/config/encode.h"
#include "dataplane/config/snapshot.h"

namespace {

using namespace slipway;  // NOLINT(google-build-using-namespace): a bench

[[nodiscard]] config::InterfaceRecord Interface(config::RecordId id, std::uint32_t salt) {
  return {.id = id,
          .machine = id,
          .mac = MacAddress::FromU64(0x52'5400'0000'00 + id),
          .vlan = 1,
          .subnet = 1,
          .address = Ipv4Address{static_cast<std::uint32_t>(0x0A00'0000 + id + salt)}};
}

[[nodiscard]] config::SnapshotRef Build(std::uint64_t count) {
  config::SnapshotBuilder builder{config::SnapshotRef{}};
  config::RecordEncoder encoder;
  for (config::RecordId id = 1; id <= count; ++id) {
    config::MachineRecord machine{.id = id, .hostname = {}, .uuid = {}, .kernel_options = {}};
    machine.hostname = std::string_view("node" + std::to_string(id));
    StoreLittle(reinterpret_cast<std::byte*>(machine.uuid.data()), id);
    (void)builder.Put(static_cast<std::uint8_t>(config::Table::kMachine), id,
                      encoder.Encode(machine));
    (void)builder.Put(static_cast<std::uint8_t>(config::Table::kInterface), id,
                      encoder.Encode(Interface(id, 0)));
  }
  return builder.Finish({.epoch = 1, .number = 1});
}

void BuildWhole(benchmark::State& state) {
  for (auto _ : state) {
    const config::SnapshotRef snapshot = Build(static_cast<std::uint64_t>(state.range(0)));
    state.counters["MiB"] = static_cast<double>(snapshot->memory_bytes()) / (1 << 20);
  }
}

BENCHMARK(BuildWhole)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void OneRecordDelta(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  config::SnapshotRef current = Build(count);
  config::RecordEncoder encoder;
  SeededRandom random(1);
  std::uint32_t salt = 0;
  std::uint64_t number = 1;
  for (auto _ : state) {
    const config::RecordId id = 1 + random.Below(count);
    config::SnapshotBuilder builder(current);
    salt += 1'000'000;
    (void)builder.Put(static_cast<std::uint8_t>(config::Table::kInterface), id,
                      encoder.Encode(Interface(id, salt & 0xFF'FFFF)));
    current = builder.Finish({.epoch = 1, .number = ++number});
  }
}

BENCHMARK(OneRecordDelta)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void LookUpByMac(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  const config::SnapshotRef snapshot = Build(count);
  SeededRandom random(1);
  for (auto _ : state) {
    const config::RecordId id = 1 + random.Below(count);
    const config::InterfaceRecord* const found =
        snapshot->InterfaceByMac(MacAddress::FromU64(0x52'5400'0000'00 + id));
    benchmark::DoNotOptimize(snapshot->MachineById(found->machine));
  }
}

BENCHMARK(LookUpByMac)->Arg(10'000)->Arg(100'000);

}  // namespace
