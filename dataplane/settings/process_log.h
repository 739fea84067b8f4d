// The log of a process: logfmt lines on standard error, through spdlog. Both mains use it.
#pragma once

#include <memory>
#include <string_view>

#include "dataplane/base/log.h"

namespace slipway::settings {

// "debug", "info", "warn" or "error"; info for anything else.
[[nodiscard]] LogLevel LogLevelFrom(std::string_view text);

// Thread-safe. Lines look like
//   2026-11-22T21:50:01.123Z level=info component=rack id=rack-up text="serving 2 interfaces"
// Control characters in the text are replaced, so that nothing that a peer sent can forge a line.
class ProcessLog final : public LogSink {
 public:
  // `component` is "region" or "rack".
  ProcessLog(std::string_view component, LogLevel least);
  ~ProcessLog() override;

  void Write(LogLevel level, std::string_view id, std::string_view text) override;
  // Takes effect at once, also while other threads write.
  void SetLevel(LogLevel least);

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

}  // namespace slipway::settings
