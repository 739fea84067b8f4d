// slipway-region: arguments, settings, signals. Everything else is in region.h.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>

#include "controlplane/main/region.h"
#include "controlplane/main/region_settings.h"
#include "dataplane/settings/open_files.h"

namespace slipway::region {
namespace {

struct Arguments {
  std::string config;
  std::string state_dir;
  bool check_only = false;
};

// One line to the person who starts it, whatever the log level.
void Say(const std::string& line) { (void)std::fprintf(stderr, "%s\n", line.c_str()); }

// Blocked in all threads from here on; main takes them one by one.
[[nodiscard]] sigset_t BlockSignals() {
  sigset_t set;
  (void)sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    (void)sigaddset(&set, number);
  }
  (void)pthread_sigmask(SIG_BLOCK, &set, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return set;
}

// An explicit file must exist; the usual place may be empty.
// Connections of the API and of racks (link: 4096), stores, and some to spare.
constexpr std::uint64_t kOpenFilesWanted = 16'384;

[[nodiscard]] std::string ConfigFile(const Arguments& arguments) {
  return settings::FileOrUsual(arguments.config, std::string(kDefaultConfigFile));
}

void Reload(const Arguments& arguments, settings::ProcessLog& log) {
  const auto values = settings::Read(ConfigFile(arguments), kRegionSettings);
  if (!values) {
    log.Write(LogLevel::kError, "reload-refused", values.error());
    return;
  }
  if (const auto good = Region::Check(*values); !good) {
    log.Write(LogLevel::kError, "reload-refused", good.error().reason);
    return;
  }
  log.SetLevel(settings::LogLevelFrom(values->Text("log.level")));
  log.Write(LogLevel::kInfo, "reloaded",
            fmt::format("log.level={}; other settings take effect at the next start",
                        values->Text("log.level")));
}

// Until SIGTERM or SIGINT.
void ServeSignals(const sigset_t& set, const Arguments& arguments, settings::ProcessLog& log) {
  for (;;) {
    int number = 0;
    if (sigwait(&set, &number) != 0) {
      continue;
    }
    if (number != SIGHUP) {
      // Some senders (timeout(1)) signal the process and its group in the same moment: that is one.
      const timespec moment{.tv_sec = 0, .tv_nsec = 20'000'000};
      (void)sigtimedwait(&set, nullptr, &moment);
      // A second one ends at once.
      for (const int last : {SIGTERM, SIGINT}) {
        (void)std::signal(last, SIG_DFL);
      }
      (void)pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
      log.Write(LogLevel::kInfo, "stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
      return;
    }
    Reload(arguments, log);
  }
}

[[nodiscard]] int Run(const Arguments& arguments) {
  auto values = settings::Read(ConfigFile(arguments), kRegionSettings);
  if (!values) {
    Say(values.error());
    return 2;
  }
  if (!arguments.state_dir.empty()) {
    values->SetText("state_dir", arguments.state_dir, "--state-dir");
  }
  if (const auto good = Region::Check(*values); !good) {
    Say(good.error().reason);
    return good.error().exit_code;
  }
  if (arguments.check_only) {
    (void)std::fputs(values->Describe().c_str(), stdout);
    return 0;
  }
  const sigset_t set = BlockSignals();
  (void)settings::RaiseOpenFiles(kOpenFilesWanted);
  settings::ProcessLog log("region", settings::LogLevelFrom(values->Text("log.level")));
  auto region = Region::Create(*values, log);
  if (!region) {
    Say("slipway-region: " + region.error().reason);
    return region.error().exit_code;
  }
  if (const auto started = (*region)->Start(); !started) {
    Say("slipway-region: " + started.error().reason);
    return started.error().exit_code;
  }
  ServeSignals(set, arguments, log);
  (*region)->Stop();
  return 0;
}

}  // namespace
}  // namespace slipway::region

int main(int argc, char** argv) {
  using slipway::region::Arguments;
  Arguments arguments;
  CLI::App app(
      "The region controller: users and automation talk to it, and it tells racks what to "
      "do.");
  app.footer("Settings (TOML):\n" + slipway::settings::Help(slipway::region::kRegionSettings));
  app.set_version_flag("--version", std::string(SLIPWAY_VERSION));
  app.add_option("--config", arguments.config, "Settings file (default /etc/slipway/region.toml)");
  app.add_option("--state-dir", arguments.state_dir, "Instead of the setting state_dir");
  app.add_flag("--check-config", arguments.check_only,
               "Only check the settings, and print the effective ones");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return slipway::region::Run(arguments);
}
