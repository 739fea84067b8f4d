// slipway-bench: measures Slipway and its parts.
#include <CLI/CLI.hpp>

#include "bench/load/commands.h"

int main(int argc, char** argv) {
  CLI::App program("Measures Slipway and its parts", "slipway-bench");
  program.set_version_flag("--version", SLIPWAY_VERSION);
  program.require_subcommand(1);
  int status = 0;
  slipway::bench::AddEchoCommand(program, status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int shown = program.exit(error);
    return shown == 0 ? 0 : slipway::bench::kExitUnable;
  }
  return status;
}
