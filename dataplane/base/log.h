// Where cold code sends its log lines. Shards never log per packet: they count.
#pragma once

#include <cstdint>
#include <string_view>

namespace slipway {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

// `id` is a stable message id with an entry in docs/operations.md ("rack-up"); `text` is one line
// without secrets. Implemented by the mains (spdlog) and by tests. Thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(LogLevel level, std::string_view id, std::string_view text) = 0;
};

}  // namespace slipway
