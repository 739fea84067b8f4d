#include "tests/sim/simulation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "dataplane/boot/paths.h"
#include "dataplane/boot/script.h"

namespace slipway::sim {
namespace {

constexpr std::uint64_t kTokenId = 77;

constexpr std::string_view kVlan = "boot";
constexpr std::string_view kFarVlan = "far";

struct RackRow {
  std::string_view name;
  std::string_view address;
};

constexpr std::array<RackRow, 2> kRacks{{{"rack-a", "10.77.0.1/16"}, {"rack-b", "10.78.0.1/16"}}};

constexpr std::string_view kPairedAddress = "10.77.0.2/16";  // of rack-b

[[nodiscard]] link::PublicKey KeyOf(std::size_t last) {
  link::PublicKey key;
  key.bytes.fill(std::byte{0x31});
  key.bytes.back() = static_cast<std::byte>(last);
  return key;
}

[[nodiscard]] link::PublicKey TokenKeyOf(std::size_t rack) { return KeyOf(2 * rack + 2); }

[[nodiscard]] std::size_t RacksOf(const SimulationOptions& options) {
  return options.pair ? 2 : options.racks;
}

[[nodiscard]] RackNode::Place PlaceOf(std::size_t rack, const SimulationOptions& options) {
  return {.index = rack,
          .name = std::string(kRacks[rack].name),
          .mac = MacAddress::FromU64(0x5254'0000'0001 + rack),
          .address =
              *IpPrefix::Parse(rack == 1 && options.pair ? kPairedAddress : kRacks[rack].address),
          .own_key = KeyOf(2 * rack + 1),
          .token_key = TokenKeyOf(rack),
          .leases_max = options.leases_max};
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
      judge(&world, RacksOf(options)),
      lan(&world),
      far(&world),
      rival(&world, &lan, kRivalAddress),
      pair_wire(&world),
      region({.world = &world,
              .judge = &judge,
              .pair_show = [this](std::string_view name) { return PairJsonOf(name); }},
             options.seed),
      options_(options) {
  for (std::size_t i = 0; i < RacksOf(options); ++i) {
    wires_.push_back(std::make_unique<Wire>(&world, i));
    region.AddWire(wires_.back().get());
    Segment* const segment = i == 0 || options.pair ? &lan : &far;
    racks_.push_back(std::make_unique<RackNode>(
        RackNode::Parts{.world = &world,
                        .segment = segment,
                        .judge = &judge,
                        .wire = wires_.back().get(),
                        .pair_wire = options.pair ? &pair_wire : nullptr},
        PlaceOf(i, options), options.seed));
    judge.AddServer(rack(i).address());
  }
  AddRelays(options.relays);
  AddClients(options.clients, &lan);
  AddClients(options.far_clients, &far);
}

void Simulation::AddRelays(std::size_t count) {
  std::vector<Ipv4Address> servers{rack().address()};
  if (options_.pair) {
    servers.push_back(rack(1).address());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto last = static_cast<std::uint32_t>(10 + i);
    relays_.push_back(std::make_unique<RelayAgent>(
        &judge,
        RelayAgent::Side{&lan, MacAddress::FromU64(0x5254'0002'0000 + i), {0x0A4D'0000 + last}},
        RelayAgent::Side{&far, MacAddress::FromU64(0x5254'0003'0000 + i), {0x0A4E'0000 + last}},
        servers));
  }
}

void Simulation::AddClients(std::size_t count, Segment* segment) {
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<SimClient>(&world, segment, &judge, MacOf(clients.size())));
    clients.back()->SetOnBound([this](SimClient& client) {
      world.After(Duration::Seconds(1), [this, &client] { FetchScript(client); });
    });
  }
}

bool Simulation::MakeModel() {
  using model::Kind;
  const auto vlan_of = [&](std::string_view name, std::string_view network, model::EntityId* made,
                           model::EntityId* made_subnet) {
    const std::string vlan_name(name);
    const std::string prefix(network);
    return region.Create(Kind::kVlan,
                         R"({"name":")" + vlan_name + R"(","fabric":"lab","vid":)" +
                             (name == kVlan ? "0" : "78") + R"(,"unknown_policy":"enlist"})",
                         made) &&
           region.Create(Kind::kSubnet,
                         R"({"name":"net-)" + vlan_name + R"(","vlan":")" + vlan_name +
                             R"(","cidr":")" + prefix + R"(.0.0/16","gateway":")" + prefix +
                             R"(.0.1","lease_seconds":)" + std::to_string(options_.lease_seconds) +
                             "}",
                         made_subnet) &&
           region.Create(Kind::kRange, R"({"subnet":"net-)" + vlan_name + R"(","first":")" +
                                           prefix + R"(.1.1","last":")" + prefix + "." +
                                           std::string(options_.range_end) + R"("})");
  };
  model::EntityId ignored;
  return region.Create(Kind::kFabric, R"({"name":"lab"})") &&
         vlan_of(kVlan, "10.77", &vlan, &subnet) &&
         (!far_used() || vlan_of(kFarVlan, "10.78", &ignored, &ignored)) &&
         region.Create(Kind::kImage, ImageOf("loaders", "loader", "undionly.kpxe", "loader")) &&
         region.Create(Kind::kImage, ImageOf("launcher", "launcher", "vmlinuz", "kernel"));
}

bool Simulation::BindInterfaces() {
  const auto bind = [&](const RackNode& node, std::string_view name, std::string_view to) {
    const std::string interface =
        name.empty() ? std::string() : R"("name":")" + std::string(name) + R"(",)";
    return region.Create(model::Kind::kServedInterface, R"({"rack":")" + node.name() + R"(",)" +
                                                            interface + R"("vlan":")" +
                                                            std::string(to) + R"("})");
  };
  const bool two = racks_.size() == 2;
  return bind(rack(), kServedName, kVlan) &&
         (!two || bind(rack(1), kServedName, options_.pair ? kVlan : kFarVlan)) &&
         (relays_.empty() || bind(rack(), "", kFarVlan)) &&
         (relays_.empty() || !options_.pair || bind(rack(1), "", kFarVlan));
}

