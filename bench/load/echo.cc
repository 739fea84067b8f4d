// slipway-bench echo: what the packet interface costs. An echo service over each driver against a
// plain recvmmsg and sendmmsg loop, in CPU time of the server's thread per packet: the kernel's own
// work in its context is in it, and it is steady where packets per second are not. The sides take
// turns in short rounds, so that what else the machine does meets all of them.
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/commands.h"
#include "bench/load/echo_generator.h"
#include "bench/load/echo_server.h"

namespace slipway::bench {

namespace {

struct EchoOptions {
  std::string io = "all";
  int rounds = 15;
  int round_ms = 400;
  int server_cpu = 0;
  int generator_cpu = 1;
  std::uint32_t rx_buffers = 256;
  GeneratorOptions generator;
  bool small = false;
};

struct Round {
  double cpu_ns = 0;  // per packet
  double packets_per_second = 0;
  double packets_per_turn = 0;
};

struct Side {
  EchoKind kind = EchoKind::kPlain;
  std::vector<Round> rounds;
  std::uint64_t packets = 0;
  std::uint64_t allocations = 0;
  std::uint64_t lost = 0;
  std::uint64_t drops = 0;
  std::uint64_t wrong = 0;
};

template <typename Get>
std::vector<double> Sorted(const std::vector<Round>& rounds, Get get) {
  std::vector<double> values;
  for (const Round& round : rounds) {
    values.push_back(get(round));
  }
  std::sort(values.begin(), values.end());
  return values;
}

double Median(const std::vector<double>& sorted) {
  return sorted.empty() ? 0 : sorted[sorted.size() / 2];
}

std::vector<Side> SidesOf(const std::string& io) {
  std::vector<Side> sides;
  sides.push_back({.kind = EchoKind::kPlain, .rounds = {}});
  if (io == "ring" || io == "all") {
    sides.push_back({.kind = EchoKind::kRing, .rounds = {}});
  }
  if (io == "epoll" || io == "all") {
    sides.push_back({.kind = EchoKind::kEpoll, .rounds = {}});
  }
  return sides;
}

Result<void> RunRound(Side& side, const EchoOptions& options) {
  const auto server =
      SLIP_TRY(EchoServer::Start(side.kind, options.server_cpu, options.rx_buffers));
  EchoGenerator generator = SLIP_TRY(EchoGenerator::Create(server->end(), options.generator));
  const Duration time = Duration::Millis(options.round_ms);
  generator.Run(time / 4);  // caches and pools are warm after it
  const EchoCounts before = server->counts();
  generator.Run(time);
  const EchoCounts after = server->counts();
  generator.Drain(Duration::Seconds(2));
  const EchoCounts end = server->counts();
  side.allocations += server->Stop();
  const auto packets = static_cast<double>(after.received - before.received);
  const auto turns = static_cast<double>(after.turns - before.turns);
  if (packets > 0) {
    side.rounds.push_back({.cpu_ns = static_cast<double>((after.cpu - before.cpu).ns) / packets,
                           .packets_per_second = packets * 1e9 / static_cast<double>(time.ns),
                           .packets_per_turn = turns > 0 ? packets / turns : 0});
  }
  side.packets += generator.counts().received;
  side.lost += generator.counts().sent - generator.counts().received;
  side.drops += end.kernel_drops;
  side.wrong += generator.counts().wrong;
  return {};
}

// Each round of a driver against the plain round next to it.
double RatioToPlain(const Side& side, const Side& plain) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(side.rounds.size(), plain.rounds.size()); ++i) {
    ratios.push_back(side.rounds[i].cpu_ns / plain.rounds[i].cpu_ns);
  }
  std::sort(ratios.begin(), ratios.end());
  return Median(ratios);
}

