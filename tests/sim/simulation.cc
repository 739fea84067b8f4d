#include "tests/sim/simulation.h"

#include <algorithm>
#include <array>
#include <memory>

#include "dataplane/boot/paths.h"
#include "dataplane/boot/script.h"

namespace slipway::sim {
namespace {

constexpr std::uint64_t kTokenId = 77;

[[nodiscard]] link::PublicKey KeyOf(std::uint8_t last) {
  link::PublicKey key;
  key.bytes.fill(std::byte{0x31});
  key.bytes.back() = std::byte{last};
  return key;
}

[[nodiscard]] MacAddress MacOf(std::size_t number) {
  return MacAddress::FromU64(0x5254'0001'0000 + number);
}

[[nodiscard]] std::string DocumentOf(MacAddress mac) {
  const std::string text(ToText(mac).view());
  std::string tail = text;
  std::erase(tail, ':');
  return R"({"format":1,"uuid":"11223344-5566-7788-99aa-)" + tail +
         R"(","cpu":{"threads":4,"model":"sim"},"memory_mib":2048,"architecture":"x86_64",)"
         R"("firmware":"bios","system":{"vendor":"sim","serial":")" +
         tail + R"("},"disks":[],"interfaces":[{"name":"eth0","mac":")" + text +
         R"(","link":true}]})";
}

// One file, which the rack has not: enough for decisions and scripts.
[[nodiscard]] std::string ImageOf(std::string_view name, std::string_view kind,
                                  std::string_view file, std::string_view role) {
  std::string text = R"({"name":")";
  text.append(name).append(R"(","kind":")").append(kind);
  text.append(R"(","architecture":"amd64","files":[{"name":")").append(file);
  text.append(R"(","role":")").append(role);
  text.append(R"(","sha256":")").append(std::string(64, 'a')).append(R"(","bytes":1000}]})");
  return text;
}

}  // namespace

Simulation::Simulation(const SimulationOptions& options)
    : world(options.seed),
      judge(&world),
      segment(&world),
      wire(&world),
      region({.world = &world, .judge = &judge, .wire = &wire}, options.seed),
      rack({.world = &world, .segment = &segment, .judge = &judge, .wire = &wire}, options.seed,
           KeyOf(1), KeyOf(2)),
      options_(options) {
  for (std::size_t i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<SimClient>(&world, &segment, &judge, MacOf(i)));
    clients.back()->SetOnBound([this](SimClient& client) {
      world.After(Duration::Seconds(1), [this, &client] { FetchScript(client); });
    });
  }
}

void Simulation::SetUp() {
  using model::Kind;
  region.Start();
  const bool made =
      region.Create(Kind::kFabric, R"({"name":"lab"})") &&
      region.Create(Kind::kVlan, R"({"name":"boot","fabric":"lab","unknown_policy":"enlist"})",
                    &vlan) &&
      region.Create(Kind::kSubnet,
                    R"({"name":"ten","vlan":"boot","cidr":"10.77.0.0/16","gateway":"10.77.0.1",)"
                    R"("lease_seconds":)" +
                        std::to_string(options_.lease_seconds) + "}",
                    &subnet) &&
      region.Create(Kind::kRange, R"({"subnet":"ten","first":"10.77.1.1","last":"10.77.2.100"})") &&
      region.Create(Kind::kImage, ImageOf("loaders", "loader", "undionly.kpxe", "loader")) &&
      region.Create(Kind::kImage, ImageOf("launcher", "launcher", "vmlinuz", "kernel")) &&
      region.AddToken(kTokenId, KeyOf(2));
  judge.Require(made, "the model of the lab is refused");
  rack.Start();
  judge.Require(RunUntil(Duration::Seconds(10), [&] { return rack.link_up(); }),
                "the rack does not enrol");
  if (!judge.ok()) {
    return;
  }
  const model::EntityId id = region.FindRack();
  judge.Require(region.Create(Kind::kServedInterface,
                              R"({"rack":")" + model::FormatId(Kind::kRack, id) + R"(","name":")" +
                                  std::string(kServedName) + R"(","vlan":"boot"})"),
                "the served interface is refused");
  judge.Require(RunUntil(Duration::Seconds(10), [&] { return Unwell().empty(); }),
                "the rack does not come to serve: " + Unwell());
}

void Simulation::RunFor(Duration span) {
  const Instant end = world.now() + span;
  while (judge.ok() && world.now() < end) {
    world.RunFor(std::min(Duration::Millis(100), end - world.now()));
  }
}

void Simulation::Boot(SimClient& client, bool keeps_address) { client.Boot(keeps_address); }

void Simulation::BootAll() {
  for (const auto& client : clients) {
    client->Boot();
  }
}

bool Simulation::AllBound() const {
  return std::all_of(clients.begin(), clients.end(),
                     [](const auto& client) { return client->bound() || client->off(); });
}

