// Binds the DHCPv4 engine to a driver and the journal: batches in, replies out, an ACK only after
// its record is durable. Decides nothing about the protocol.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/base/address.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/limits.h"
#include "dataplane/dhcp/engine.h"
#include "dataplane/net/frame.h"
#include "dataplane/service/dhcp_shared.h"
#include "dataplane/service/dhcp_watch.h"
#include "dataplane/service/fact_port.h"
#include "dataplane/service/intake.h"
#include "dataplane/service/packet_log.h"
#include "dataplane/service/serving.h"
#include "dataplane/service/waiting_replies.h"
#include "dataplane/shard/shard.h"

namespace slipway::service {

inline constexpr std::uint32_t kExpiriesPerTickMax = 4096;
inline constexpr Duration kDhcpTick = Duration::Millis(500);
// Pool positions per tick that are looked at for reservations that are gone.
inline constexpr std::uint32_t kMaintainPerTick = 1024;
// Pools per tick that are looked at for how full they are.
inline constexpr std::size_t kPoolsPerTick = 64;

// Thread: the shard that owns the link groups.
class DhcpService final : public shard::PacketHandler,
                          public shard::TimerHandler,
                          public shard::TurnHook,
                          public FactListener {
 public:
  struct Parts {
    shard::Shard* shard = nullptr;
    shard::PortId raw_port = 0;
    DhcpShared* shared = nullptr;
    dhcp::Dhcp4Engine* engine = nullptr;
    PacketLog* packets = nullptr;
    DhcpWatch* watch = nullptr;
    Duration probe_interval{};  // for foreign servers; 0: never
  };

  // All parts outlive the service.
  explicit DhcpService(const Parts& parts)
      : parts_(parts), intake_(parts.shard, sizeof(ReplyBuffer)) {}

  // What AddUdp gave for this handler.
  struct Ports {
    shard::PortId dhcp = 0;                    // 67
    shard::PortId boot_server = 0;             // 4011
    std::optional<shard::PortId> arp_replies;  // none: nobody hears the answers to probes
  };

  // Before the loop; hooks the service to the shard.
  [[nodiscard]] Result<void> Start(const Ports& ports, Instant now);

  void OnPackets(shard::PortId port, std::span<shard::Packet> packets, Instant now) override;
  void OnTimer(std::uint64_t cookie, Instant now) override;

  [[nodiscard]] bool gathers() const noexcept override { return true; }

  void OnTurn(Instant now) override;
  void OnDurable(std::uint64_t durable, Instant now) override;

  [[nodiscard]] const DhcpServiceCounters& counters() const noexcept { return counters_; }

  [[nodiscard]] const IntakeCounters& intake() const noexcept { return intake_.counters(); }

  [[nodiscard]] const WaitingCounters& waiting() const noexcept { return held_.counters(); }

 private:
  // A reply with room for frame headers in front. Only what is used of it is ever written.
  using ReplyBuffer = std::array<std::byte, net::kUdp4FrameHeaderBytes + dhcp::kMessageBytesMax>;

  // Where a reply goes.
  struct Envelope {
    dhcp::Reply reply;
    std::uint32_t ifindex = 0;
    shard::PortId port = 0;  // where the request came in
    MacAddress source_mac;
  };

  struct Held {
    std::uint64_t position;
    dhcp::Ticket ticket;
    Envelope envelope;
    ReplyBuffer bytes;
  };

  void OnPacket(shard::PortId port, const shard::Packet& packet, const Serving& serving,
                const lease::Now& now);
  void Dispatch(shard::PortId port, const ServedLink& link);

  void Hold(const Envelope& envelope, std::uint64_t position);
  // `bytes` has the reply's message behind the room for headers, and is left alone until the
  // driver's next turn has ended.
  [[nodiscard]] Sent Transmit(const Envelope& envelope, MutableByteSpan bytes);
  void ReleaseDurable(Instant now);
  void Expire(const lease::Now& now);
  void Maintain(const Serving& serving);
  void ProbeForeign(const Serving& serving, Instant now);
  void SendProbe(const ServedLink& link);
  void AskByArp(const ServedLink& link, Ipv4Address address);
  void HearForeign(const shard::Packet& packet, const ServedLink* link, Instant now);
  void OnArpReplies(std::span<shard::Packet> packets, Instant now);
  void KeepPacket(shard::PortId port, const shard::Packet& packet, const lease::Now& now);
  void TellPeers(const ServedLink& link);

  Parts parts_;
  Ports ports_;
  Instant probe_due_;
  dhcp::Effects effects_;
  Intake intake_;
  WaitingReplies<Held> held_;
  std::uint64_t durable_ = 0;  // what OnDurable said last
  DhcpServiceCounters counters_;
};

}  // namespace slipway::service
