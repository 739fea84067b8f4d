// Answers router solicitations where no router answers (RFC 4861 6.2.6), so that boot firmware does
// not wait for one: iPXE loses 16 s each time it starts otherwise. One per rack, on the DHCP shard.
#pragma once

#include <array>

#include "dataplane/base/counter.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/driver.h"

namespace slipway::service {

struct RaCounters {
  Counter solicitations;
  Counter advertised;
  Counter silent_not_served;   // the interface is not bound to a VLAN
  Counter silent_by_policy;    // the VLAN says Off
  Counter silent_router_seen;  // a real router advertises here
  Counter malformed;
  Counter foreign_advertisements;
  Counter send_failed;
};

// Thread: its shard.
class RaService final : public shard::PacketHandler {
 public:
  // `raw_port` sends frames. All references outlive the service.
  RaService(shard::Driver& driver, shard::PortId raw_port, const ServingView& serving,
            BootStepSink& steps) noexcept
      : driver_(driver), raw_port_(raw_port), serving_(serving), steps_(steps) {}

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;

  [[nodiscard]] const RaCounters& counters() const noexcept { return counters_; }

 private:
  struct SeenRouter {
    std::uint32_t ifindex = 0;
    Instant until{};
  };

  void OnSolicitation(const shard::Packet& packet, const Serving& serving, Instant now);
  void OnAdvertisement(const shard::Packet& packet, const Serving& serving, Instant now);
  [[nodiscard]] bool RouterSeen(std::uint32_t ifindex, Instant now) const noexcept;

  shard::Driver& driver_;
  shard::PortId raw_port_;
  const ServingView& serving_;
  BootStepSink& steps_;
  std::array<SeenRouter, limits::kServedInterfacesMax> routers_{};
  RaCounters counters_;
};

}  // namespace slipway::service
