// Answers router solicitations where no router answers (RFC 4861 6.2.6), so that boot firmware does
// not wait for one: iPXE loses 16 s each time it starts otherwise. On VLANs that are to have full
// advertisements it sends those, also unasked (RFC 4861 6.2.4). One per rack, on the DHCP shard.
#pragma once

#include <array>

#include "dataplane/base/counter.h"
#include "dataplane/base/random.h"
#include "dataplane/net/icmpv6.h"
#include "dataplane/service/boot_step_sink.h"
#include "dataplane/service/serving.h"
#include "dataplane/shard/driver.h"
#include "dataplane/shard/timer_wheel.h"

namespace slipway::service {

// RFC 4861 6.2.1 and 10.
inline constexpr Duration kAdvertiseIntervalMin = Duration::Seconds(200);
inline constexpr Duration kAdvertiseIntervalMax = Duration::Seconds(600);
inline constexpr Duration kFirstAdvertisementsApart = Duration::Seconds(16);
inline constexpr std::uint8_t kFirstAdvertisements = 3;
inline constexpr Duration kAdvertisementsApartMin = Duration::Seconds(3);
inline constexpr Duration kAdvertiseTick = Duration::Seconds(1);
// Of one advertisement: what a link's subnets have beyond is not advertised.
inline constexpr std::size_t kAdvertisedPrefixesMax = 8;
inline constexpr std::size_t kAdvertisedDnsServersMax = 4;

// Who asked neighbours for an address hears who says that it is theirs.
class NeighbourSink {
 public:
  virtual ~NeighbourSink() = default;
  virtual void OnNeighbour(const Ipv6Address& address, MacAddress by, std::uint32_t ifindex,
                           Instant now) = 0;
};

struct RaCounters {
  Counter solicitations;
  Counter advertised;
  Counter unsolicited;         // full advertisements that nobody asked for
  Counter silent_paced;        // one to all has just been sent
  Counter silent_not_served;   // the interface is not bound to a VLAN
  Counter silent_by_policy;    // the VLAN says Off
  Counter silent_router_seen;  // a real router advertises here
  Counter malformed;
  Counter foreign_advertisements;
  Counter send_failed;
};

// Thread: its shard.
class RaService final : public shard::PacketHandler, public shard::TimerHandler {
 public:
  // `raw_port` sends frames; `seed` spreads the racks' advertisements. All references outlive the
  // service.
  RaService(shard::Driver& driver, shard::PortId raw_port, const ServingView& serving,
            BootStepSink& steps, NeighbourSink& neighbours, std::uint64_t seed) noexcept
      : driver_(driver),
        raw_port_(raw_port),
        serving_(serving),
        steps_(steps),
        neighbours_(neighbours),
        random_(seed) {}

  // Before the loop.
  [[nodiscard]] Result<void> Start(shard::TimerWheel& timers, Instant now);

  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;

  [[nodiscard]] const RaCounters& counters() const noexcept { return counters_; }

 private:
  struct SeenRouter {
    std::uint32_t ifindex = 0;
    Instant until{};
  };

  // When a link with full advertisements has its next one to all.
  struct Periodic {
    std::uint32_t ifindex = 0;
    std::uint8_t first_left = 0;
    Instant next;
    Instant last;  // to all
  };

  [[nodiscard]] Periodic& PeriodicOf(std::uint32_t ifindex, Instant now) noexcept;
  [[nodiscard]] bool SendFull(const ServedLink& link, const config::VlanRecord& vlan,
                              const config::Snapshot& snapshot, MacAddress mac,
                              const Ipv6Address& destination);
  [[nodiscard]] bool SendNoRouter(const ServedLink& link, MacAddress mac,
                                  const Ipv6Address& destination);
  void OnSolicitation(const shard::Packet& packet, const Serving& serving, Instant now);
  void OnNeighbour(const shard::Packet& packet, Instant now);
  void OnAdvertisement(const shard::Packet& packet, const Serving& serving, Instant now);
  [[nodiscard]] bool RouterSeen(std::uint32_t ifindex, Instant now) const noexcept;

  shard::Driver& driver_;
  shard::PortId raw_port_;
  const ServingView& serving_;
  BootStepSink& steps_;
  NeighbourSink& neighbours_;
  std::array<SeenRouter, limits::kServedInterfacesMax> routers_{};
  std::array<Periodic, limits::kServedInterfacesMax> periodic_{};
  shard::TimerWheel* timers_ = nullptr;
  SeededRandom random_;
  RaCounters counters_;
};

}  // namespace slipway::service
