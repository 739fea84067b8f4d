// Entry point of slipway-rack.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "dataplane/main/rack.h"
#include "dataplane/main/rack_settings.h"
#include "dataplane/settings/process_log.h"

namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;  // configuration errors too: nothing was started

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
  app.add_option("--config", config, "Configuration file (TOML)");
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
  auto values = settings::Read(config, rack::kRackSettings);
  if (!values) {
    Say(values.error());
    return kExitUsage;
  }
  if (!io.empty() && !values->Override("io", io)) {
    Say("--io must be auto, ring or epoll");
    return kExitUsage;
  }
  if (show) {
    (void)std::fputs(values->Describe().c_str(), stdout);
  }
  if (check || show) {
    return kExitOk;
  }
  settings::ProcessLog log("rack", settings::LogLevelFrom(values->Text("log.level")));
  rack::RackFailure failure;
  const auto running = rack::Rack::Start(*values, &log, failure);
  if (running == nullptr || !running->Run(failure)) {
    Say("slipway-rack: " + failure.text);
    return kExitFailed;
  }
  return kExitOk;
}
