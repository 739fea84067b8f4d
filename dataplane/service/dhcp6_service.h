// Binds the DHCPv6 engine to a driver and the journal: batches in, replies out, a Reply only after
// its record is durable. Decides nothing about the protocol. Runs beside DhcpService, on the same
// lease table; that one ends what is due for both.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/dhcp/engine6.h"
#include "dataplane/service/dhcp_shared.h"
#include "dataplane/service/dhcp_watch.h"
#include "dataplane/service/intake.h"
#include "dataplane/service/packet_log.h"
#include "dataplane/service/ra_service.h"
#include "dataplane/service/serving.h"
#include "dataplane/service/waiting_replies.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

// Thread: the shard that owns the link groups.
class Dhcp6Service final : public shard::PacketHandler,
                           public shard::TurnHook,
                           public shard::TimerHandler,
                           public NeighbourSink,
                           public FactListener {
 public:
  struct Parts {
    shard::Shard* shard = nullptr;
    shard::PortId raw_port = 0;  // sends frames
    DhcpShared* shared = nullptr;
    dhcp::Dhcp6Engine* engine = nullptr;
    PacketLog* packets = nullptr;
    DhcpWatch* watch = nullptr;
    Duration probe_interval{};  // for foreign servers; 0: never
  };

  // All parts outlive the service.
  explicit Dhcp6Service(const Parts& parts)
      : parts_(parts), intake_(parts.shard, dhcp::kMessage6BytesMax) {}

  // Before the loop: the port that AddUdp gave for this handler; hooks the service to the shard.
  [[nodiscard]] Result<void> Start(shard::PortId udp_port, Instant now);

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;

  [[nodiscard]] bool gathers() const noexcept override { return true; }

  void OnTurn(Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;
  void OnNeighbour(const Ipv6Address& address, MacAddress by, std::uint32_t ifindex,
                   Instant now) override;

  [[nodiscard]] const DhcpServiceCounters& counters() const noexcept { return counters_; }

  [[nodiscard]] const IntakeCounters& intake() const noexcept { return intake_.counters(); }

  [[nodiscard]] const WaitingCounters& waiting() const noexcept { return held_.counters(); }

 private:
  struct Held {
    std::uint64_t position;
    dhcp::Ticket ticket;
    dhcp::Reply6 reply;
    std::uint32_t ifindex;
    std::array<std::byte, dhcp::kMessage6BytesMax> bytes;
  };

  void OnPacket(const shard::Packet& packet, const Serving& serving, const lease::Now& now);
  void Dispatch(const ServedLink& link, std::uint32_t ifindex);
  void KeepPacket(const shard::Packet& packet, const lease::Now& now);
  void SendProbe(const ServedLink& link);
  void HearForeign(const shard::Packet& packet, const ServedLink* link, Instant now);
  void ProbeForeign(const Serving& serving);
  // `bytes` has the message, and is left alone until the driver's next turn has ended.
  [[nodiscard]] Sent Transmit(const dhcp::Reply6& reply, std::uint32_t ifindex, ByteSpan bytes);
  void ReleaseDurable(Instant now);

  Parts parts_;
  shard::PortId udp_port_ = 0;
  dhcp::Effects6 effects_;
  Intake intake_;
  WaitingReplies<Held> held_;
  std::uint64_t durable_ = 0;  // what OnDurable said last
  DhcpServiceCounters counters_;
};

}  // namespace slipway::service
