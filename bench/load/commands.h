// The subcommands of slipway-bench. Each adds itself to the program's command line and, when it was
// chosen, runs at the end of the parse.
#pragma once

namespace CLI {
class App;
}

namespace slipway::bench {

// Exit status: 0 done, 1 the result is wrong (not: slow), 2 it could not run.
inline constexpr int kExitWrong = 1;
inline constexpr int kExitUnable = 2;
inline constexpr int kExitSkipped = 77;  // no rights for it here

struct RigOptions;

// `status` outlives the parse.
void AddEchoCommand(CLI::App& program, int& status);
void AddReservationCommand(CLI::App& program, int& status);
void AddRackMemoryCommand(CLI::App& program, int& status);
void AddDhcpCommand(CLI::App& program, int& status);
void AddFlipCommand(CLI::App& program, int& status);

// Those of every bench with a rig: --hosts, --directory, --io. `options` outlives the parse.
void AddRigOptions(CLI::App& command, RigOptions& options);

}  // namespace slipway::bench