void Print(const std::vector<Side>& sides) {
  fmt::print("{:<6} {:>10} {:>17} {:>9} {:>12} {:>9} {:>13} {:>6}\n", "io", "CPU ns/pkt",
             "min - max", "ratio", "packets/s", "per turn", "allocations", "lost");
  for (const Side& side : sides) {
    const auto cpu = Sorted(side.rounds, [](const Round& round) { return round.cpu_ns; });
    const auto rate =
        Sorted(side.rounds, [](const Round& round) { return round.packets_per_second; });
    const auto turn =
        Sorted(side.rounds, [](const Round& round) { return round.packets_per_turn; });
    if (cpu.empty()) {
      continue;
    }
    fmt::print("{:<6} {:>10.0f} {:>8.0f} -{:>7.0f} {:>9.3f} {:>12.0f} {:>9.1f} {:>13} {:>6}\n",
               ToString(side.kind), Median(cpu), cpu.front(), cpu.back(),
               RatioToPlain(side, sides.front()), Median(rate), Median(turn), side.allocations,
               side.lost);
  }
}

// Wrong, whatever the speed: memory taken per packet, answers that were not asked for, packets that
// went missing without being counted.
bool IsRight(const std::vector<Side>& sides) {
  bool right = true;
  for (const Side& side : sides) {
    if (side.packets == 0 || side.allocations != 0 || side.wrong != 0 || side.lost > side.drops) {
      fmt::print(
          stderr, "{}: {} packets, {} allocations, {} wrong, {} lost, {} counted as dropped\n",
          ToString(side.kind), side.packets, side.allocations, side.wrong, side.lost, side.drops);
      right = false;
    }
  }
  return right;
}

int RunEcho(EchoOptions options) {
  if (options.small) {
    options.rounds = 1;
    options.round_ms = 100;
  }
  if (std::thread::hardware_concurrency() < 2) {
    options.server_cpu = -1;
    options.generator_cpu = -1;
  }
  if (options.generator_cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(options.generator_cpu), &set);
    (void)::sched_setaffinity(0, sizeof(set), &set);
  }
  std::vector<Side> sides = SidesOf(options.io);
  for (int round = 0; round < options.rounds; ++round) {
    for (Side& side : sides) {
      const Result<void> ran = RunRound(side, options);
      if (!ran) {
        fmt::print(stderr, "{}: {} ({})\n", ToString(side.kind), ToString(ran.error().code),
                   ran.error().detail);
        return kExitUnable;
      }
    }
  }
  Print(sides);
  return IsRight(sides) ? 0 : kExitWrong;
}

}  // namespace

void AddEchoCommand(CLI::App& program, int& status) {
  CLI::App* const command = program.add_subcommand(
      "echo", "CPU per packet of the packet interface, against a plain loop");
  const auto options = std::make_shared<EchoOptions>();
  command->add_option("--io", options->io, "Driver: ring, epoll, plain or all")
      ->check(CLI::IsMember({"ring", "epoll", "plain", "all"}))
      ->capture_default_str();
  command->add_option("--rounds", options->rounds, "Rounds of each side")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--round-ms", options->round_ms, "Length of a round")
      ->check(CLI::Range(10, 60'000))
      ->capture_default_str();
  command->add_option("--window", options->generator.window, "Datagrams under way")
      ->check(CLI::Range(1U, EchoGenerator::kWindowMax))
      ->capture_default_str();
  command->add_option("--bytes", options->generator.payload_bytes, "Payload of a datagram")
      ->check(CLI::Range(8, 1472))
      ->capture_default_str();
  command->add_option("--rx-buffers", options->rx_buffers, "Receive buffers of the ring driver")
      ->capture_default_str();
  command->add_option("--server-cpu", options->server_cpu, "Core of the server; -1: any")
      ->capture_default_str();
  command->add_option("--generator-cpu", options->generator_cpu, "Core of the generator; -1: any")
      ->capture_default_str();
  command->add_flag("--small", options->small,
                    "One short round: checks allocations and losses, not speed");
  command->callback([options, &status] { status = RunEcho(*options); });
}

}  // namespace slipway::bench
