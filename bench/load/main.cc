// slipway-bench: measures Slipway and its parts.
#include <CLI/CLI.hpp>

#include "bench/load/commands.h"
#include "bench/load/rig.h"

void slipway::bench::AddRigOptions(CLI::App& command, RigOptions& options) {
  command.add_option("--hosts", options.hosts, "Machines with reserved addresses")
      ->check(CLI::Range(1, 200'000))
      ->capture_default_str();
  command.add_option("--directory", options.directory, "Where the state lies: which disk")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  command.add_option("--io", options.io, "Packet driver of the rack: auto, ring or epoll")
      ->check(CLI::IsMember({"auto", "ring", "epoll"}))
      ->capture_default_str();
}

int main(int argc, char** argv) {
  CLI::App program("Measures Slipway and its parts", "slipway-bench");
  program.set_version_flag("--version", SLIPWAY_VERSION);
  program.require_subcommand(1);
  int status = 0;
  slipway::bench::AddEchoCommand(program, status);
  slipway::bench::AddReservationCommand(program, status);
  slipway::bench::AddRackMemoryCommand(program, status);
  slipway::bench::AddDhcpCommand(program, status);
  slipway::bench::AddFlipCommand(program, status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int shown = program.exit(error);
    return shown == 0 ? 0 : slipway::bench::kExitUnable;
  }
  return status;
}
