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

// `status` outlives the parse.
void AddEchoCommand(CLI::App& program, int& status);

}  // namespace slipway::bench