bool Simulation::MakePair() {
  return region.Create(model::Kind::kRackPair,
                       R"({"name":"pair","rack_a":")" + rack(0).name() + R"(","rack_b":")" +
                           rack(1).name() +
                           R"(","address_a":"10.9.0.1","address_b":"10.9.0.2","mclt_seconds":)" +
                           std::to_string(kMcltSeconds) + "}");
}

std::string Simulation::PairJsonOf(std::string_view name) {
  for (const auto& node : racks_) {
    if (node->name() == name) {
      return node->PairJson();
    }
  }
  return {};
}

std::string Simulation::UnwellPair() {
  for (const auto& node : racks_) {
    if (node->pair_state() != lease::PairState::kNormal) {
      return node->name() + " is in state " + std::string(ToString(node->pair_state()));
    }
  }
  const auto pair = region.Pair();
  if (!pair || !pair->formed || pair->down.is_set()) {
    return "the region does not know that the pair is in state normal";
  }
  return {};
}

void Simulation::SetUp() {
  region.Start();
  judge.Require(MakeModel(), "the model of the lab is refused");
  for (std::size_t i = 0; i < racks_.size(); ++i) {
    judge.Require(region.AddToken(kTokenId + i, TokenKeyOf(i)), "the token is refused");
    rack(i).Start();
    judge.Require(RunUntil(Duration::Seconds(10), [&] { return rack(i).link_up(); }),
                  "the rack does not enrol");
  }
  if (!judge.ok()) {
    return;
  }
  judge.Require(!options_.pair || MakePair(), "the pair is refused");
  judge.Require(BindInterfaces(), "the served interface is refused");
  judge.Require(RunUntil(Duration::Seconds(20), [&] { return Unwell().empty(); }),
                "the rack does not come to serve: " + Unwell());
}

void Simulation::Step(Duration span) {
  world.RunFor(span);
  for (const auto& node : racks_) {
    if (node->is_up()) {
      node->CheckLeases();
    }
  }
}

