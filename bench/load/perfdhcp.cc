#include "bench/load/perfdhcp.h"

#include <cstdlib>
#include <string_view>

namespace slipway::bench {

namespace {

// The number behind "name: " in one part of the report.
[[nodiscard]] double Figure(std::string_view part, std::string_view name) {
  const std::size_t at = part.find(name);
  return at == std::string_view::npos
             ? 0
             : std::strtod(std::string(part.substr(at + name.size(), 32)).c_str(), nullptr);
}

}  // namespace

PerfDhcpReport ReadPerfDhcp(const std::string& text) {
  const std::string_view all = text;
  const std::size_t offers = all.find("Statistics for: DISCOVER-OFFER");
  const std::size_t acks = all.find("Statistics for: REQUEST-ACK");
  if (offers == std::string_view::npos || acks == std::string_view::npos || acks < offers) {
    return {};
  }
  const std::string_view first = all.substr(offers, acks - offers);
  const std::string_view second = all.substr(acks);
  return {.begun = static_cast<std::uint64_t>(Figure(first, "sent packets: ")),
          .done = static_cast<std::uint64_t>(Figure(second, "received packets: ")),
          .offer_ms = Figure(first, "avg delay: "),
          .ack_ms = Figure(second, "avg delay: ")};
}

}  // namespace slipway::bench
