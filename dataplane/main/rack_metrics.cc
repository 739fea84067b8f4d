#include "dataplane/main/rack_metrics.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "dataplane/shard/seal.h"

namespace slipway::rack {
namespace {

// Text exposition, one family after the other.
class Exposition {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type);
  }

  // A family of one of several services that count alike: `slipway_<service>_<what>`.
  void Family(std::string_view service, std::string_view what, std::string_view type,
              std::string_view help) {
    Family(fmt::format("slipway_{}_{}", service, what), type, help);
  }

  void Value(std::uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
  }

  void Value(std::string_view label, std::string_view content, std::uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{}{{{}=\"{}\"}} {}\n", name_, label, content, value);
  }

  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

// What both DHCP services count.
template <typename Service>
void WriteDhcpService(std::string_view name, const Service& service, Exposition& out) {
  const service::DhcpServiceCounters& counters = service.counters();
  out.Family(name, "replies_total", "counter", "Replies sent.");
  out.Value(counters.replies_sent.value());
  out.Family(name, "replies_waiting", "gauge", "Replies that wait for the disk.");
  out.Value(service.waiting().waiting.value());
  out.Family(name, "packets_waiting", "gauge", "Packets that wait for their turn.");
  out.Value(service.intake().packets_waiting.value());
  out.Family(name, "dropped_total", "counter", "Packets or replies dropped by us.");
  out.Value("reason", "queue_full", counters.dropped_queue_full.value());
  out.Value("reason", "oldest", service.intake().dropped_oldest.value());
  out.Value("reason", "journal_down", counters.dropped_journal_down.value());
  out.Value("reason", "no_buffer", counters.dropped_send.value());
  out.Value("reason", "stale", service.waiting().dropped_stale.value());
  out.Value("reason", "oversize", service.intake().dropped_truncated.value());
  out.Value("reason", "before_snapshot", counters.before_snapshot.value());
  out.Family(name, "foreign_probes_total", "counter", "Questions sent to find foreign servers.");
  out.Value(counters.foreign_probes.value());
}

// Of an engine's counters.
template <typename Counters>
void WriteProbes(std::string_view name, const Counters& counters, Exposition& out) {
  out.Family(name, "probes_total", "counter",
             "Questions on the wire beside an offer, and answers.");
  out.Value("result", "asked", counters.probes.value());
  out.Value("result", "conflict", counters.conflicts.value());
  out.Value("result", "conflict_late", counters.conflicts_late.value());
}

void WriteDhcp(const ShardSet& shards, Exposition& out) {
  out.Family("slipway_dhcp_packets_total", "counter", "DHCPv4 packets by what became of them.");
  const dhcp::Counters& counters = shards.engine().counters();
  for (std::size_t i = 0; i < counters.by_reason.size(); ++i) {
    out.Value("reason", dhcp::ToString(static_cast<dhcp::Reason>(i)),
              counters.by_reason[i].value());
  }
  out.Family("slipway_dhcp_messages_received_total", "counter",
             "DHCPv4 messages that could be read, by type.");
  for (std::size_t i = 0; i < counters.received.size(); ++i) {
    out.Value("type", dhcp::MessageKindName(i), counters.received[i].value());
  }
  out.Family("slipway_dhcp_messages_answered_total", "counter", "DHCPv4 answers, by type.");
  for (std::size_t i = 0; i < counters.answered.size(); ++i) {
    out.Value("type", dhcp::MessageKindName(i), counters.answered[i].value());
  }
  WriteDhcpService("dhcp", shards.dhcp(), out);
  WriteProbes("dhcp", counters, out);
  const service::RaCounters& ra = shards.ra().counters();
  out.Family("slipway_ra_solicitations_total", "counter", "Router solicitations by answer.");
  out.Value("answer", "advertised", ra.advertised.value());
  out.Value("answer", "silent_paced", ra.silent_paced.value());
  out.Value("answer", "silent_not_served", ra.silent_not_served.value());
  out.Value("answer", "silent_by_policy", ra.silent_by_policy.value());
  out.Value("answer", "silent_router_seen", ra.silent_router_seen.value());
  out.Value("answer", "malformed", ra.malformed.value());
  out.Family("slipway_ra_unsolicited_total", "counter",
             "Full advertisements that nobody asked for.");
  out.Value(ra.unsolicited.value());
}

void WriteDhcp6(const ShardSet& shards, Exposition& out) {
  out.Family("slipway_dhcp6_packets_total", "counter", "DHCPv6 packets by what became of them.");
  const dhcp::Counters6& counters = shards.engine6().counters();
  for (std::size_t i = 0; i < counters.by_reason.size(); ++i) {
    out.Value("reason", dhcp::ToString(static_cast<dhcp::Reason6>(i)),
              counters.by_reason[i].value());
  }
  out.Family("slipway_dhcp6_messages_total", "counter", "DHCPv6 messages by their type.");
  for (std::size_t i = 0; i < counters.by_type.size(); ++i) {
    out.Value("type", dhcp::ToString(static_cast<dhcp::MessageType6>(i)),
              counters.by_type[i].value());
  }
  WriteDhcpService("dhcp6", shards.dhcp6(), out);
  WriteProbes("dhcp6", counters, out);
}

constexpr std::array kPairStates = {lease::PairState::kOff,         lease::PairState::kRecover,
                                    lease::PairState::kRecoverWait, lease::PairState::kNormal,
                                    lease::PairState::kInterrupted, lease::PairState::kPartnerDown};
constexpr std::array<std::string_view, static_cast<std::size_t>(lease::PairReject::kCount)>
    kPairRejects = {"malformed", "other_pair", "stale", "replayed", "gap", "unexpected"};

void WritePair(const service::PairService& pair, const link::PairEndCounters& end,
               Exposition& out) {
  const auto states = [&out](std::uint64_t now) {
    for (const lease::PairState state : kPairStates) {
      out.Value("state", lease::ToString(state), static_cast<std::uint64_t>(state) == now ? 1 : 0);
    }
  };
  out.Family("slipway_pair_state", "gauge", "1 for the state that the rack is in, of a pair.");
  states(pair.counters().state.value());
  out.Family("slipway_pair_partner_state", "gauge", "As the partner says; off: out of touch.");
  states(pair.counters().partner_state.value());
  const lease::PairCounters& core = pair.core().counters();
  out.Family("slipway_pair_leases_total", "counter", "Leases that went between the racks.");
  out.Value("way", "sent", core.leases_sent.value());
  out.Value("way", "taken", core.leases_taken.value());
  out.Value("way", "refused", core.leases_refused.value());
  out.Family("slipway_pair_conflicts_total", "counter", "Addresses that both had promised.");
  out.Value(core.conflicts.value());
  out.Family("slipway_pair_sessions_total", "counter", "Sessions with the partner.");
  out.Value("event", "begun", core.sessions.value());
  out.Value("event", "reset", core.resets.value());
  out.Family("slipway_pair_rejected_total", "counter", "Messages of the partner not taken.");
  for (std::size_t i = 0; i < kPairRejects.size(); ++i) {
    out.Value("reason", kPairRejects[i], core.rejected[i].value());
  }
  out.Value("reason", "no_room_in_journal", pair.counters().log_refused.value());
  out.Family("slipway_pair_link_messages_total", "counter", "Messages of the pair link.");
  out.Value("way", "received", end.received.value());
  out.Value("way", "sent", end.sent.value());
  out.Value("way", "not_sent", end.not_sent.value() + pair.counters().send_refused.value());
  out.Value("way", "malformed", end.malformed.value());
  out.Family("slipway_pair_link_connections_total", "counter", "Connections of the pair link.");
  out.Value("result", "made", end.connections.value());
  out.Value("result", "unknown_key", end.unknown_key.value());
  out.Value("result", "handshake_failed", end.handshakes_failed.value());
  out.Value("result", "refused", end.connections_refused.value());
  out.Family("slipway_pair_link_up", "gauge", "1 while the partner is connected.");
  out.Value(end.up.value());
}

void WriteFiles(const ShardSet& shards, Exposition& out) {
  const service::TftpCounters& tftp = shards.tftp().counters();
  out.Family("slipway_tftp_requests_total", "counter", "TFTP requests by what became of them.");
  out.Value("result", "started", tftp.transfers_started.value());
  out.Value("result", "not_found", tftp.not_found.value());
  out.Value("result", "refused", tftp.refused.value());
  out.Value("result", "silent", tftp.silent.value());
  out.Value("result", "dropped", tftp.dropped.value());
  out.Family("slipway_tftp_transfers_total", "counter", "TFTP transfers that ended.");
  out.Value("result", "completed", tftp.transfers_completed.value());
  out.Value("result", "failed", tftp.transfers_failed.value());
  out.Value("result", "probe", tftp.probes.value());
  out.Family("slipway_tftp_sent_bytes_total", "counter", "Contents acknowledged by TFTP clients.");
  out.Value(tftp.bytes_sent.value());
  const service::HttpCounters& http = shards.http().counters();
  out.Family("slipway_http_responses_total", "counter", "HTTP responses by class.");
  out.Value("class", "ok", http.responses_ok.value());
  out.Value("class", "client_error", http.responses_client_error.value());
  out.Value("class", "server_error", http.responses_server_error.value());
  out.Family("slipway_http_sent_bytes_total", "counter", "Contents sent over HTTP.");
  out.Value(http.bytes_sent.value());
  const service::BootContentCounters& content = shards.content().counters();
  out.Family("slipway_content_total", "counter", "Look-ups of files and scripts.");
  out.Value("result", "file", content.files.value());
  out.Value("result", "script", content.scripts.value());
  out.Value("result", "unknown_name", content.unknown_names.value());
  out.Value("result", "unknown_peer", content.unknown_peers.value());
  out.Value("result", "object_missing", content.objects_missing.value());
  const service::InventoryCounters& inventories = shards.inventories().counters();
  out.Family("slipway_inventory_posts_total", "counter", "Inventories posted by machines.");
  out.Value("result", "accepted", inventories.accepted.value());
  out.Value("result", "repeated", inventories.repeated.value());
  out.Value("result", "denied", inventories.denied.value());
  out.Value("result", "malformed", inventories.malformed.value());
  out.Value("result", "busy", inventories.busy.value());
}

void WriteDrivers(const ShardSet& shards, Exposition& out) {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t joined = 0;
  std::uint64_t apart = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t send_failures = 0;
  for (const ShardSeat& seat : shards.seats()) {
    const shard::DriverCounters& driver = seat.shard->driver().counters();
    received += driver.packets_received.value();
    sent += driver.packets_sent.value();
    joined += driver.sends_joined.value();
    apart += driver.sends_apart.value();
    kernel_drops += driver.kernel_drops.value();
    send_failures += driver.send_errors.value() + driver.send_dropped.value();
  }
  out.Family("slipway_packets_received_total", "counter", "Datagrams received.");
  out.Value(received);
  out.Family("slipway_packets_sent_total", "counter", "Datagrams and frames sent.");
  out.Value(sent);
  out.Family("slipway_packets_joined_total", "counter",
             "Datagrams that left in one send with others.");
  out.Value(joined);
  out.Family("slipway_packets_apart_total", "counter",
             "Joined datagrams that the kernel refused together and took one by one.");
  out.Value(apart);
  out.Family("slipway_packets_kernel_drops_total", "counter",
             "Datagrams the kernel had no room for.");
  out.Value(kernel_drops);
  out.Family("slipway_packets_send_failures_total", "counter", "Sends refused by kernel or queue.");
  out.Value(send_failures);
  out.Family("slipway_sealed_allocations_total", "counter",
             "Allocations on sealed shards: must be 0.");
  out.Value(shard::AllocationsOnSealedShards());
}

}  // namespace

void RackMetrics::SetServing(config::Generation live, std::size_t links,
                             std::size_t missing_objects) {
  const std::scoped_lock lock(mutex_);
  live_ = live;
  links_ = links;
  missing_objects_ = missing_objects;
}

AdminAnswer RackMetrics::Ready() const {
  const bool journal_fails = journal_->counters().failing.value() != 0;
  const auto pair = static_cast<lease::PairState>(shards_->pair().counters().state.value());
  const bool recovers =
      pair == lease::PairState::kRecover || pair == lease::PairState::kRecoverWait;
  const std::scoped_lock lock(mutex_);
  const bool serving = live_ != config::Generation{};
  const bool ready = serving && !journal_fails && !recovers;
  return {.status = ready ? 200 : 503,
          .body = fmt::format("{}\nsnapshot: {}.{}\ninterfaces served: {}\nobjects missing: {}\n"
                              "journal: {}\nregion: {}\npair: {}\n",
                              ready ? "ready" : "not ready", live_.epoch, live_.number, links_,
                              missing_objects_, journal_fails ? "cannot write" : "ok",
                              link_->up() ? "connected" : "away", lease::ToString(pair))};
}

std::string RackMetrics::Metrics() const {
  Exposition out;
  out.Family("slipway_build_info", "gauge", "Always 1.");
  out.Value("version", SLIPWAY_VERSION, 1);
  WriteDhcp(*shards_, out);
  WriteDhcp6(*shards_, out);
  WritePair(shards_->pair(), pair_end_->counters(), out);
  WriteFiles(*shards_, out);
  WriteDrivers(*shards_, out);
  const journal::JournalCounters& journal = journal_->counters();
  out.Family("slipway_journal_records_total", "counter", "Records made durable.");
  out.Value(journal.records.value());
  out.Family("slipway_journal_commits_total", "counter", "Group commits.");
  out.Value(journal.commits.value());
  out.Family("slipway_journal_commit_failures_total", "counter", "Commits that the disk refused.");
  out.Value(journal.commit_failures.value());
  out.Family("slipway_journal_failing", "gauge", "1 while the disk refuses.");
  out.Value(journal.failing.value());
  out.Family("slipway_journal_retained_records", "gauge",
             "Records kept for the region or the next checkpoint.");
  out.Value(journal.retained.value());
  out.Family("slipway_boot_loops_total", "counter", "Boots that were found going in circles.");
  out.Value("stage", "loader", shards_->engine().counters().loops_found.value());
  out.Value("stage", "script", shards_->content().counters().loops_found.value());
  out.Family("slipway_events_dropped_total", "counter",
             "Events of the rack that were told nobody.");
  out.Value(events_->dropped() + shards_->events_dropped());
  out.Family("slipway_link_up", "gauge", "1 while a region is connected.");
  out.Value(link_->up() ? 1 : 0);
  const std::scoped_lock lock(mutex_);
  out.Family("slipway_snapshot_generation", "gauge", "Generation that all shards live on.");
  out.Value(live_.number);
  out.Family("slipway_interfaces_served", "gauge", "Interfaces bound to a VLAN and up.");
  out.Value(links_);
  out.Family("slipway_objects_missing", "gauge", "Files of the snapshot that are not here.");
  out.Value(missing_objects_);
  return out.Take();
}

AdminAnswer RackMetrics::Answer(std::string_view path) const {
  if (path == "/livez") {
    return {.body = "ok\n"};
  }
  if (path == "/readyz" || path == "/healthz") {
    return Ready();
  }
  if (path == "/metrics") {
    return {.body = Metrics()};
  }
  return {.status = 404, .body = "there are /livez, /readyz and /metrics\n"};
}

}  // namespace slipway::rack