void Simulation::RunFor(Duration span) {
  const Instant end = world.now() + span;
  while (judge.ok() && world.now() < end) {
    Step(std::min(Duration::Millis(100), end - world.now()));
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
  RackNode* const from = RackOf(client);
  const std::string script = from != nullptr ? from->FetchScript(client.address()) : std::string();
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
  if (RackNode* const to = RackOf(client); to != nullptr) {
    to->PostInventory(client.address(), token, DocumentOf(client.mac()),
                      [this, &client, denied](service::InventoryVerdict verdict) {
                        *denied = verdict == service::InventoryVerdict::kDenied;
                        if (verdict == service::InventoryVerdict::kAccepted) {
                          world.Log("inventory of " + std::string(ToText(client.mac()).view()));
                          enlisted.insert(client.mac());
                        }
                      });
  }
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
  lan.SetFaults({});
  far.SetFaults({});
  rival.SetOn(false);
  pair_wire.SetFaults({});
  region.SetFactsFailing(false);
  region.Start();
  for (std::size_t i = 0; i < racks_.size(); ++i) {
    wire(i).SetFaults({});
    rack(i).disk().FailWrites(0);
    rack(i).disk().FailSyncs(0);
    rack(i).disk().SetReadOnly(false);
    rack(i).disk().SetCapacity(UINT64_MAX);
    rack(i).Start();
  }
  for (const auto& client : clients) {
    if (client->off()) {
      client->Boot();
    }
  }
}

std::string Simulation::Unwell(RackNode& node) {
  if (!region.is_up() || !node.is_up() || !node.link_up()) {
    return node.name() + ": the link is down";
  }
  const publish::RackStatus wanted = region.StatusOf(node.name());
  const link::GenerationState live = node.live();
  if (live.generation != wanted.generation || live.hash != wanted.hash) {
    return node.name() + " serves " + std::to_string(live.generation.number) + ", published is " +
           std::to_string(wanted.generation.number);
  }
  if (node.journal_failing()) {
    return node.name() + ": the journal fails";
  }
  if (node.replies_waiting() != 0) {
    return node.name() + ": replies wait";
  }
  return node.outbox_empty() ? std::string() : node.name() + ": the outbox is not empty";
}

std::string Simulation::Unwell() {
  for (const auto& node : racks_) {
    std::string reason = Unwell(*node);
    if (!reason.empty()) {
      return reason;
    }
  }
  if (options_.pair) {
    if (std::string reason = UnwellPair(); !reason.empty()) {
      return reason;
    }
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
  const bool well = RunUntil(kHealingTime, [&] { return Unwell().empty(); });
  judge.Require(well, "liveness: after healing, " + Unwell());
  if (!judge.ok()) {
    return;
  }
  CheckEnlisted();
  for (const auto& node : racks_) {
    node->CheckAtRest();
  }
}

RackNode* Simulation::RackOf(const SimClient& client) {
  const auto found = std::find_if(racks_.begin(), racks_.end(), [&](const auto& node) {
    return node->address() == client.server();
  });
  return found != racks_.end() ? found->get() : nullptr;
}

void Simulation::CheckEnlisted() {
  for (const MacAddress mac : enlisted) {
    const auto latest = region.facts().LatestInventory(mac);
    judge.Require(latest && latest->has_value(), "9: an accepted inventory is not at the region");
  }
  // What the region thinks of leases is what the racks have.
  std::uint32_t bound = 0;
  std::optional<store::LeaseKey> after;
  for (bool more = true; more;) {
    const auto page = region.facts().Leases(after, store::kFactsPageMax);
    judge.Require(page.has_value(), "the region's leases cannot be read");
    for (const store::LeaseRow& row : page->rows) {
      bound += row.state == store::LeaseState::kBound ? 1 : 0;
      after = {.subnet = row.subnet, .address = row.address};
    }
    more = page->more;
  }
  // Of a pair, each rack has them all.
  std::uint32_t at_racks = 0;
  for (const auto& node : racks_) {
    at_racks += node->leases_bound();
    judge.Require(!options_.pair || node->leases_bound() == bound,
                  "9: the region knows " + std::to_string(bound) + " leases, " + node->name() +
                      " has " + std::to_string(node->leases_bound()));
  }
  judge.Require(options_.pair || bound == at_racks, "9: the region knows " + std::to_string(bound) +
                                                        " leases, the racks have " +
                                                        std::to_string(at_racks));
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
