// The Prometheus text format (version 0.0.4), written from counters at each scrape.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::api {

// Names are literals `slipway_<subsystem>_<what>_<unit>`; label values come from bounded sets of
// our own, never from a client.
class MetricsWriter {
 public:
  // The samples that follow belong to this family. `type`: "counter" or "gauge".
  void Family(std::string_view name, std::string_view type, std::string_view help);
  void Sample(std::uint64_t value);
  void Sample(std::string_view label, std::string_view label_value, std::uint64_t value);

  // Family and its only sample.
  void Counter(std::string_view name, std::string_view help, std::uint64_t value);
  void Gauge(std::string_view name, std::string_view help, std::uint64_t value);

  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

// Something with counters: the server, the link, the stores. Called on the HTTP thread.
class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  virtual void Collect(MetricsWriter& out) = 0;
};

}  // namespace slipway::api
