// Inventories come from machines that nobody trusts: any bytes are applied to a small model.
#include <cstdint>
#include <string_view>

#include "controlplane/model/enlist.h"
#include "controlplane/model/live_model.h"
#include "controlplane/store/memory_store.h"
#include "dataplane/base/check.h"
#include "dataplane/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): a fuzz target
  store::MemoryStore store;
  SeededRandom random(1);
  model::LiveModel live(store, random);
  SLIP_CHECK(live.Start());
  const std::string_view document(reinterpret_cast<const char*>(data), size);
  for (std::uint64_t mac = 1; mac <= 3; ++mac) {
    // The third report is the first machine again: it must be recognised or refused.
    live.Mutate(
        [&](model::Plan& plan) -> model::Outcome {
          const auto result = model::ApplyInventory(
              plan, {.rack = {},
                     .mac = MacAddress::FromU64(0x5254'0000'0000 + (mac == 3 ? 1 : mac)),
                     .vlan = {},
                     .document = document,
                     .time = WallTime{1}});
          return result ? model::Outcome() : std::unexpected(result.error());
        },
        [](const auto&) {});
  }
  // What was stored loads again.
  model::ModelIndex index;
  SLIP_CHECK(index.Load(store));
  SLIP_CHECK(index.CountOf(model::Kind::kMachine) <= 2);
  return 0;
}
