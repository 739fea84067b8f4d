// The region controller, put together: stores, model, publisher, link, API.
//
// Threads: HTTP (all handlers), the writers of the two stores, link, one worker for blocking work.
// main waits for signals.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "dataplane/settings/process_log.h"
#include "dataplane/settings/settings.h"

namespace slipway::region {

// A start that failed: one line for people, and the exit code.
struct StartFailure {
  int exit_code = 1;
  std::string reason;
};

class Region {
 public:
  // What can be checked without touching anything: exit code 2 and a reason with file and line.
  [[nodiscard]] static std::expected<void, StartFailure> Check(const settings::Values& values);
  // Opens everything and listens. Nothing is left behind on failure but the state directory.
  [[nodiscard]] static std::expected<std::unique_ptr<Region>, StartFailure> Create(
      const settings::Values& values, settings::ProcessLog& log);
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  // Starts the threads and says so in the log.
  [[nodiscard]] std::expected<void, StartFailure> Start();
  // Drains: under two seconds.
  void Stop();

 private:
  struct Parts;
  explicit Region(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::region
