#include "dataplane/settings/process_log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

namespace slipway::settings {
namespace {

[[nodiscard]] spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

[[nodiscard]] std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += byte < 0x20 || byte == 0x7F ? '?' : c;
    }
  }
  return out + "\"";
}

}  // namespace

LogLevel LogLevelFrom(std::string_view text) {
  if (text == "debug") {
    return LogLevel::kDebug;
  }
  if (text == "warn") {
    return LogLevel::kWarn;
  }
  return text == "error" ? LogLevel::kError : LogLevel::kInfo;
}

struct ProcessLog::Sink {
  spdlog::logger logger;
  std::string component;
};

ProcessLog::ProcessLog(std::string_view component, LogLevel least)
    : sink_(new Sink{spdlog::logger("process", std::make_shared<spdlog::sinks::stderr_sink_mt>()),
                     std::string(component)}) {
  sink_->logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc));
  sink_->logger.flush_on(spdlog::level::debug);
  SetLevel(least);
}

ProcessLog::~ProcessLog() = default;

void ProcessLog::Write(LogLevel level, std::string_view id, std::string_view text) {
  sink_->logger.log(SpdlogLevel(level), "component={} id={} text={}", sink_->component, id,
                    Quoted(text));
}

void ProcessLog::SetLevel(LogLevel least) { sink_->logger.set_level(SpdlogLevel(least)); }

}  // namespace slipway::settings