// A machine that is to wait asks again, as its script says; one that boots its own disk is done.
void Simulation::FetchScript(SimClient& client) {
  if (!client.bound() || enlisted.contains(client.mac())) {
    return;
  }
  const std::string script = rack.FetchScript(client.address());
  const std::string_view key = boot::kArgumentToken;
  const std::size_t at = script.find(key);
  if (at != std::string::npos) {
    ++scripts;
    const std::size_t begin = at + key.size();
    PostInventory(client, script.substr(begin, script.find_first_of(" \n", begin) - begin));
  } else if (script.empty() || script.find("Slipway: wait") != std::string::npos) {
    world.After(Duration::Seconds(boot::kWaitSeconds), [this, &client] { FetchScript(client); });
  }
}

// Until the rack says that it is durable. A token that is not taken any more (the rack's host has
// been restarted) needs another boot.
void Simulation::PostInventory(SimClient& client, const std::string& token) {
  if (!client.bound() || enlisted.contains(client.mac())) {
    return;
  }
  const auto denied = std::make_shared<bool>(false);
  rack.PostInventory(client.address(), token, DocumentOf(client.mac()),
                     [this, &client, denied](service::InventoryVerdict verdict) {
                       *denied = verdict == service::InventoryVerdict::kDenied;
                       if (verdict == service::InventoryVerdict::kAccepted) {
                         world.Log("inventory of " + std::string(ToText(client.mac()).view()));
                         enlisted.insert(client.mac());
                       }
                     });
  world.After(Duration::Seconds(3), [this, &client, token, denied] {
    if (*denied) {
      FetchScript(client);
    } else {
      PostInventory(client, token);
    }
  });
}

void Simulation::Heal() {
  world.Log("healing");
  segment.SetFaults({});
  wire.SetFaults({});
  rack.disk().FailWrites(0);
  rack.disk().FailSyncs(0);
  rack.disk().SetReadOnly(false);
  rack.disk().SetCapacity(UINT64_MAX);
  region.SetFactsFailing(false);
  region.Start();
  rack.Start();
  for (const auto& client : clients) {
    if (client->off()) {
      client->Boot();
    }
  }
}

std::string Simulation::Unwell() {
  if (!region.is_up() || !rack.is_up() || !rack.link_up()) {
    return "the link is down";
  }
  const publish::RackStatus wanted = region.StatusOfRack();
  const link::GenerationState live = rack.live();
  if (live.generation != wanted.generation || live.hash != wanted.hash) {
    return "the rack serves " + std::to_string(live.generation.number) + ", published is " +
           std::to_string(wanted.generation.number);
  }
  if (rack.journal_failing()) {
    return "the journal fails";
  }
  if (!rack.outbox_empty()) {
    return "the outbox is not empty";
  }
  if (!AllBound()) {
    return "a client has no address";
  }
  for (const MacAddress mac : enlisted) {
    if (!region.HasMachine(mac)) {
      return "an accepted inventory has made no machine";
    }
  }
  return {};
}

void Simulation::Finish() {
  Heal();
  const bool well =
      RunUntil(kHealingTime, [&] { return Unwell().empty() && (rack.CheckLeases(), true); });
  judge.Require(well, "liveness: after healing, " + Unwell());
  if (!judge.ok()) {
    return;
  }
  CheckEnlisted();
  rack.CheckAtRest();
}

void Simulation::CheckEnlisted() {
  const auto page = region.facts().InventoriesAfter(0, store::kFactsPageMax);
  judge.Require(page.has_value(), "the region's inventories cannot be read");
  std::set<MacAddress> seen;
  for (const store::InventoryRow& row : page->rows) {
    seen.insert(row.mac);
  }
  for (const MacAddress mac : enlisted) {
    judge.Require(seen.contains(mac), "9: an accepted inventory is not at the region");
  }
  // What the region thinks of leases is what the rack has.
  const auto leases = region.facts().Leases(std::nullopt, store::kFactsPageMax);
  judge.Require(leases.has_value(), "the region's leases cannot be read");
  const auto bound = std::count_if(leases->rows.begin(), leases->rows.end(), [](const auto& row) {
    return row.state == store::LeaseState::kBound;
  });
  judge.Require(static_cast<std::uint32_t>(bound) == rack.leases_bound(),
                "9: the region knows " + std::to_string(bound) + " leases, the rack has " +
                    std::to_string(rack.leases_bound()));
}

void Simulation::Reserve(SimClient& client, Ipv4Address address) {
  using model::Kind;
  const std::string mac(ToText(client.mac()).view());
  const std::string text(ToText(address).view());
  judge.OnMayMove(client.mac());
  const model::EntityId known = region.FindInterface(client.mac());
  if (known.is_set()) {
    (void)region.Patch({.kind = Kind::kInterface, .id = known}, R"({"address":")" + text + "\"}");
    return;
  }
  model::EntityId machine;
  if (region.Create(Kind::kMachine, "{}", &machine)) {
    (void)region.Create(Kind::kInterface,
                        R"({"machine":")" + model::FormatId(Kind::kMachine, machine) +
                            R"(","mac":")" + mac + R"(","address":")" + text + "\"}");
  }
}

}  // namespace slipway::sim
