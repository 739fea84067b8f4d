#include "controlplane/main/region_metrics.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "dataplane/link/envelope.h"

namespace slipway::region {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(region_link::ZapResult::kCount)>
    kZapNames = {"rack_admitted", "token_admitted", "unknown_key", "revoked",
                 "token_used",    "token_expired",  "mechanism",   "malformed"};

[[nodiscard]] std::uint64_t Load(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace

void RegionMetrics::CollectHttp(api::MetricsWriter& out) const {
  out.Counter("slipway_http_connections_total", "Connections accepted.", Load(http_.connections));
  out.Gauge("slipway_http_connections_open", "Connections now.", Load(http_.connections_open));
  out.Counter("slipway_http_connections_refused_total", "Connections beyond the cap.",
              Load(http_.connections_refused));
  out.Counter("slipway_http_requests_total", "Requests with a well-formed head.",
              Load(http_.requests));
  out.Counter("slipway_http_malformed_total", "Requests refused for their form.",
              Load(http_.requests_malformed));
  out.Counter("slipway_http_timeouts_total", "Connections ended by a time-out.",
              Load(http_.timeouts));
  out.Gauge("slipway_http_streams_open", "Event streams now.", Load(http_.streams_open));
  out.Counter("slipway_http_streams_cut_total", "Event streams cut for not keeping up.",
              Load(http_.streams_cut));
  out.Family("slipway_http_responses_total", "counter", "Responses by class of status.");
  out.Sample("class", "2xx", Load(http_.responses_2xx));
  out.Sample("class", "4xx", Load(http_.responses_4xx));
  out.Sample("class", "5xx", Load(http_.responses_5xx));
}

void RegionMetrics::CollectLink(api::MetricsWriter& out) const {
  out.Gauge("slipway_link_racks_connected", "Racks with a session now.", board_.connected());
  out.Counter("slipway_link_sessions_total", "Sessions established.", link_.link.sessions.value());
  out.Counter("slipway_link_resets_total", "Sessions ended for a broken rule.",
              link_.link.resets.value());
  out.Counter("slipway_link_messages_received_total", "Valid messages.",
              link_.link.messages_received.value());
  out.Counter("slipway_link_messages_sent_total", "Messages sent.",
              link_.link.messages_sent.value());
  out.Counter("slipway_link_received_bytes_total", "Bytes of valid messages.",
              link_.link.bytes_received.value());
  out.Counter("slipway_link_sent_bytes_total", "Bytes sent.", link_.link.bytes_sent.value());
  out.Counter("slipway_link_handled_total", "Messages that reached a handler.",
              link_.link.handled.value());
  out.Counter("slipway_link_facts_seen_total", "Messages of facts that were committed before.",
              link_.link.facts_seen.value());
  out.Family("slipway_link_rejected_total", "counter", "Messages that reached no handler.");
  for (std::size_t i = 0; i < std::to_underlying(link::RejectReason::kCount); ++i) {
    const auto reason = static_cast<link::RejectReason>(i);
    out.Sample("reason", link::ToString(reason), link_.link.Rejected(reason));
  }
  out.Family("slipway_link_handshakes_total", "counter", "Keys shown at a handshake, by verdict.");
  for (std::size_t i = 0; i < kZapNames.size(); ++i) {
    out.Sample("verdict", kZapNames[i], link_.Zap(static_cast<region_link::ZapResult>(i)));
  }
  out.Counter("slipway_link_handshakes_failed_total", "Handshakes that did not finish.",
              link_.handshakes_failed.value());
  out.Counter("slipway_link_connections_refused_total", "Connections over a limit.",
              link_.connections_refused.value());
}

void RegionMetrics::Collect(api::MetricsWriter& out) {
  CollectHttp(out);
  CollectLink(out);
}

}  // namespace slipway::region
