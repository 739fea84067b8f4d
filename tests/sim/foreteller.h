// Stands between a simulated rack's ports 67 and 4011 and its DHCP service: explains each packet
// before it is handled, and has the judge see that it became what was foretold (invariant 12).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "dataplane/dhcp/engine.h"
#include "dataplane/dhcp/trace.h"
#include "dataplane/service/dhcp_service.h"
#include "dataplane/service/reception.h"
#include "tests/sim/judge.h"
#include "tests/sim/sealed.h"

namespace slipway::sim {

class Foreteller final : public shard::PacketHandler {
 public:
  struct Parts {
    Judge* judge = nullptr;
    const service::ServingView* serving = nullptr;
    dhcp::Dhcp4Engine* engine = nullptr;
    lease::LeaseTable* leases = nullptr;
    Clock* clock = nullptr;
  };

  // All outlive this.
  explicit Foreteller(const Parts& parts) : parts_(parts) {}

  // Before the first packet. `boot_server` is the port 4011.
  void SetService(service::DhcpService* service, shard::PortId boot_server) {
    service_ = service;
    boot_server_ = boot_server;
  }

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override {
    for (shard::Packet& packet : packets) {
      const service::Serving* const serving = parts_.serving->current();
      const bool asked = serving != nullptr && serving->snapshot;
      if (asked) {
        Explain(port, packet, *serving, now);
      }
      const std::uint64_t handled = Handled();
      const std::uint64_t same = CountOf(told_.reason);
      service_->OnPackets(port, std::span(&packet, 1), now);
      // A packet that the service drops before the engine sees it (the journal fails) tells
      // nothing.
      if (asked && Handled() != handled) {
        const Unsealed judging;
        parts_.judge->Require(CountOf(told_.reason) == same + 1,
                              "12: a packet was not handled as explained: " +
                                  std::string(ToString(told_.reason)) + " was foretold");
      }
    }
  }

 private:
  void Explain(shard::PortId port, const shard::Packet& packet, const service::Serving& serving,
               Instant now) {
    // As the service does before a batch.
    (void)parts_.leases->Rebuild(*serving.snapshot);
    const service::Reception reception(serving, {.ifindex = packet.ifindex,
                                                 .source = packet.source.v4(),
                                                 .source_port = packet.source_port,
                                                 .destination = packet.destination.v4(),
                                                 .boot_server_port = port == boot_server_});
    const lease::Now stamp{.instant = now,
                           .wall = parts_.clock->WallNow(),
                           .boot_id = parts_.clock->BootId(),
                           .wall_synchronised = parts_.clock->WallIsSynchronised()};
    parts_.engine->Explain(packet.data, reception.context(), *serving.snapshot, stamp, reply_,
                           told_, trace_);
  }

  [[nodiscard]] std::uint64_t CountOf(dhcp::Reason reason) const {
    return parts_.engine->counters().by_reason[static_cast<std::size_t>(reason)].value();
  }

  [[nodiscard]] std::uint64_t Handled() const {
    std::uint64_t sum = 0;
    for (const Counter& counter : parts_.engine->counters().by_reason) {
      sum += counter.value();
    }
    return sum;
  }

  Parts parts_;
  service::DhcpService* service_ = nullptr;
  shard::PortId boot_server_ = 0;
  dhcp::Effects told_;
  dhcp::DecisionTrace trace_;
  std::array<std::byte, dhcp::kMessageBytesMax> reply_{};
};

}  // namespace slipway::sim
