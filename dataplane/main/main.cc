// Entry point of slipway-rack.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "dataplane/main/rack.h"
#include "dataplane/main/rack_settings.h"
#include "dataplane/settings/open_files.h"
#include "dataplane/settings/process_log.h"
#include "dataplane/shard/driver_choice.h"

namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;  // configuration errors too: nothing was started

// HTTP connections (4096 a shard), open images, TFTP sockets, and some to spare.
constexpr std::uint64_t kOpenFilesWanted = 65'536;

void Say(std::string_view text) {
  // If stderr is gone, nobody can be told.
  (void)std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace slipway;  // NOLINT(google-build-using-namespace): main only
  CLI::App app{"slipway-rack: answers machines from its own memory"};
  std::string config;
  std::string io;
  bool check = false;
  bool show = false;
  app.add_option("--config", config, "Settings file (default /etc/slipway/rack.toml)");
  app.add_option("--io", io, "Packet driver: auto, ring or epoll; over the file's");
  app.add_flag("--check-config", check, "Read the configuration, say what is wrong, and end");
  app.add_flag("--show-config", show, "Print each setting, its value and where it comes from");
  app.set_version_flag("--version", std::string("slipway-rack ") + SLIPWAY_VERSION);
  app.footer("Settings:\n" + settings::Help(rack::kRackSettings));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  config = settings::FileOrUsual(config, "/etc/slipway/rack.toml");
  auto values = settings::Read(config, rack::kRackSettings);
  if (!values) {
    Say(values.error());
    return kExitUsage;
  }
  if (!io.empty()) {
    values->SetText("io", io, "--io");
  }
  if (!shard::ParseIoChoice(values->Text("io"))) {
    Say(values->Origin("io") + ": io must be auto, ring or epoll, not '" + values->Text("io") +
        "'");
    return kExitUsage;
  }
  if (show) {
    (void)std::fputs(values->Describe().c_str(), stdout);
  }
  if (check || show) {
    return kExitOk;
  }
  (void)settings::RaiseOpenFiles(kOpenFilesWanted);
  settings::ProcessLog log("rack", settings::LogLevelFrom(values->Text("log.level")));
  rack::RackFailure failure;
  const auto running = rack::Rack::Start(*values, &log, failure);
  if (running == nullptr || !running->Run(failure)) {
    Say("slipway-rack: " + failure.text);
    return kExitFailed;
  }
  return kExitOk;
}
