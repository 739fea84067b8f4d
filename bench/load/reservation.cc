// slipway-bench reservation: how long after the API call that makes a machine with a reserved
// address the rack answers DHCP with it. Region and rack are the real programs, each change goes
// the real way: commit, publication, link, the rack's delta on its disk, the swap on the shards.
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/prctl.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/dhcp_wire.h"
#include "bench/load/rig.h"

namespace slipway::bench {

namespace {

constexpr std::int64_t kRoundNs = 5'000'000'000;

struct ReservationOptions {
  RigOptions rig;
  int rounds = 1000;
  int warm_up = 20;
  int discover_us = 200;
  bool small = false;
};

struct Samples {
  std::vector<double> offer_ms;   // call start to the first right OFFER
  std::vector<double> answer_ms;  // call start to the API's answer: committed
  std::vector<double> after_ms;   // API's answer to the OFFER; negative: the OFFER was first
  std::uint64_t wrong = 0;
  std::uint64_t discovers = 0;
};

[[nodiscard]] std::string Reservation(std::uint32_t round) {
  return fmt::format(
      R"([{{"verb":"create","kind":"machine","body":{{"hostname":"new{0}"}}}},)"
      R"({{"verb":"create","kind":"interface","body":{{"machine":"new{0}","mac":"{1}",)"
      R"("vlan":"bench","address":"{2}"}}}}])",
      round, ToText(Rig::HostMac(0x80'0000 + round)).view(),
      ToText(Ipv4Address{kFirstNewAddress + round}).view());
}

// Asks again and again until the answer is right. False: it never was.
[[nodiscard]] bool RunRound(Rig& rig, DhcpWire& wire, const ReservationOptions& options,
                            std::uint32_t round, Samples& samples) {
  const Ipv4Address reserved{kFirstNewAddress + round};
  const dhcp::ClientRequest discover{.type = dhcp::MessageType::kDiscover,
                                     .xid = 0x5EED'0000 + round,
                                     .mac = Rig::HostMac(0x80'0000 + round)};
  const std::string body = Reservation(round);
  const std::int64_t begin = NowNs();
  if (!rig.api().Send("POST", "/v1/bulk", body)) {
    return false;
  }
  std::int64_t answer_ns = 0;
  std::int64_t offer_ns = 0;
  HttpAnswer answer;
  for (std::int64_t next = begin; answer_ns == 0 || offer_ns == 0;) {
    const std::int64_t now = NowNs();
    if (now - begin > kRoundNs) {
      return false;
    }
    if (offer_ns == 0 && now >= next) {
      next = now + options.discover_us * 1000;
      samples.discovers += wire.Send(discover) ? 1U : 0U;
    }
    if (answer_ns == 0 && rig.api().TryReceive(answer)) {
      answer_ns = NowNs();
      if (answer.status != 200) {
        fmt::print(stderr, "POST /v1/bulk: {} {}\n", answer.status, answer.body.substr(0, 300));
        return false;
      }
    }
    for (const WireReply& reply : wire.Receive()) {
      if (reply.xid == discover.xid && reply.type == dhcp::MessageType::kOffer) {
        samples.wrong += reply.address == reserved ? 0U : 1U;
        offer_ns = offer_ns == 0 && reply.address == reserved ? NowNs() : offer_ns;
      }
    }
    wire.Wait(answer_ns == 0 ? rig.api().fd() : -1, options.discover_us * 500);
  }
  samples.offer_ms.push_back(static_cast<double>(offer_ns - begin) * 1e-6);
  samples.answer_ms.push_back(static_cast<double>(answer_ns - begin) * 1e-6);
  samples.after_ms.push_back(static_cast<double>(offer_ns - answer_ns) * 1e-6);
  return true;
}

int RunReservation(ReservationOptions options) {
  if (options.small) {
    options.rig.hosts = 50;
    options.rounds = 5;
    options.warm_up = 0;
  }
  (void)prctl(PR_SET_TIMERSLACK, 1);
  Rig rig(options.rig);
  if (!rig.Up()) {
    fmt::print(stderr, "{}\n", rig.why());
    return rig.no_rights() ? kExitSkipped : kExitUnable;
  }
  auto wire = DhcpWire::Open(kClientInterface);
  if (!wire) {
    fmt::print(stderr, "no packet socket: {}\n", ToString(wire.error().code));
    return kExitUnable;
  }
  Samples samples;
  std::minstd_rand random(1);
  for (int round = 0; round < options.rounds + options.warm_up; ++round) {
    if (round == options.warm_up) {
      samples = {};
    }
    if (!RunRound(rig, *wire, options, static_cast<std::uint32_t>(round), samples)) {
      fmt::print(stderr, "round {}: the reservation was never answered\n", round);
      return kExitWrong;
    }
    // Out of step with whatever has a period.
    std::this_thread::sleep_for(std::chrono::microseconds(2'000 + random() % 10'000));
  }
  const std::uint64_t allocations = rig.RackMetric("slipway_sealed_allocations_total ");
  fmt::print("hosts {}, rounds {}, a DISCOVER each {} us, sealed allocations {}\n",
             options.rig.hosts, options.rounds, options.discover_us, allocations);
  fmt::print("API call to right OFFER: {}\n", Percentiles(samples.offer_ms));
  fmt::print("API call to its answer:  {}\n", Percentiles(samples.answer_ms));
  fmt::print("API answer to OFFER:     {}\n", Percentiles(samples.after_ms));
  return samples.wrong == 0 && allocations == 0 ? 0 : kExitWrong;
}

}  // namespace

void AddReservationCommand(CLI::App& program, int& status) {
  CLI::App* const command =
      program.add_subcommand("reservation", "From the API call to the OFFER of a reserved address");
  const auto options = std::make_shared<ReservationOptions>();
  AddRigOptions(*command, options->rig);
  command->add_option("--rounds", options->rounds, "Reservations that count")
      ->check(CLI::Range(1, 200'000))
      ->capture_default_str();
  command->add_option("--discover-us", options->discover_us, "A DISCOVER each so often")
      ->check(CLI::Range(20, 100'000))
      ->capture_default_str();
  command->add_flag("--small", options->small, "A few rounds: checks what is right, not speed");
  command->callback([options, &status] { status = RunReservation(*options); });
}

}  // namespace slipway::bench
